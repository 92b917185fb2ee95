// SPDX-License-Identifier: Apache-2.0
#include "model/fast_restore.h"

#include <algorithm>
#include <utility>

namespace kiln::model {
namespace {

constexpr std::uint32_t kMostCredits = 10;
constexpr std::uint32_t kCreditGib = 1024;  // that one credit an hour is for
constexpr std::int64_t kHourMs = 3'600'000;

UnixMillis later(UnixMillis time, std::int64_t by_ms) {
    return UnixMillis{time.value + by_ms};
}

// What was gathered beyond the capacity is lost.
UnixMillis gathered_since(const FastRestore& restore, std::uint32_t size_gib, UnixMillis now) {
    const std::int64_t most = credit_capacity(size_gib) * credit_interval_ms(size_gib);
    return std::max(restore.credit_since, later(now, -most));
}

}  // namespace

FastRestore begin_fast_restore(AccountId account, std::string zone, UnixMillis now) {
    FastRestore restore;
    restore.account = std::move(account);
    restore.zone = std::move(zone);
    restore.begun = now;
    restore.credit_since = later(now, 2 * kFastRestoreStepMs);  // none before it is enabled
    return restore;
}

FastRestoreProgress progress_of(const FastRestore& restore, UnixMillis now) {
    FastRestoreProgress progress;
    progress.enabling = restore.begun;
    const UnixMillis until = restore.ended.value_or(now);
    const auto enter = [](FastRestoreProgress& in, std::optional<UnixMillis>& entered,
                          FastRestoreState state, UnixMillis at, UnixMillis limit) {
        if (at <= limit) {
            entered = at;
            in.state = state;
        }
    };
    enter(progress, progress.optimizing, FastRestoreState::optimizing,
          later(restore.begun, kFastRestoreStepMs), until);
    enter(progress, progress.enabled, FastRestoreState::enabled,
          later(restore.begun, 2 * kFastRestoreStepMs), until);
    if (restore.ended) {
        progress.state = FastRestoreState::disabling;
        progress.disabling = *restore.ended;
        enter(progress, progress.disabled, FastRestoreState::disabled,
              later(*restore.ended, kFastRestoreStepMs), now);
    }
    return progress;
}

bool is_forgotten(const FastRestore& restore, UnixMillis now) {
    return restore.ended && later(*restore.ended, kFastRestoreShownMs) <= now;
}

std::uint32_t credit_capacity(std::uint32_t size_gib) {
    return std::clamp(kCreditGib / std::max(size_gib, 1U), 1U, kMostCredits);
}

std::int64_t credit_interval_ms(std::uint32_t size_gib) {
    return std::max(kHourMs / kMostCredits, kHourMs * size_gib / kCreditGib);
}

std::uint32_t credits_of(const FastRestore& restore, std::uint32_t size_gib, UnixMillis now) {
    if (progress_of(restore, now).state != FastRestoreState::enabled) {
        return 0;
    }
    const std::int64_t gathered = now.value - gathered_since(restore, size_gib, now).value;
    return static_cast<std::uint32_t>(std::max<std::int64_t>(gathered, 0) /
                                      credit_interval_ms(size_gib));
}

bool take_credit(FastRestore& restore, std::uint32_t size_gib, UnixMillis now) {
    if (credits_of(restore, size_gib, now) == 0) {
        return false;
    }
    restore.credit_since =
        later(gathered_since(restore, size_gib, now), credit_interval_ms(size_gib));
    return true;
}

}  // namespace kiln::model
