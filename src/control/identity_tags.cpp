// SPDX-License-Identifier: Apache-2.0
#include "control/identity_tags.h"

#include <algorithm>

#include "util/strings.h"

namespace kiln::control {
namespace {

void erase_key(std::vector<model::Tag>& tags, const std::string& key) {
    const std::string wanted = to_lower(key);
    std::erase_if(tags, [&](const model::Tag& tag) { return to_lower(tag.key) == wanted; });
}

}  // namespace

Status put_identity_tags(std::vector<model::Tag>& into, const std::vector<model::Tag>& tags) {
    if (tags.empty()) {
        return errors::validation("Tags has at least one tag.");
    }
    TRY(check_identity_tags(tags));
    for (const model::Tag& tag : tags) {
        erase_key(into, tag.key);
        into.push_back(tag);
    }
    return check_identity_tags(into);  // that there are not too many now
}

Status erase_identity_tags(std::vector<model::Tag>& from, const std::vector<std::string>& keys) {
    if (keys.empty() || keys.size() > kMaxIdentityTags) {
        return errors::validation("TagKeys has 1 to 50 keys.");
    }
    for (const std::string& key : keys) {
        if (key.empty() || character_count(key) > kMaxIdentityTagKey) {
            return errors::validation("A tag's key has 1 to 128 characters.");
        }
        erase_key(from, key);
    }
    return ok();
}

Result<TagPage> list_identity_tags(std::vector<model::Tag> tags, const IdentityPage& page) {
    IdentityPage without_marker = page;  // which is a key here: it may have other characters
    without_marker.marker.clear();
    TRY(check_identity_page(without_marker));
    if (character_count(page.marker) > kMaxIdentityTagKey) {
        return errors::validation("The specified value for marker is invalid.");
    }
    TagPage out{std::move(tags), {}};
    out.marker = cut_identity_page(out.tags, page, [](const model::Tag& tag) { return tag.key; });
    return out;
}

}  // namespace kiln::control
