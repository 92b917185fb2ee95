// SPDX-License-Identifier: Apache-2.0
// What can be tagged: one table from the prefix of an id to the type of the resource and the check
// that the caller may tag it. A new kind of resource is a row there. Thread model: pure functions;
// find_taggable() within its transaction.
#pragma once

#include <string>

#include "catalog/store.h"
#include "control/caller.h"
#include "util/result.h"

namespace kiln::control {

// The type of what has an id like this; empty for an unknown prefix.
std::string_view taggable_type(const std::string& id);

// The form alone: ID-5 for an unknown prefix, the kind's own error for a malformed id.
Status check_taggable_id(const std::string& id);

// The resource type ("image", ...) as tags name it (TAG-10); the kind's own error for what is not
// there. One's own resources can be tagged, and images one may use (TAG-4). `id` was checked.
Result<std::string> find_taggable(catalog::Transaction& tx, const Caller& caller,
                                  const std::string& id);

}  // namespace kiln::control
