// SPDX-License-Identifier: Apache-2.0
// FastRestore: that an account wants volumes of a snapshot restored fast in a zone (FS-1), and the
// credits it has for them (FS-2). It is a record and nothing else: a volume here has no data to
// wait for, whether it was restored fast or not.
//
// What is stored is when it began and when it was ended; the state is a matter of the time that
// has passed since. Times and spans are milliseconds of the service's clock. Thread model: plain
// values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/ids.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class FastRestoreState { enabling, optimizing, enabled, disabling, disabled };
constexpr auto enum_names(FastRestoreState) {
    return std::to_array<EnumName<FastRestoreState>>({{FastRestoreState::enabling, "enabling"},
                                                      {FastRestoreState::optimizing, "optimizing"},
                                                      {FastRestoreState::enabled, "enabled"},
                                                      {FastRestoreState::disabling, "disabling"},
                                                      {FastRestoreState::disabled, "disabled"}});
}

// How long enabling, optimizing and disabling take each: long enough for clients to see them.
inline constexpr std::int64_t kFastRestoreStepMs = 2'000;
// FS-1: for so long a disabled one is still described.
inline constexpr std::int64_t kFastRestoreShownMs = 3'600'000;
inline constexpr std::uint32_t kMaxFastRestoreGib = 16 * 1024;

struct FastRestore {
    AccountId account;  // that enabled it; not always the snapshot's owner
    std::string zone;   // by name
    UnixMillis begun;
    std::optional<UnixMillis> ended;
    // Since when credits were gathered that are not spent; see take_credit().
    UnixMillis credit_since;
    friend bool operator==(const FastRestore&, const FastRestore&) = default;
};

FastRestore begin_fast_restore(AccountId account, std::string zone, UnixMillis now);

// The state, and when each was entered; those that were not, or not yet, are absent.
struct FastRestoreProgress {
    FastRestoreState state = FastRestoreState::enabling;
    UnixMillis enabling;
    std::optional<UnixMillis> optimizing;
    std::optional<UnixMillis> enabled;
    std::optional<UnixMillis> disabling;
    std::optional<UnixMillis> disabled;
};
FastRestoreProgress progress_of(const FastRestore& restore, UnixMillis now);
// Disabled for so long that it is not described any more.
bool is_forgotten(const FastRestore& restore, UnixMillis now);

// FS-2: how many credits there can be, and how long each takes to come.
std::uint32_t credit_capacity(std::uint32_t size_gib);
std::int64_t credit_interval_ms(std::uint32_t size_gib);
std::uint32_t credits_of(const FastRestore& restore, std::uint32_t size_gib, UnixMillis now);
// Takes one, if there is one; whether there was.
bool take_credit(FastRestore& restore, std::uint32_t size_gib, UnixMillis now);

}  // namespace kiln::model
