// SPDX-License-Identifier: Apache-2.0
// The serial console's log file: what GetConsoleOutput reads (CON-1), and how the file is kept from
// filling the disk. The machine appends to the file at any moment; all functions tolerate that.
// Thread model: pure functions over a file.
#pragma once

#include <cstdint>
#include <string>

#include "util/result.h"
#include "util/time.h"

namespace kiln::compute {

// As much as GetConsoleOutput returns.
inline constexpr std::size_t kConsoleOutputBytes = 64U << 10;
// A log may hold this much before its older part is given back to the file system.
inline constexpr std::uint64_t kConsoleLogBytes = 1U << 20;

struct ConsoleOutput {
    std::string bytes;   // raw, the last 64 KiB at most
    UnixMillis written;  // when the file last changed; 0 when nothing was ever written
};

// A missing file is an empty console.
Result<ConsoleOutput> read_console(const std::string& serial_log);

struct ConsolePiece {
    std::string bytes;
    std::uint64_t end = 0;  // offset behind them: where the next piece begins
};
// At most `limit` bytes from offset `from` on, or from where the file's kept part begins if that is
// later. Nothing when there are no more yet; from the beginning again for an offset behind the end,
// as of a file that was made anew.
Result<ConsolePiece> read_console_from(const std::string& serial_log, std::uint64_t from,
                                       std::size_t limit);

// Frees the blocks of everything but the last kConsoleLogBytes / 2 once more than kConsoleLogBytes
// are allocated. Offsets and size stay, so an append-mode writer needs no notice.
Status bound_console_log(const std::string& serial_log);

}  // namespace kiln::compute
