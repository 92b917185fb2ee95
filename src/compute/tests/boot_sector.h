// SPDX-License-Identifier: Apache-2.0
// The smallest guest: one boot sector that prints to the first serial port and then obeys the
// second sector of its own disk, which the test writes from outside. First byte: 'S' power off, 'R'
// reset (it clears the byte first, through the disk); second byte: 'I' ignore the power button.
// Thread model: pure functions.
#pragma once

#include <span>
#include <string>

namespace kiln::compute::testing {

inline constexpr unsigned kDiskBytes = 1U << 20;
inline constexpr char kSaysUp[] = "GUEST UP\r\n";

// Makes the disk image.
void write_boot_disk(const std::string& path);
// Writes the two command bytes into a disk that may be in use.
void command_guest(const std::string& path, char command, char button);

}  // namespace kiln::compute::testing
