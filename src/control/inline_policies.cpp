// SPDX-License-Identifier: Apache-2.0
#include "control/inline_policies.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/policy.h"

namespace kiln::control {
namespace {

template <class Policies>
auto place_of(Policies& policies, std::string_view name) {
    return std::find_if(policies.begin(), policies.end(),
                        [&](const model::InlinePolicy& policy) { return policy.name == name; });
}

Error not_found(std::string_view kind, std::string_view name) {
    return errors::no_such_entity(fmt::format("{} policy", kind), name);
}

}  // namespace

Status check_inline_policy(const model::InlinePolicy& policy) {
    TRY(check_identity_name(policy.name, "policyName", kMaxIdentityName));
    TRY(parse_identity_policy(policy.document));
    return ok();
}

Status put_inline_policy(std::vector<model::InlinePolicy>& policies,
                         const model::InlinePolicy& policy, const PolicyHolder& holder) {
    if (const auto there = place_of(policies, policy.name); there != policies.end()) {
        there->document = policy.document;
    } else {
        policies.push_back(policy);
    }
    std::sort(policies.begin(), policies.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    if (policies_size(policies) > holder.most) {
        return errors::limit_exceeded(
            fmt::format("Maximum policy size of {} bytes exceeded for {} {}", holder.most,
                        holder.kind, holder.name));
    }
    return ok();
}

Result<model::InlinePolicy> find_inline_policy(const std::vector<model::InlinePolicy>& policies,
                                               std::string_view name, std::string_view kind) {
    const auto there = place_of(policies, name);
    if (there == policies.end()) {
        return not_found(kind, name);
    }
    return *there;
}

Status erase_inline_policy(std::vector<model::InlinePolicy>& policies, std::string_view name,
                           std::string_view kind) {
    const auto there = place_of(policies, name);
    if (there == policies.end()) {
        return not_found(kind, name);
    }
    policies.erase(there);
    return ok();
}

NamePage inline_policy_names(const std::vector<model::InlinePolicy>& policies,
                             const IdentityPage& page) {
    NamePage out;
    for (const model::InlinePolicy& policy : policies) {
        out.names.push_back(policy.name);
    }
    out.marker = cut_identity_page(out.names, page, [](const std::string& n) { return n; });
    return out;
}

}  // namespace kiln::control
