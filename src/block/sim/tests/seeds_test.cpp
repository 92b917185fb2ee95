// SPDX-License-Identifier: Apache-2.0
// The seeds that are kept (seeds.txt).
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "block/sim/history.h"
#include "util/log.h"

using namespace kiln;
using namespace kiln::block::sim;

TEST_CASE("the seeds that are kept pass") {
    set_log_level(LogLevel::off);
    std::ifstream file(KILN_SIM_SEEDS);
    REQUIRE(file);
    std::uint64_t played = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        HistoryOptions options;
        std::istringstream words(line);
        std::string kind;
        REQUIRE_MESSAGE((words >> options.seed >> kind), line);
        options.faults = kind == "faults" ? 1 : -1;
        options.damage = kind == "damage" ? 1 : -1;
        const HistoryReport report = run_history(options);
        CHECK_MESSAGE(report.failure.empty(), line, ": ", report.failure);
        ++played;
    }
    set_log_level(LogLevel::info);
    CHECK(played > 0);
}
