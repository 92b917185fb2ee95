// SPDX-License-Identifier: Apache-2.0
// JSON texts of what Kiln's own API shows. Thread model: pure functions.
#pragma once

#include <string>

#include "control/disk_diffs.h"
#include "control/inspector.h"

namespace kiln::api {

std::string to_json(const control::InspectedInstance& seen);
std::string to_json(const control::InspectedVolume& seen);
std::string to_json(const control::InspectedSnapshot& seen);
std::string to_json(const control::InspectedImage& seen);
std::string to_json(const control::DiskDiff& page);

}  // namespace kiln::api
