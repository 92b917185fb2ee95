// SPDX-License-Identifier: Apache-2.0
// FastLaunch: that an account wants snapshots of a Windows image prepared ahead (FLN-1), how many,
// which there are, and the machines that prepare more of them. It stands with the image, one for
// each account that enabled it; control/fast_launches.h moves it. Times are milliseconds of the
// service's clock. Thread model: plain values and pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class FastLaunchState {
    enabling,
    enabling_failed,
    enabled,
    enabled_failed,
    disabling,
    disabling_failed,
};
constexpr auto enum_names(FastLaunchState) {
    return std::to_array<EnumName<FastLaunchState>>(
        {{FastLaunchState::enabling, "enabling"},
         {FastLaunchState::enabling_failed, "enabling-failed"},
         {FastLaunchState::enabled, "enabled"},
         {FastLaunchState::enabled_failed, "enabled-failed"},
         {FastLaunchState::disabling, "disabling"},
         {FastLaunchState::disabling_failed, "disabling-failed"}});
}

// Snapshots are made and replaced.
constexpr bool prepares(FastLaunchState state) {
    return state == FastLaunchState::enabling || state == FastLaunchState::enabled;
}
// It goes away: no launch uses what is left of it.
constexpr bool ends(FastLaunchState state) {
    return state == FastLaunchState::disabling || state == FastLaunchState::disabling_failed;
}

// One that is launched to prepare a snapshot, from before its launch until that is completed.
struct PreparingMachine {
    std::string token;       // of its launch; names the machine here
    InstanceId instance_id;  // empty: not known to be launched
    SnapshotId snapshot_id;  // empty: not cut
    std::uint32_t cuts = 0;  // how often it was begun
    UnixMillis begun;
    bool given_up = false;  // it is to end, and prepares nothing any more
    friend bool operator==(const PreparingMachine&, const PreparingMachine&) = default;
};

struct FastLaunch {
    AccountId account;  // that enabled it; not always the image's owner
    UnixMillis begun;
    FastLaunchState state = FastLaunchState::enabling;
    std::string reason;            // of the last change of the state
    UnixMillis changed;            // its time
    std::uint32_t target = 0;      // how many snapshots are kept ready
    std::uint32_t parallel = 0;    // how many machines prepare some at the same time
    LaunchTemplateId template_id;  // empty: none
    std::string template_name;
    std::string template_version;  // its number
    bool force = false;            // of its end: snapshots that cannot be deleted are left
    std::vector<SnapshotId> ready{};
    std::vector<PreparingMachine> machines{};
    friend bool operator==(const FastLaunch&, const FastLaunch&) = default;
};

// How many machines prepare something.
inline std::size_t at_work(const FastLaunch& launch) {
    return static_cast<std::size_t>(
        std::count_if(launch.machines.begin(), launch.machines.end(),
                      [](const PreparingMachine& machine) { return !machine.given_up; }));
}

}  // namespace kiln::model
