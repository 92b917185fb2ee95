// SPDX-License-Identifier: Apache-2.0
#include "cli/print.h"

#include <unistd.h>

#include <cstdio>

namespace kiln::cli {

int fail(const Error& error) {
    if (error.has_api_code()) {
        std::fprintf(stderr, "kiln: %s: %s\n", error.api_code().c_str(), error.message().c_str());
    } else {
        std::fprintf(stderr, "kiln: %s\n", error.message().c_str());
    }
    return 1;
}

Progress::Progress(std::string what, std::uint64_t total_bytes)
    : what_(std::move(what)), total_(total_bytes), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (terminal_ && shown_percent_ >= 0) {
        std::fputc('\n', stderr);
    }
}

void Progress::advance(std::uint64_t bytes) {
    done_ += bytes;
    const int percent = total_ == 0 ? 100 : static_cast<int>(done_ * 100 / total_);
    if (terminal_ && percent != shown_percent_) {
        shown_percent_ = percent;
        draw();
    }
}

void Progress::draw() const {
    constexpr int kWidth = 40;
    const int filled = shown_percent_ * kWidth / 100;
    std::fprintf(stderr, "\r%s [%s%s] %3d%%", what_.c_str(),
                 std::string(static_cast<std::size_t>(filled), '#').c_str(),
                 std::string(static_cast<std::size_t>(kWidth - filled), ' ').c_str(),
                 shown_percent_);
    std::fflush(stderr);
}

}  // namespace kiln::cli
