// SPDX-License-Identifier: Apache-2.0
// What a forked child does between fork and exec. Our process has many threads, so the child may
// use nothing but async-signal-safe calls: no allocation, no locks, no C++ streams, no exceptions.
// Everything is prepared in ChildPlan. Thread model: runs in the forked child alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kiln::compute {

enum class ChildStep : std::uint32_t { descriptors, session, limits, user, reach, execute };
std::string_view to_string(ChildStep step);

// Sent through the status pipe when a step fails. Both ends are the same program, so the layout is
// the compiler's.
struct ChildFailure {
    ChildStep step;
    std::uint32_t index;  // reach: which
    int error;
};

struct ChildPlan {
    const char* program = nullptr;
    char* const* args = nullptr;        // null terminated
    char* const* must_reach = nullptr;  // null terminated
    // Become 0, 1, 2, ... The last two are the hold pipe's reading end and the status pipe's
    // writing end.
    std::span<const int> descriptors;
    std::optional<uid_t> user;
    std::optional<gid_t> extra_group;
    bool keeps_capabilities = false;
    const char* oom_score = nullptr;  // null: as ours
};

[[noreturn]] void run_child(const ChildPlan& plan);

}  // namespace kiln::compute
