// SPDX-License-Identifier: Apache-2.0
#include "cli/output_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace kiln::cli {
namespace {

Error exists(const std::string& path) {
    return Error(Code::already_exists, path + " exists; --force replaces it");
}

Status check_target(const std::string& path, bool replace) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? ok() : Status(Error::from_errno(errno, "look at " + path));
    }
    if (!S_ISREG(info.st_mode)) {
        return Error(Code::invalid_argument,
                     path + " is not a regular file; give the name of a new file");
    }
    return replace ? ok() : Status(exists(path));
}

// Locked, and still the file of that name: another process may have renamed it in between.
Result<UniqueFd> open_part(const std::string& part) {
    UniqueFd fd(::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!fd) {
        return Error::from_errno(errno, "write " + part);
    }
    struct stat ours {};
    struct stat named {};
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(fd.get(), &ours) != 0 ||
        ::lstat(part.c_str(), &named) != 0 || ours.st_ino != named.st_ino ||
        ours.st_dev != named.st_dev || !S_ISREG(ours.st_mode)) {
        return Error(Code::failed_precondition,
                     part +
                         " is being written by another process; wait for it, or give another "
                         "file name");
    }
    return fd;
}

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::create(const std::string& path, bool replace,
                                                       InterruptGuard& guard) {
    TRY(check_target(path, replace));
    const std::string part = path + ".part";
    TRY_ASSIGN(UniqueFd fd, open_part(part));
    std::unique_ptr<OutputFile> file(new OutputFile(path, replace, std::move(fd), guard));
    guard.add(part);
    if (::ftruncate(file->fd(), 0) != 0) {
        return Error::from_errno(errno, "write " + part);
    }
    return file;
}

OutputFile::OutputFile(std::string path, bool replace, UniqueFd fd, InterruptGuard& guard)
    : path_(std::move(path)),
      part_(path_ + ".part"),
      replace_(replace),
      fd_(std::move(fd)),
      guard_(guard) {}

OutputFile::~OutputFile() {
    if (!committed_) {
        ::unlink(part_.c_str());
    }
    guard_.remove(part_);
}

Status OutputFile::commit() {
    if (::fsync(fd_.get()) != 0) {
        return Error::from_errno(errno, "write " + part_);
    }
    const unsigned flags = replace_ ? 0 : RENAME_NOREPLACE;
    int renamed = ::renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, path_.c_str(), flags);
    if (renamed != 0 && errno == EINVAL) {  // some file systems do not know the flag
        TRY(check_target(path_, replace_));
        renamed = ::rename(part_.c_str(), path_.c_str());
    }
    if (renamed != 0) {
        return errno == EEXIST ? Status(exists(path_))
                               : Status(Error::from_errno(errno, "make " + path_));
    }
    committed_ = true;
    const std::string directory = std::filesystem::path(path_).parent_path().string();
    return sync_directory(directory.empty() ? "." : directory);
}

}  // namespace kiln::cli
