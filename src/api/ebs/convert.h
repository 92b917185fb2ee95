// SPDX-License-Identifier: Apache-2.0
// What the handlers of the block API have in common. Thread model: pure functions.
#pragma once

#include <string>

#include "model/ids.h"
#include "util/result.h"

namespace kiln::api {

// INVALID_SNAPSHOT_ID.
Result<model::SnapshotId> to_snapshot_id(const std::string& text);

}  // namespace kiln::api
