// SPDX-License-Identifier: Apache-2.0
// JSON files that are given to the service: what is checked before they are read, so that nothing
// is passed over. Errors name the place: line and column for what is not JSON, a path
// ("regions[0].name") for what is not what was expected. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "util/result.h"

namespace kiln::control {

inline constexpr std::size_t kMaxConfigBytes = 1U << 20;

// invalid_argument: "WHERE: WHAT"
Error wrong_config(const std::string& where, std::string_view what);
// Whether a text is JSON in which no member stands twice in an object and nothing is nested deep.
Status check_config(std::string_view text);

}  // namespace kiln::control
