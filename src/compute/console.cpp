// SPDX-License-Identifier: Apache-2.0
#include "compute/console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "util/fs.h"

namespace kiln::compute {
namespace {

struct OpenLog {
    UniqueFd fd;  // none: there is no such file
    struct stat info {};
};

Result<OpenLog> open_log(const std::string& path, int mode) {
    OpenLog log;
    log.fd.reset(::open(path.c_str(), mode | O_CLOEXEC));
    if (!log.fd && errno == ENOENT) {
        return log;
    }
    if (!log.fd) {
        return Error::from_errno(errno, "open " + path);
    }
    if (::fstat(log.fd.get(), &log.info) != 0) {
        return Error::from_errno(errno, "stat " + path);
    }
    return log;
}

// `length` bytes from `begin`, fewer at the end of the file.
Result<std::string> read_piece(const OpenLog& log, const std::string& path, std::uint64_t begin,
                               std::size_t length) {
    std::string bytes(length, '\0');
    std::size_t done = 0;
    while (done < length) {
        const ssize_t n = ::pread(log.fd.get(), bytes.data() + done, length - done,
                                  static_cast<off_t>(begin + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "read " + path);
        }
        if (n == 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace

Result<ConsoleOutput> read_console(const std::string& serial_log) {
    TRY_ASSIGN(const OpenLog log, open_log(serial_log, O_RDONLY));
    ConsoleOutput output;
    if (!log.fd) {
        return output;
    }
    const auto size = static_cast<std::uint64_t>(log.info.st_size);
    const std::uint64_t begin = size > kConsoleOutputBytes ? size - kConsoleOutputBytes : 0;
    TRY_ASSIGN(output.bytes,
               read_piece(log, serial_log, begin, static_cast<std::size_t>(size - begin)));
    if (!output.bytes.empty()) {
        output.written.value =
            log.info.st_mtim.tv_sec * std::int64_t{1000} + log.info.st_mtim.tv_nsec / 1000000;
    }
    return output;
}

Result<ConsolePiece> read_console_from(const std::string& serial_log, std::uint64_t from,
                                       std::size_t limit) {
    TRY_ASSIGN(const OpenLog log, open_log(serial_log, O_RDONLY));
    ConsolePiece piece;
    if (!log.fd) {
        return piece;
    }
    const auto size = static_cast<std::uint64_t>(log.info.st_size);
    std::uint64_t begin = from > size ? 0 : from;
    // What bound_console_log() freed is a hole at the beginning.
    const off_t kept = ::lseek(log.fd.get(), static_cast<off_t>(begin), SEEK_DATA);
    begin = kept < 0 ? begin : static_cast<std::uint64_t>(kept);
    const std::size_t length =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - begin, limit));
    TRY_ASSIGN(piece.bytes, read_piece(log, serial_log, begin, length));
    piece.end = begin + piece.bytes.size();
    return piece;
}

Status bound_console_log(const std::string& serial_log) {
    TRY_ASSIGN(const OpenLog log, open_log(serial_log, O_WRONLY));
    constexpr std::uint64_t kStatBlock = 512;
    if (!log.fd ||
        static_cast<std::uint64_t>(log.info.st_blocks) * kStatBlock <= kConsoleLogBytes) {
        return ok();
    }
    const auto size = static_cast<std::uint64_t>(log.info.st_size);
    if (size <= kConsoleLogBytes / 2) {
        return ok();
    }
    if (::fallocate(log.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                    static_cast<off_t>(size - kConsoleLogBytes / 2)) != 0) {
        return Error::from_errno(errno, "free the older part of " + serial_log);
    }
    return ok();
}

}  // namespace kiln::compute
