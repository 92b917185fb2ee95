// SPDX-License-Identifier: Apache-2.0
// OutputFile: a file that appears whole or not at all. What is written goes to FILE.part, which
// commit() syncs and renames; until then the destructor, or a signal that ends the process, removes
// it. A lock keeps two processes from writing one FILE.part; one left by a kill is written anew.
//
// Errors: already_exists for a file that is there, unless it may be replaced; failed_precondition
// when another process writes it. Thread model: one owner thread, blocking.
#pragma once

#include <memory>
#include <string>

#include "cli/interrupt_guard.h"
#include "util/fs.h"
#include "util/result.h"

namespace kiln::cli {

class OutputFile {
  public:
    // `guard` outlives the file.
    static Result<std::unique_ptr<OutputFile>> create(const std::string& path, bool replace,
                                                      InterruptGuard& guard);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    const std::string& part_path() const { return part_; }
    int fd() const { return fd_.get(); }
    Status commit();

  private:
    OutputFile(std::string path, bool replace, UniqueFd fd, InterruptGuard& guard);

    const std::string path_;
    const std::string part_;
    const bool replace_;
    UniqueFd fd_;
    InterruptGuard& guard_;
    bool committed_ = false;
};

}  // namespace kiln::cli
