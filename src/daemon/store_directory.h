// SPDX-License-Identifier: Apache-2.0
// `kiln restore` and `kiln reset`: a data directory made from a backup, and one made empty again.
// Both work on the directory itself, with no service on it: a running one holds its lock, which
// says whose it is.
// Thread model: one thread, and the one that waits for signals.
#pragma once

#include <string>

#include "util/fs.h"
#include "util/result.h"

namespace kiln::daemon {

// While it is there a reset was cut short: no service starts, and the next reset goes on.
inline constexpr char kResetMark[] = "resetting";

// Held until it is given back. failed_precondition, with the number of the process, when another
// has it. Makes DIR/lock.
Result<UniqueFd> lock_store(const std::string& data_directory);
// The same answer, of a directory that may be anybody's: nothing is written.
Status check_unused(const std::string& data_directory);

// Of a backup in `file` ("-": standard input) into a directory that is empty or not there: whole
// and checked, or not at all. The exit status.
int run_restore(const std::string& file, const std::string& data_directory);

// Ends the guests of the store in the directory and removes what the service made there; files of
// others stay. Says what goes, and asks at the terminal unless `sure`. The exit status.
int run_reset(const std::string& data_directory, bool sure);

}  // namespace kiln::daemon
