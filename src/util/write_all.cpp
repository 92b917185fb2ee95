// SPDX-License-Identifier: Apache-2.0
#include "util/write_all.h"

#include <unistd.h>

#include <cerrno>

namespace kiln {

Status write_all(int fd, ByteView bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "write " + path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return ok();
}

}  // namespace kiln
