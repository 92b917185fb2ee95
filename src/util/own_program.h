// SPDX-License-Identifier: Apache-2.0
// The path of the running program, which is started again for parts that are processes of their
// own. Thread model: pure function.
#pragma once

#include <string>

#include "util/result.h"

namespace kiln {

Result<std::string> own_program();

}  // namespace kiln
