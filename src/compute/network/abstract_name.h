// SPDX-License-Identifier: Apache-2.0
// A name that one process of a network namespace has at a time, and that the kernel gives back
// however the process ends: an abstract unix socket. Thread model: pure function.
#pragma once

#include <string>

#include "util/fs.h"

namespace kiln::compute {

// Up to 100 bytes. Invalid when somebody has the name already.
UniqueFd claim_abstract_name(const std::string& name);

}  // namespace kiln::compute
