// SPDX-License-Identifier: Apache-2.0
#include "control/tagging.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxKey = 128;
constexpr std::size_t kMaxValue = 256;

Status check_tag(const model::Tag& tag) {
    TRY(check_tag_key(tag.key));
    if (character_count(tag.value) > kMaxValue) {
        return errors::invalid_parameter_value(
            fmt::format("Tag value exceeds the maximum length of {} characters", kMaxValue));
    }
    return ok();
}

}  // namespace

bool is_reserved_tag(std::string_view key) {
    return equals_ignore_case(key.substr(0, 4), "aws:");
}

Status check_tag_key(std::string_view key) {
    if (key.empty()) {
        return errors::invalid_parameter_value("Tag key cannot be null or empty");
    }
    if (is_reserved_tag(key)) {
        return errors::invalid_parameter_value(
            "Tag keys starting with 'aws:' are reserved for internal use");
    }
    if (character_count(key) > kMaxKey) {
        return errors::invalid_parameter_value(
            fmt::format("Tag key exceeds the maximum length of {} characters", kMaxKey));
    }
    return ok();
}

Status check_tags(const std::vector<model::Tag>& tags) {
    if (tags.size() > kMaxTagsPerResource) {
        return Error::api(
            Code::resource_exhausted, "TagLimitExceeded",
            fmt::format("More than {} tags were specified for one resource", kMaxTagsPerResource));
    }
    std::set<std::string_view> keys;
    for (const model::Tag& tag : tags) {
        TRY(check_tag(tag));
        if (!keys.insert(tag.key).second) {
            return errors::invalid_parameter_value(
                fmt::format("Duplicate tag key '{}' specified.", tag.key));
        }
    }
    return ok();
}

Status check_tag_specifications(const std::vector<TagSpecification>& specifications,
                                const std::vector<std::string_view>& allowed) {
    std::set<std::string_view> types;
    for (const TagSpecification& specification : specifications) {
        if (specification.resource_type.empty()) {
            return errors::missing_parameter("TagSpecification.ResourceType");
        }
        if (std::find(allowed.begin(), allowed.end(), specification.resource_type) ==
            allowed.end()) {
            return errors::invalid_parameter_value(
                fmt::format("'{}' is not a valid taggable resource type for this operation.",
                            specification.resource_type));
        }
        if (!types.insert(specification.resource_type).second) {
            return errors::invalid_parameter_value("Duplicate tag specification");
        }
        if (specification.tags.empty()) {
            return errors::invalid_parameter_value("Tag specification must have at least one tag");
        }
        TRY(check_tags(specification.tags));
    }
    return ok();
}

std::vector<model::Tag> tags_for(const std::vector<TagSpecification>& specifications,
                                 std::string_view resource_type) {
    for (const TagSpecification& specification : specifications) {
        if (specification.resource_type == resource_type) {
            return specification.tags;
        }
    }
    return {};
}

Status put_tags(catalog::Transaction& tx, const Caller& caller, std::string_view resource_type,
                const std::string& resource_id, const std::vector<model::Tag>& tags) {
    if (tags.empty()) {
        return ok();
    }
    return tx.tags().put({caller.account, caller.region, std::string(resource_type), resource_id},
                         tags);
}

}  // namespace kiln::control
