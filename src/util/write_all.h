// SPDX-License-Identifier: Apache-2.0
// All the bytes into a descriptor, however few it takes at a time. Errors name `path`. Thread
// model: pure function.
#pragma once

#include <string>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln {

Status write_all(int fd, ByteView bytes, const std::string& path);

}  // namespace kiln
