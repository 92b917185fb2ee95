// SPDX-License-Identifier: Apache-2.0
#include "api/iam/convert.h"

#include "util/encoding.h"

namespace kiln::api::iam {

List<Tag> from_tags(const std::vector<model::Tag>& tags) {
    List<Tag> list;
    for (const model::Tag& tag : tags) {
        Tag& item = list.emplace_back();
        item.key = tag.key;
        item.value = tag.value;
    }
    return list;
}

Role from_role(const model::Role& from) {
    Role to;
    to.path = from.path;
    to.role_name = from.name;
    to.role_id = from.id.str();
    to.arn = model::arn_of(from);
    to.create_date = from.created;
    to.assume_role_policy_document = percent_encode(from.trust_policy);  // as IAM answers it
    if (!from.description.empty()) {
        to.description = from.description;
    }
    to.max_session_duration = from.max_session_s;
    to.tags = from_tags(from.tags);
    return to;
}

InstanceProfile from_profile(const control::InstanceProfileView& view) {
    const model::InstanceProfile& from = view.profile;
    InstanceProfile to;
    to.path = from.path;
    to.instance_profile_name = from.name;
    to.instance_profile_id = from.id.str();
    to.arn = model::arn_of(from);
    to.create_date = from.created;
    to.roles.give();
    if (view.role) {
        to.roles.push_back(from_role(*view.role));
    }
    to.tags = from_tags(from.tags);
    return to;
}

std::vector<model::Tag> to_model_tags(const List<Tag>& list) {
    std::vector<model::Tag> tags;
    for (const Tag& tag : list) {
        tags.push_back({tag.key.value_or(""), tag.value.value_or("")});
    }
    return tags;
}

control::IdentityPage to_page(const std::optional<std::string>& prefix,
                              const std::optional<std::string>& marker,
                              const Scalar<std::int32_t>& max_items) {
    control::IdentityPage page;
    page.path_prefix = prefix.value_or("");
    page.marker = marker.value_or("");
    if (max_items.has_value()) {
        page.max_items = *max_items;
    }
    return page;
}

}  // namespace kiln::api::iam
