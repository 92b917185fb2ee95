// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "daemon/store_directory.h"

namespace kiln::daemon {
namespace {

constexpr std::size_t kMaxNumber = 32;

// The number is of no use but to people: whether somebody has the store is the lock's to say.
Status sign(int lock) {
    const std::string number = fmt::format("{}\n", ::getpid());
    const bool written =
        ::ftruncate(lock, 0) == 0 &&
        ::pwrite(lock, number.data(), number.size(), 0) == static_cast<ssize_t>(number.size());
    return written ? ok() : Status(Error::from_errno(errno, "write the lock's holder"));
}

std::string holder_of(const std::string& path) {
    const auto text = read_file(path, kMaxNumber);
    int number = 0;
    const bool known =
        text &&
        std::from_chars(text->data(), text->data() + text->size(), number).ec == std::errc();
    return known ? fmt::format(" (process {})", number) : "";
}

Result<UniqueFd> hold(const std::string& data_directory) {
    const std::string path = data_directory + "/lock";
    auto lock = lock_file(path);
    if (!lock) {
        return lock.error().code() == Code::failed_precondition
                   ? Error(Code::failed_precondition,
                           fmt::format("a service{} runs on {}", holder_of(path), data_directory))
                   : std::move(lock).error();
    }
    struct stat info {};
    if (::fstat(lock->get(), &info) != 0 || info.st_nlink == 0) {
        return Error(Code::failed_precondition, path + " was removed by a reset; try again");
    }
    return lock;
}

}  // namespace

Result<UniqueFd> lock_store(const std::string& data_directory) {
    TRY_ASSIGN(UniqueFd lock, hold(data_directory));
    TRY(sign(lock.get()));
    return lock;
}

Status check_unused(const std::string& data_directory) {
    if (::access((data_directory + "/lock").c_str(), F_OK) != 0) {
        return ok();
    }
    TRY_ASSIGN(const UniqueFd lock, hold(data_directory));
    return ok();
}

}  // namespace kiln::daemon
