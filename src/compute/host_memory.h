// SPDX-License-Identifier: Apache-2.0
// How much memory guests may be given: what the host has, or the memory limit of the control groups
// (version 1 or 2) this process and its guests are in, whichever is tighter.
// Thread model: plain values, pure functions over /proc and /sys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kiln::compute {

struct HostMemory {
    std::uint64_t total_mib = 0;
    // Without swapping anything out: the kernel's own estimate.
    std::uint64_t available_mib = 0;
    // The tightest limit, when that and not the host's memory is what `available_mib` comes from.
    std::optional<std::uint64_t> group_limit_mib;
};

// Below `root` ("" is the host; tests make a tree of their own). Nothing when the host does not
// tell.
std::optional<HostMemory> read_host_memory(const std::string& root = "");

}  // namespace kiln::compute
