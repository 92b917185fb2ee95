// SPDX-License-Identifier: Apache-2.0
#include "util/fs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "util/write_all.h"

namespace kiln {
namespace {

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void UniqueFd::reset(int fd) {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    fd_ = fd;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    std::string content;
    char buffer[65536];
    while (true) {
        const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "read " + path);
        }
        if (n == 0) {
            return content;
        }
        if (content.size() + static_cast<std::size_t>(n) > limit) {
            return Error(Code::invalid_argument,
                         path + " is longer than " + std::to_string(limit) + " bytes");
        }
        content.append(buffer, static_cast<std::size_t>(n));
    }
}

Status write_file_atomic(const std::string& path, std::string_view content, unsigned mode) {
    const std::string temporary = path + ".new";
    TRY(remove_file(temporary));
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) {
        return Error::from_errno(errno, "create " + temporary);
    }
    TRY(write_all(fd.get(), as_bytes(content), temporary));
    if (::fsync(fd.get()) != 0) {
        return Error::from_errno(errno, "fsync " + temporary);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return Error::from_errno(errno, "rename " + temporary);
    }
    return sync_directory(parent_of(path));
}

Status make_directories(const std::string& path, unsigned mode) {
    if (path.empty() || path == "/" || path == ".") {
        return ok();
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (!S_ISDIR(info.st_mode)) {
            return Error(Code::failed_precondition, path + " exists and is not a directory");
        }
        return ok();
    }
    TRY(make_directories(parent_of(path), mode));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return Error::from_errno(errno, "mkdir " + path);
    }
    return ok();
}

Status sync_directory(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    if (::fsync(fd.get()) != 0) {
        return Error::from_errno(errno, "fsync " + path);
    }
    return ok();
}

Status remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return Error::from_errno(errno, "unlink " + path);
    }
    return ok();
}

Result<UniqueFd> lock_file(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return Error(Code::failed_precondition, path + " is held by another process");
        }
        return Error::from_errno(errno, "lock " + path);
    }
    return fd;
}

}  // namespace kiln
