// SPDX-License-Identifier: Apache-2.0
// A copy of a file that has holes where it has them. Thread model: pure function over files.
#pragma once

#include <string>

#include "util/result.h"

namespace kiln::control {

// Overwrites `to`. not_found when `from` is not there. A file that is being written is copied as it
// is at some moment of each of its pieces.
Status copy_sparse(const std::string& from, const std::string& to);

}  // namespace kiln::control
