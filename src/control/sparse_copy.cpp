// SPDX-License-Identifier: Apache-2.0
#include "control/sparse_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "util/bytes.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

constexpr std::size_t kPieceBytes = 64U << 10;

Status copy_range(int from, int to, off_t at, off_t end) {
    Bytes piece(kPieceBytes);
    while (at < end) {
        const auto want = std::min<std::size_t>(piece.size(), static_cast<std::size_t>(end - at));
        const ssize_t got = ::pread(from, piece.data(), want, at);
        if (got < 0) {
            return Error::from_errno(errno, "read");
        }
        if (got == 0) {
            return Error(Code::data_loss, "it became shorter");
        }
        const auto bytes = static_cast<std::size_t>(got);
        for (std::size_t written = 0; written < bytes;) {
            const ssize_t n = ::pwrite(to, piece.data() + written, bytes - written,
                                       at + static_cast<off_t>(written));
            if (n < 0) {
                return Error::from_errno(errno, "write");
            }
            written += static_cast<std::size_t>(n);
        }
        at += got;
    }
    return ok();
}

Status copy_data(int from, int to, off_t size) {
    for (off_t at = 0; at < size;) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // nothing but a hole
        }
        const off_t hole = data < 0 ? -1 : ::lseek(from, data, SEEK_HOLE);
        if (hole < 0) {
            return Error::from_errno(errno, "find its data");
        }
        TRY(copy_range(from, to, data, std::min(hole, size)));
        at = hole;
    }
    return ::ftruncate(to, size) == 0 ? ok() : Status(Error::from_errno(errno, "set its length"));
}

}  // namespace

Status copy_sparse(const std::string& from, const std::string& to) {
    const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!source || ::fstat(source.get(), &info) != 0) {
        return Error::from_errno(errno, "open " + from);
    }
    const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!target) {
        return Error::from_errno(errno, "create " + to);
    }
    TRY(copy_data(source.get(), target.get(), info.st_size), "copy " + from);
    return ok();
}

}  // namespace kiln::control
