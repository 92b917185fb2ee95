// SPDX-License-Identifier: Apache-2.0
// The limits file (docs/formats/limits.md) for `kiln serve --limits FILE`:
//
//   {"requests": {"reads": {"burst": 100, "perSecond": 20}, "heavy": "off"},
//    "quotas": {"images": 100, "keyPairs": "off"}}
//
// What it does not name is as without a file. Everything is checked before anything is used; an
// error names the place in the file. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "control/limits.h"
#include "util/result.h"

namespace kiln::control {

Result<Limits> parse_limits(std::string_view text);
Result<Limits> load_limits(const std::string& path);

}  // namespace kiln::control
