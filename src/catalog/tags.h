// SPDX-License-Identifier: Apache-2.0
// Tags: the tags of all resources, within one transaction. A tag belongs to (resource, tagging
// account): two accounts may put the same key on one resource and do not see each other's (TAG-4,
// TAG-9). Which tags are allowed is decided above.
//
// Errors as for Repository. One owner thread: the one that runs the transaction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/queries.h"
#include "model/tag.h"
#include "util/result.h"

namespace kiln::catalog {

namespace detail {
class SqlSession;
}

struct TagTarget {
    model::AccountId account;  // who tags
    std::string region;
    std::string resource_type;  // "image", "instance", ... (TAG-5)
    std::string resource_id;
};

struct TagRecord {
    TagTarget target;
    model::Tag tag;
};

class Tags {
  public:
    explicit Tags(detail::SqlSession& session) : session_(session) {}

    // Adds, and overwrites the values of keys that are there already (TAG-3).
    Status put(const TagTarget& target, const std::vector<model::Tag>& tags);
    // With a value: only if it is equal. A tag that is not there is no error (TAG-3).
    Status remove(const model::AccountId& account, std::string_view resource_id,
                  std::string_view key, const std::optional<std::string>& value);
    // Of all accounts: the resource is gone (TAG-8).
    Status erase_resource(std::string_view resource_id);

    // Ordered by key. A resource without tags is not in the map.
    Result<std::map<std::string, std::vector<model::Tag>>> of(
        const model::AccountId& account, const std::vector<std::string>& resource_ids);
    // Ordered by (resource id, account, key).
    Result<std::vector<TagRecord>> list(const TagQuery& query);
    // Of one account; ordered by (key, value, resource id), at most `limit` (0: all) after `after`.
    Result<std::vector<TagRecord>> page(const model::AccountId& account, TagQuery query,
                                        const std::optional<TagCursor>& after, std::size_t limit);

  private:
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
