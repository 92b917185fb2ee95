// SPDX-License-Identifier: Apache-2.0
#include "model/organization.h"

#include <algorithm>

#include "util/strings.h"

namespace kiln::model {
namespace {

// The partition is that of all ARNs of this service.
constexpr std::string_view kStart = "arn:aws:organizations::";
constexpr std::size_t kAccountCharacters = 12;

bool is_word(std::string_view text, std::size_t shortest) {
    constexpr std::size_t kLongest = 32;
    return text.size() >= shortest && text.size() <= kLongest &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

// What stands behind the account and `kind`; empty: nothing, or the text is no such ARN.
std::string_view resource_of(std::string_view arn, std::string_view kind) {
    if (!arn.starts_with(kStart)) {
        return {};
    }
    arn.remove_prefix(kStart.size());
    if (arn.size() <= kAccountCharacters ||
        !is_well_formed_account(arn.substr(0, kAccountCharacters))) {
        return {};
    }
    arn.remove_prefix(kAccountCharacters);
    return arn.starts_with(kind) ? arn.substr(kind.size()) : std::string_view();
}

Error invalid(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue", std::move(message));
}

}  // namespace

bool is_organization_id(std::string_view text) {
    return text.starts_with("o-") && is_word(text.substr(2), 10);
}

bool is_unit_id(std::string_view text) {
    if (!text.starts_with("ou-")) {
        return false;
    }
    text.remove_prefix(3);
    const auto hyphen = text.find('-');
    return hyphen != text.npos && is_word(text.substr(0, hyphen), 4) &&
           is_word(text.substr(hyphen + 1), 8);
}

bool is_organization_arn(std::string_view text) {
    return is_organization_id(resource_of(text, ":organization/"));
}

bool is_unit_arn(std::string_view text) {
    const std::string_view resource = resource_of(text, ":ou/");
    const auto slash = resource.find('/');
    return slash != resource.npos && is_organization_id(resource.substr(0, slash)) &&
           is_unit_id(resource.substr(slash + 1));
}

std::vector<std::string> arns_of(const Membership& membership) {
    const std::string start = std::string(kStart) + membership.management.str();
    std::vector<std::string> arns{start + ":organization/" + membership.organization};
    for (const std::string& unit : membership.units) {
        arns.push_back(start + ":ou/" + membership.organization + '/' + unit);
    }
    return arns;
}

Result<Membership> parse_membership(const std::string& management, const std::string& organization,
                                    const std::string& units) {
    if (!is_well_formed_account(management)) {
        return invalid("The management account '" + management + "' has not 12 digits.");
    }
    if (!is_organization_id(organization)) {
        return invalid("'" + organization +
                       "' is no id of an organization: o- and 10 to 32 lower-case letters and "
                       "digits.");
    }
    Membership membership{AccountId(management), organization, {}};
    if (units.empty()) {
        return membership;
    }
    for (const std::string_view unit : split(units, '/')) {
        const auto& known = membership.units;
        if (!is_unit_id(unit)) {
            return invalid("'" + std::string(unit) +
                           "' is no id of an organizational unit, as in ou-ab12-12345678.");
        }
        if (std::find(known.begin(), known.end(), unit) != known.end()) {
            return invalid("The unit " + std::string(unit) + " stands in the path twice.");
        }
        membership.units.emplace_back(unit);
    }
    if (membership.units.size() > kMaxUnits) {
        return invalid("Units are nested at most " + std::to_string(kMaxUnits) + " deep.");
    }
    return membership;
}

std::string unit_path(const Membership& membership) {
    std::string path;
    for (const std::string& unit : membership.units) {
        path += (path.empty() ? "" : "/") + unit;
    }
    return path;
}

}  // namespace kiln::model
