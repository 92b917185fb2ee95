// SPDX-License-Identifier: Apache-2.0
#include "util/own_program.h"

#include <unistd.h>

#include <cerrno>

namespace kiln {

Result<std::string> own_program() {
    char path[4096];
    const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || n == static_cast<ssize_t>(sizeof path)) {
        return Error::from_errno(errno, "find this program");
    }
    return std::string(path, static_cast<std::size_t>(n));
}

}  // namespace kiln
