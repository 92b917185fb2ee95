// SPDX-License-Identifier: Apache-2.0
// What the host can still take (D21): processors are shared freely, memory by the configured
// over-commitment, and never more than is there at that moment. Thread model: functions within a
// transaction.
#pragma once

#include "catalog/store.h"
#include "control/instance_types.h"
#include "control/parts.h"

namespace kiln::control {

// Of the available memory: not given to guests, so that the kernel does not end one of them as soon
// as it has started. Also what MemoryWatch warns of.
inline constexpr std::uint64_t kHostKeepsMib = 128;

// The memory a machine of this type is really given.
std::uint64_t guest_memory_mib(const Settings& settings, const InstanceType& type);

// How many more instances of `type` the host takes, at most `wanted`;
// InsufficientInstanceCapacity when fewer than `least` (RUN-1).
Result<std::size_t> find_capacity(catalog::Transaction& tx, const Parts& parts,
                                  const InstanceType& type, std::size_t least, std::size_t wanted);

}  // namespace kiln::control
