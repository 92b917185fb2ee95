// SPDX-License-Identifier: Apache-2.0
// Which specifications a machine can be made from: the limits of our machine's design and the texts
// that may reach a command line. Every hypervisor checks with this one function first. Thread
// model: pure function.
#pragma once

#include "compute/hypervisor.h"

namespace kiln::compute {

// Root ports of the machine, without the spare ones.
inline constexpr std::size_t kMaxDisks = 32;
inline constexpr std::size_t kMaxNics = 1;
// GRUB's EFI build runs out of memory below this (tried with 128).
inline constexpr std::uint64_t kMinUefiMemoryMib = 256;

// invalid_argument for a specification no machine can be made from.
Status check_spec(const MachineSpec& spec);

}  // namespace kiln::compute
