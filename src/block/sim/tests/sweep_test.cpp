// SPDX-License-Identifier: Apache-2.0
// A sample of the exhaustive sweep, in the ordinary test run. `make sim` plays all of it.
#include "block/sim/sweep.h"

#include <doctest/doctest.h>

#include "util/log.h"

using namespace kiln;
using namespace kiln::block::sim;

namespace {

// Odd, so that every kind of end comes up.
#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kNth = 1001;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kNth = 101;
#else
constexpr std::uint64_t kNth = 21;
#endif

}  // namespace

TEST_CASE("two operations, ended anywhere or on a full device, break no promise" *
          doctest::test_suite("slow")) {
    set_log_level(LogLevel::off);
    const SweepReport report = sweep({.most_work = 2, .nth = kNth});
    set_log_level(LogLevel::info);
    for (const std::string& failure : report.failures) {
        FAIL_CHECK(failure);
    }
    CHECK(report.sequences == 9 + 81);
    CHECK(report.crashes > 20'000 / kNth);
    CHECK(report.full_disks > 500 / kNth);
}

TEST_CASE("a cut is ended at every one of its steps") {
    set_log_level(LogLevel::off);
    SweepCase one{.work = {Work::cut}, .power = io::SimFate::lost};
    bool reached = true;
    std::uint64_t points = 0;
    for (; reached; ++one.crash_at, ++points) {
        const HistoryReport report = play(one, false, reached);
        REQUIRE_MESSAGE(report.failure.empty(), one.text(), ": ", report.failure);
    }
    set_log_level(LogLevel::info);
    // Two transactions, a new layer's files, the seal.
    CHECK(points > 40);
}
