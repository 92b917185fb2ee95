// SPDX-License-Identifier: Apache-2.0
#include "control/identity_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxPath = 512;
constexpr std::size_t kMaxTagValue = 256;
constexpr std::int32_t kMostItems = 1'000;

bool is_name_character(char c) {
    constexpr std::string_view kMarks = "_+=,.@-";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != kMarks.npos;
}

}  // namespace

namespace errors {

Error no_such_entity(std::string_view kind, std::string_view name) {
    return Error::api(Code::not_found, "NoSuchEntity",
                      kind == "instance profile"
                          ? fmt::format("Instance Profile {} cannot be found.", name)
                          : fmt::format("The {} with name {} cannot be found.", kind, name));
}

Error entity_exists(std::string_view kind, std::string_view name) {
    return Error::api(Code::already_exists, "EntityAlreadyExists",
                      fmt::format("{} with name {} already exists.", kind, name));
}

Error delete_conflict(std::string message) {
    return Error::api(Code::failed_precondition, "DeleteConflict", std::move(message));
}

Error limit_exceeded(std::string message) {
    return Error::api(Code::resource_exhausted, "LimitExceeded", std::move(message));
}

Error validation(std::string message) {
    return Error::api(Code::invalid_argument, "ValidationError", std::move(message));
}

}  // namespace errors

Status check_identity_name(std::string_view name, std::string_view parameter, std::size_t longest) {
    if (name.empty() || name.size() > longest ||
        !std::all_of(name.begin(), name.end(), is_name_character)) {
        return errors::validation(fmt::format(
            "The specified value for {} is invalid. It must contain 1 to {} alphanumeric "
            "characters and/or the following: +=,.@_-",
            parameter, longest));
    }
    return ok();
}

Status check_identity_path(std::string_view path) {
    const bool plain =
        std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (!path.starts_with('/') || !path.ends_with('/') || path.size() > kMaxPath || !plain) {
        return errors::validation(
            "The specified value for path is invalid. It must begin and end with / and contain "
            "up to 512 printable ASCII characters without spaces.");
    }
    return ok();
}

std::size_t policy_size(std::string_view document) {
    return static_cast<std::size_t>(std::count_if(document.begin(), document.end(), [](char c) {
        return c != ' ' && c != '\t' && c != '\n' && c != '\r';
    }));
}

std::size_t policies_size(const std::vector<model::InlinePolicy>& policies) {
    std::size_t size = 0;
    for (const model::InlinePolicy& policy : policies) {
        size += policy_size(policy.document);
    }
    return size;
}

Status check_identity_tags(const std::vector<model::Tag>& tags) {
    std::set<std::string> keys;
    for (const model::Tag& tag : tags) {
        if (tag.key.empty() || character_count(tag.key) > kMaxIdentityTagKey ||
            character_count(tag.value) > kMaxTagValue || to_lower(tag.key).starts_with("aws:")) {
            return Error::api(Code::invalid_argument, "InvalidInput",
                              "A tag's key has 1 to 128 characters and does not begin with aws:, "
                              "its value has up to 256.");
        }
        if (!keys.insert(to_lower(tag.key)).second) {
            return Error::api(Code::invalid_argument, "InvalidInput",
                              "Duplicate tag keys found. Please note that Tag keys are case "
                              "insensitive.");
        }
    }
    return tags.size() <= kMaxIdentityTags
               ? ok()
               : Status(
                     errors::limit_exceeded("The number of tags has reached the maximum limit."));
}

Status check_identity_page(const IdentityPage& page) {
    if (page.max_items && (*page.max_items < 1 || *page.max_items > kMostItems)) {
        return errors::validation("MaxItems is a number from 1 to 1000.");
    }
    if (!page.marker.empty() &&
        (page.marker.size() > kMaxIdentityName ||
         !std::all_of(page.marker.begin(), page.marker.end(), is_name_character))) {
        return errors::validation("The specified value for marker is invalid.");
    }
    return page.path_prefix.empty() || page.path_prefix.starts_with('/')
               ? ok()
               : Status(errors::validation("PathPrefix begins with /."));
}

}  // namespace kiln::control
