// SPDX-License-Identifier: Apache-2.0
// Small blocking file helpers for configuration, credentials and run-time records. Disk data goes
// through `io`, not here. Every descriptor is close-on-exec. Thread model: pure functions; UniqueFd
// has one owner.
#pragma once

#include <string>
#include <utility>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln {

class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    ~UniqueFd() { reset(); }
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

// Refuses files longer than `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = 16U << 20);
// Writes a temporary file beside `path`, syncs it, renames it over `path`, syncs the directory:
// after a crash either the old or the new content is there, whole.
Status write_file_atomic(const std::string& path, std::string_view content, unsigned mode = 0644);
Status make_directories(const std::string& path, unsigned mode = 0755);
Status sync_directory(const std::string& path);
// A missing file is not an error.
Status remove_file(const std::string& path);
// An exclusive advisory lock, held until the descriptor closes (also by a kill).
// failed_precondition when another holds it.
Result<UniqueFd> lock_file(const std::string& path);

}  // namespace kiln
