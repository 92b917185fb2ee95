// SPDX-License-Identifier: Apache-2.0
// kiln_sim: runs histories of the crash simulation.
//
//     kiln_sim [--seed N] [--histories M] [--verbose]      M histories, of the seeds N, N+1, ...
//
// A history that fails is told with its seed and its last steps; the exit status is 1 then. One
// thread.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "block/sim/history.h"
#include "util/log.h"

namespace {

constexpr const char* kUsage =
    "usage: kiln_sim [--seed N] [--histories M] [--verbose]\n"
    "\n"
    "Plays M crash histories of the block engine (1000), of the seeds N, N+1, ... (1). Tells each\n"
    "that fails with its seed and its last steps; the exit status is 1 then. One seed always "
    "gives\n"
    "the same history: to see all of it, --seed N --histories 1 --verbose.\n";

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t histories = 1000;
    bool verbose = false;
    bool good = true;
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--verbose") {
            arguments.verbose = true;
        } else if ((word == "--seed" || word == "--histories") && i + 1 < argc) {
            char* end = nullptr;
            const auto number = std::strtoull(argv[++i], &end, 10);
            (word == "--seed" ? arguments.seed : arguments.histories) = number;
            arguments.good = arguments.good && *end == '\0';
        } else {
            arguments.good = false;
        }
    }
    return arguments;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace kiln::block::sim;
    const Arguments arguments = parse(argc, argv);
    if (!arguments.good) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    // Each process ends with every operation failing, which the engine reports.
    kiln::set_log_level(kiln::LogLevel::off);
    std::map<std::string, std::uint64_t> totals;
    std::uint64_t failed = 0;
    for (std::uint64_t i = 0; i < arguments.histories; ++i) {
        const std::uint64_t seed = arguments.seed + i;
        const HistoryReport report = run_history({.seed = seed, .verbose = arguments.verbose});
        for (const auto& [name, count] : report.counts) {
            totals[name] += count;
        }
        if (report.failure.empty()) {
            continue;
        }
        ++failed;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
                    report.failure.c_str());
        for (const std::string& step : report.steps) {
            std::printf("    %s\n", step.c_str());
        }
    }
    for (const auto& [name, count] : totals) {
        std::printf("%s %llu, ", name.c_str(), static_cast<unsigned long long>(count));
    }
    std::printf("\n%llu passed, %llu failed\n",
                static_cast<unsigned long long>(arguments.histories - failed),
                static_cast<unsigned long long>(failed));
    return failed == 0 ? 0 : 1;
}
