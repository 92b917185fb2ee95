// SPDX-License-Identifier: Apache-2.0
// What roles and instance profiles have in common: names, paths, tags, errors, pages (IAM-1 ..
// IAM-3). Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/role.h"
#include "model/tag.h"
#include "util/result.h"

namespace kiln::control {

inline constexpr std::size_t kMaxRoleName = 64;
inline constexpr std::size_t kMaxIdentityName = 128;  // profiles and policies
inline constexpr std::size_t kMaxIdentityTags = 50;
inline constexpr std::size_t kMaxIdentityTagKey = 128;

namespace errors {
Error no_such_entity(std::string_view kind, std::string_view name);  // "role", "Bakers"
Error entity_exists(std::string_view kind, std::string_view name);
Error delete_conflict(std::string message);
Error limit_exceeded(std::string message);
Error validation(std::string message);
}  // namespace errors

Status check_identity_name(std::string_view name, std::string_view parameter, std::size_t longest);
Status check_identity_path(std::string_view path);
// IAM-4: characters that are no white space.
std::size_t policy_size(std::string_view document);
std::size_t policies_size(const std::vector<model::InlinePolicy>& policies);

Status check_identity_tags(const std::vector<model::Tag>& tags);

// A page of a list in order of names.
struct IdentityPage {
    std::optional<std::int32_t> max_items;  // 1 to 1000; 100 when absent
    std::string marker;                     // of the page before
    std::string path_prefix;
};

struct NamePage {
    std::vector<std::string> names;
    std::string marker;
};

Status check_identity_page(const IdentityPage& page);

// Cuts `items`, in order of name_of(), to the page; the marker of the next one, or nothing.
template <class T, class NameOf>
std::string cut_identity_page(std::vector<T>& items, const IdentityPage& page, NameOf name_of) {
    constexpr std::int32_t kDefault = 100;
    const auto most = static_cast<std::size_t>(page.max_items.value_or(kDefault));
    std::sort(items.begin(), items.end(),
              [&](const T& a, const T& b) { return name_of(a) < name_of(b); });
    std::erase_if(items, [&](const T& item) { return name_of(item) <= page.marker; });
    if (items.size() <= most) {
        return {};
    }
    items.resize(most);
    return name_of(items.back());
}

}  // namespace kiln::control
