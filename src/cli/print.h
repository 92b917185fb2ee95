// SPDX-License-Identifier: Apache-2.0
// How the command line tells errors and progress: on standard error, for a person.
// Thread model: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "util/error.h"

namespace kiln::cli {

// "kiln: InvalidAMIName.Duplicate: AMI name ..."; returns the exit status 1.
int fail(const Error& error);

// A line that is written over, if standard error is a terminal; otherwise nothing.
class Progress {
  public:
    Progress(std::string what, std::uint64_t total_bytes);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void advance(std::uint64_t bytes);

  private:
    void draw() const;
    const std::string what_;
    const std::uint64_t total_;
    const bool terminal_;
    std::uint64_t done_ = 0;
    int shown_percent_ = -1;
};

}  // namespace kiln::cli
