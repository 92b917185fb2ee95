// SPDX-License-Identifier: Apache-2.0
#include "model/fast_restore.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::model;

namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kStep = kFastRestoreStepMs;
const AccountId kAlice("111111111111");

UnixMillis at(std::int64_t ms) {
    return UnixMillis{1'700'000'000'000 + ms};
}

}  // namespace

TEST_CASE("FS-1: a fast restore goes from enabling to enabled as time passes, and says when") {
    const FastRestore restore = begin_fast_restore(kAlice, "us-east-1a", at(0));
    CHECK(progress_of(restore, at(0)).state == FastRestoreState::enabling);
    CHECK_FALSE(progress_of(restore, at(kStep - 1)).optimizing);
    const auto optimizing = progress_of(restore, at(kStep));
    CHECK(optimizing.state == FastRestoreState::optimizing);
    CHECK(optimizing.optimizing == at(kStep));
    CHECK_FALSE(optimizing.enabled);
    const auto enabled = progress_of(restore, at(1'000 * kStep));
    CHECK(enabled.state == FastRestoreState::enabled);
    CHECK(enabled.enabling == at(0));
    CHECK(enabled.enabled == at(2 * kStep));
    CHECK_FALSE(enabled.disabling);
    CHECK_FALSE(is_forgotten(restore, at(1'000'000 * kStep)));
}

TEST_CASE("FS-1: one that is ended early never was enabled, and is forgotten after an hour") {
    FastRestore restore = begin_fast_restore(kAlice, "us-east-1a", at(0));
    restore.ended = at(kStep + 1);
    const auto disabling = progress_of(restore, at(kStep + 1));
    CHECK(disabling.state == FastRestoreState::disabling);
    CHECK_FALSE(disabling.disabled);
    const auto disabled = progress_of(restore, at(10 * kStep));
    CHECK(disabled.state == FastRestoreState::disabled);
    CHECK(disabled.optimizing == at(kStep));
    CHECK_FALSE(disabled.enabled);
    CHECK(disabled.disabling == at(kStep + 1));
    CHECK(disabled.disabled == at(2 * kStep + 1));
    CHECK_FALSE(is_forgotten(restore, at(kFastRestoreShownMs)));
    CHECK(is_forgotten(restore, at(kFastRestoreShownMs + kStep + 1)));
}

TEST_CASE("FS-2: capacity and rate of credits follow from the size") {
    CHECK(credit_capacity(1) == 10);
    CHECK(credit_capacity(102) == 10);
    CHECK(credit_capacity(103) == 9);
    CHECK(credit_capacity(1'024) == 1);
    CHECK(credit_capacity(16'384) == 1);
    CHECK(credit_interval_ms(1) == 6 * kMinute);
    CHECK(credit_interval_ms(256) == 15 * kMinute);
    CHECK(credit_interval_ms(1'024) == 60 * kMinute);
    CHECK(credit_interval_ms(16'384) == 16 * 60 * kMinute);
}

TEST_CASE("FS-2: credits start at none, come with time, are spent one by one, and do not pile up") {
    FastRestore restore = begin_fast_restore(kAlice, "us-east-1a", at(0));
    const std::int64_t enabled = 2 * kStep;
    CHECK_FALSE(take_credit(restore, 1, at(enabled)));
    CHECK_FALSE(take_credit(restore, 1, at(enabled + 6 * kMinute - 1)));
    CHECK(take_credit(restore, 1, at(enabled + 6 * kMinute)));
    CHECK_FALSE(take_credit(restore, 1, at(enabled + 6 * kMinute)));
    CHECK(credits_of(restore, 1, at(enabled + 18 * kMinute)) == 2);
    CHECK(credits_of(restore, 1, at(enabled + 10'000 * kMinute)) == 10);
    const UnixMillis late = at(enabled + 10'000 * kMinute);
    for (int i = 0; i < 10; ++i) {
        CHECK(take_credit(restore, 1, late));
    }
    CHECK_FALSE(take_credit(restore, 1, late));
    CHECK(take_credit(restore, 1, UnixMillis{late.value + 6 * kMinute}));
    restore.ended = UnixMillis{late.value + 100 * kMinute};
    CHECK_FALSE(take_credit(restore, 1, UnixMillis{late.value + 100 * kMinute}));
}
