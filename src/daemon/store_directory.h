// SPDX-License-Identifier: Apache-2.0
// `kiln restore`, `kiln reset` and `kiln fsck`: a data directory made from a backup, one made empty
// again, and one checked. They work on the directory itself, with no service on it: a running one
// holds its lock, which says whose it is. Thread model: one thread, and the one that waits for
// signals.
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

// Checks the store in the directory from end to end, and with `repair` mends what loses nothing
// (control/store_check.h). The exit status: 0 whole, 1 mended, 2 damage is left or it is not known.
struct FsckRequest {
    std::string data_directory;
    bool repair = false;
    bool json = false;
};
int run_fsck(const FsckRequest& request);

}  // namespace kiln::daemon
