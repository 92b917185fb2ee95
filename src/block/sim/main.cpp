// SPDX-License-Identifier: Apache-2.0
// kiln_sim: runs histories of the crash simulation, or its exhaustive sweep.
//
//     kiln_sim [--seed N] [--histories M] [--jobs J] [--verbose]    histories of the seeds N, N+1,
//     ... kiln_sim --sweep LENGTH [--nth K] [--jobs J]                  the sweep (sweep.h)
//
// Each job is a process of its own with every Jth of them: an engine that stops the process is a
// failure like others, told with its seed. The exit status is 1 when something failed. One thread.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "block/sim/sweep.h"
#include "util/log.h"

namespace {

using namespace kiln::block::sim;

constexpr const char* kUsage =
    "usage: kiln_sim [--seed N] [--histories M] [--jobs J] [--verbose]\n"
    "       kiln_sim --sweep LENGTH [--nth K] [--jobs J]\n"
    "\n"
    "Plays M crash histories of the block engine (1000), of the seeds N, N+1, ... (1), or all\n"
    "sequences of up to LENGTH operations with a crash at every point (every Kth case of them), in "
    "J\n"
    "processes (1). Tells each that fails, with its last steps; the exit status is 1 then. One "
    "seed\n"
    "always gives the same history: to see all of it, --seed N --histories 1 --verbose.\n";

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t histories = 1000;
    std::uint64_t sweep = 0;
    std::uint64_t nth = 1;
    std::uint64_t jobs = 1;
    bool verbose = false;
    bool good = true;
};

// What all jobs count, in memory that they share.
struct Totals {
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    char playing[200] = {};  // the seed or case
    std::uint64_t crashes = 0;
    std::uint64_t full_disks = 0;
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    const std::pair<std::string_view, std::uint64_t*> numbers[] = {
        {"--seed", &arguments.seed},   {"--histories", &arguments.histories},
        {"--sweep", &arguments.sweep}, {"--nth", &arguments.nth},
        {"--jobs", &arguments.jobs},
    };
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        bool known = word == "--verbose";
        arguments.verbose = arguments.verbose || known;
        for (const auto& [name, into] : numbers) {
            if (word == name && i + 1 < argc) {
                char* end = nullptr;
                *into = std::strtoull(argv[++i], &end, 10);
                known = *end == '\0';
                break;
            }
        }
        arguments.good = arguments.good && known;
    }
    arguments.good = arguments.good && arguments.jobs >= 1 && arguments.jobs <= 256 &&
                     arguments.nth >= 1 && arguments.sweep <= 4;
    return arguments;
}

void tell(const std::string& text) {
    // In one piece, as other jobs tell things as well.
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void play_next(Totals& totals, const std::string& what) {
    const std::size_t bytes = std::min(what.size(), sizeof(totals.playing) - 1);
    what.copy(totals.playing, bytes);
    totals.playing[bytes] = 0;
}

void play_histories(const Arguments& arguments, std::uint64_t job, Totals& totals) {
    std::map<std::string, std::uint64_t> counts;
    for (std::uint64_t i = job; i < arguments.histories; i += arguments.jobs) {
        const std::uint64_t seed = arguments.seed + i;
        play_next(totals, "seed " + std::to_string(seed));
        const HistoryReport report = run_history({.seed = seed, .verbose = arguments.verbose});
        for (const auto& [name, count] : report.counts) {
            counts[name] += count;
        }
        if (report.failure.empty()) {
            ++totals.passed;
            continue;
        }
        ++totals.failed;
        std::string text = "seed " + std::to_string(seed) + ": " + report.failure + "\n";
        for (const std::string& step : report.steps) {
            text += "    " + step + "\n";
        }
        tell(text);
    }
    std::string text = arguments.jobs > 1 ? "job " + std::to_string(job + 1) + ": " : "";
    for (const auto& [name, count] : counts) {
        text += name + " " + std::to_string(count) + ", ";
    }
    tell(text + "\n");
}

void play_sweep(const Arguments& arguments, std::uint64_t job, Totals& totals) {
    const SweepReport report =
        sweep({.most_work = arguments.sweep,
               .nth = arguments.nth * arguments.jobs,
               .first = arguments.nth * job,
               .verbose = arguments.verbose,
               .next = [&totals](const SweepCase& which) { play_next(totals, which.text()); }});
    totals.crashes = report.crashes;
    totals.full_disks = report.full_disks;
    totals.failed = report.failures.size();
    totals.passed = report.crashes + report.full_disks - totals.failed;
    for (const std::string& failure : report.failures) {
        tell(failure + "\n");
    }
}

void play(const Arguments& arguments, std::uint64_t job, Totals& totals) {
    // Each process ends with every operation failing, which the engine reports.
    kiln::set_log_level(kiln::LogLevel::off);
    if (arguments.sweep > 0) {
        play_sweep(arguments, job, totals);
    } else {
        play_histories(arguments, job, totals);
    }
}

// False: they could not even be started.
bool play_all(const Arguments& arguments, Totals* totals) {
    if (arguments.jobs == 1) {
        play(arguments, 0, totals[0]);
        return true;
    }
    std::vector<pid_t> children;
    for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
        const pid_t child = fork();
        if (child < 0) {
            return false;
        }
        if (child == 0) {
            play(arguments, job, totals[job]);
            _exit(0);
        }
        children.push_back(child);
    }
    for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
        int status = 0;
        if (waitpid(children[job], &status, 0) < 0 || status != 0) {
            ++totals[job].failed;
            tell(std::string(totals[job].playing) + ": the process ended, status " +
                 std::to_string(status) + "\n");
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const Arguments arguments = parse(argc, argv);
    if (!arguments.good) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    void* memory = mmap(nullptr, arguments.jobs * sizeof(Totals), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || !play_all(arguments, static_cast<Totals*>(memory))) {
        std::perror("kiln_sim");
        return 1;
    }
    Totals all;
    for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
        const Totals& totals = static_cast<const Totals*>(memory)[job];
        all.passed += totals.passed;
        all.failed += totals.failed;
        all.crashes += totals.crashes;
        all.full_disks += totals.full_disks;
    }
    if (arguments.sweep > 0) {
        std::printf("%llu ended, %llu on a full device\n",
                    static_cast<unsigned long long>(all.crashes),
                    static_cast<unsigned long long>(all.full_disks));
    }
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(all.passed),
                static_cast<unsigned long long>(all.failed));
    return all.failed == 0 ? 0 : 1;
}
