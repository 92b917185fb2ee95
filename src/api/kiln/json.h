// SPDX-License-Identifier: Apache-2.0
// JSON texts of what Kiln's own API shows. Thread model: pure functions.
#pragma once

#include <string>

#include "control/inspector.h"

namespace kiln::api {

std::string to_json(const control::InspectedInstance& seen);
std::string to_json(const control::InspectedVolume& seen);
std::string to_json(const control::InspectedSnapshot& seen);
std::string to_json(const control::InspectedImage& seen);

}  // namespace kiln::api
