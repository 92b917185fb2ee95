// SPDX-License-Identifier: Apache-2.0
// Crash histories from seeds, in the ordinary test run. `make sim` runs more of them.
#include "block/sim/history.h"

#include <doctest/doctest.h>

#include "util/log.h"

using namespace kiln;
using namespace kiln::block::sim;

namespace {

// Those with sanitizers take many times as long and come on top of the others.
#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kHistories = 120;  // they have one thread, so there is little to see
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kHistories = 400;
#else
constexpr std::uint64_t kHistories = 1200;
#endif

std::string told(std::uint64_t seed, const HistoryReport& report) {
    std::string text = "seed " + std::to_string(seed) + ": " + report.failure;
    for (const std::string& step : report.steps) {
        text += "\n    " + step;
    }
    return text;
}

}  // namespace

TEST_CASE("volumes and snapshots keep their promises through histories of crashes" *
          doctest::test_suite("slow")) {
    // Each process ends with every operation failing, which the engine reports.
    set_log_level(LogLevel::off);
    std::map<std::string, std::uint64_t> totals;
    for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
        const HistoryReport report = run_history({.seed = seed});
        REQUIRE_MESSAGE(report.failure.empty(), told(seed, report));
        for (const auto& [name, count] : report.counts) {
            totals[name] += count;
        }
    }
    set_log_level(LogLevel::info);
    // A simulation that does nothing would pass as well.
    for (const char* name :
         {"write", "zero", "flush", "clone content", "delete volume", "delete snapshot", "kills",
          "power losses", "volumes verified", "contents verified", "racing reads judged", "sets",
          "sets in error", "contents rooted", "packs collected", "packs left", "finales"}) {
        CAPTURE(name);
        CHECK(totals[name] > kHistories / 5);
    }
    for (const char* name : {"stream", "bytes read ahead", "bytes read ahead and used"}) {
        CAPTURE(name);
        CHECK(totals[name] > kHistories);
    }
    for (const char* name :
         {"sets recovered", "sets taken back", "seals", "destages redone", "cancel destage",
          "roots compared", "damages", "errors after damage", "last looks"}) {
        CAPTURE(name);
        CHECK(totals[name] > kHistories / 60);
    }
}

TEST_CASE("a seed gives the same history each time") {
    set_log_level(LogLevel::off);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const HistoryReport first = run_history({.seed = seed});
        const HistoryReport second = run_history({.seed = seed});
        CHECK(first.steps == second.steps);
        CHECK(first.counts == second.counts);
    }
    set_log_level(LogLevel::info);
}
