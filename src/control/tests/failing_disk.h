// SPDX-License-Identifier: Apache-2.0
// FailingDisk: files of this process that cannot be written any more, for tests. One owner thread;
// the other threads only see their writes fail.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace kiln::control::testing {

// While it lives, nothing can be written to what this process has open below `directory` with
// `part` in its name: a disk that fails.
class FailingDisk {
  public:
    FailingDisk(const std::string& directory, const std::string& part) {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code error;
            const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
            if (!error && target.starts_with(directory) && target.find(part) != std::string::npos) {
                const int fd = std::stoi(entry.path().filename().string());
                saved_.emplace_back(fd, ::dup(fd));
                const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
                REQUIRE(::dup2(null, fd) == fd);
                ::close(null);
            }
        }
    }
    ~FailingDisk() {
        for (const auto& [fd, file] : saved_) {
            ::dup2(file, fd);
            ::close(file);
        }
    }
    FailingDisk(const FailingDisk&) = delete;
    FailingDisk& operator=(const FailingDisk&) = delete;
    std::size_t files() const { return saved_.size(); }

  private:
    std::vector<std::pair<int, int>> saved_;
};

}  // namespace kiln::control::testing
