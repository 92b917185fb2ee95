// SPDX-License-Identifier: Apache-2.0
// ResourceTags: CreateTags, DeleteTags, DescribeTags (TAG-1 .. TAG-12) for everything that
// control/taggable.h lists. A request is done for all its resources or for none; requests on one
// resource are serial (TAG-12). Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "model/tag.h"

namespace kiln::control {

inline constexpr std::size_t kMaxTaggedResources = 1000;  // TAG-3

// TAG-3: without a value the tag goes whatever its value is.
struct TagToRemove {
    std::string key;
    std::optional<std::string> value;
};

struct DescribeTagsInput {
    std::vector<Filter> filters;
    PageRequest page;
};

std::vector<std::string> tag_filter_names();

class ResourceTags {
  public:
    explicit ResourceTags(catalog::Store& store) : store_(store) {}

    Status create(const Caller& caller, const std::vector<std::string>& resource_ids,
                  const std::vector<model::Tag>& tags, bool dry_run);
    // No tags: all of the caller's own, but not the reserved ones.
    Status remove(const Caller& caller, const std::vector<std::string>& resource_ids,
                  const std::vector<TagToRemove>& tags, bool dry_run);
    // Ordered by key, value, resource.
    Result<Page<catalog::TagRecord>> describe(const Caller& caller, const DescribeTagsInput& input);

  private:
    catalog::Store& store_;
};

}  // namespace kiln::control
