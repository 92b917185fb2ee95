// SPDX-License-Identifier: Apache-2.0
// kiln_flips: changes one byte of a store at a time and reads all of it.
//
//     kiln_flips [--seed N] [--flips M] [--verbose]        M flips, at places and of bits that N
//     gives
//
// Each must be *detected*, by an error, or *unused*: every byte that is read is right. One that is
// served wrongly is told with its place; the exit status is 1 then. One thread beside the engine's.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "control/flips/flip_store.h"
#include "util/log.h"

namespace {

using namespace kiln::control::flips;

constexpr const char* kUsage =
    "usage: kiln_flips [--seed N] [--flips M] [--verbose]\n"
    "\n"
    "Changes a byte of a small store M times (10000), each time another one, reads all of it, and\n"
    "puts it back. Nothing that is read may be wrong. One seed (1) always gives the same flips.\n";

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t flips = 10000;
    bool verbose = false;
    bool good = true;
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--verbose") {
            arguments.verbose = true;
        } else if ((word == "--seed" || word == "--flips") && i + 1 < argc) {
            char* end = nullptr;
            const auto number = std::strtoull(argv[++i], &end, 10);
            (word == "--seed" ? arguments.seed : arguments.flips) = number;
            arguments.good = arguments.good && *end == '\0';
        } else {
            arguments.good = false;
        }
    }
    return arguments;
}

struct Count {
    std::uint64_t detected = 0;
    std::uint64_t unused = 0;
    std::uint64_t served = 0;
};

// Flips of one part; those of the catalog cost the most, and get the fewest.
std::uint64_t share(Part part, std::uint64_t flips) {
    return part == Part::catalog ? flips / 10 : flips * 9 / 10 / (std::size(kParts) - 1);
}

Count run(FlipStore& store, kiln::io::SimRandom& random, Part part, const Arguments& arguments) {
    Count count;
    const auto& files = store.files(part);
    const std::uint64_t flips = share(part, arguments.flips);
    for (std::uint64_t i = 0; i < flips; ++i) {
        const std::string& file = files[random.below(files.size())];
        const std::uint64_t offset = store.random_place(file, random);
        const auto mask = static_cast<std::uint8_t>(1 + random.below(255));
        const FlipStore::Outcome outcome = store.flip(file, offset, mask);
        const bool served = !outcome.wrong.empty();
        (served ? count.served : outcome.detected ? count.detected : count.unused) += 1;
        if (served || arguments.verbose) {
            std::printf("%s byte %llu ^ %02x: %s\n", file.c_str(),
                        static_cast<unsigned long long>(offset), mask,
                        served             ? outcome.wrong.c_str()
                        : outcome.detected ? outcome.message.c_str()
                                           : "unused");
        }
    }
    return count;
}

int play(const std::string& directory, const Arguments& arguments) {
    const auto store = FlipStore::build(directory, arguments.seed);
    if (const auto whole = store->check(); whole.detected || !whole.wrong.empty()) {
        std::printf("the store as it was built: %s%s\n", whole.message.c_str(),
                    whole.wrong.c_str());
        return 1;
    }
    kiln::io::SimRandom random(arguments.seed + 1);
    std::uint64_t served = 0;
    for (const Part part : kParts) {
        const Count count = run(*store, random, part, arguments);
        std::printf("%-28s %6llu detected, %6llu unused, %llu served\n", name_of(part),
                    static_cast<unsigned long long>(count.detected),
                    static_cast<unsigned long long>(count.unused),
                    static_cast<unsigned long long>(count.served));
        std::fflush(stdout);
        served += count.served;
    }
    std::puts(
        "not tried, because nothing guards it but the device: data of the active layer. Not tried "
        "either: the end of a journal that a kill left unflushed");
    return served == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const Arguments arguments = parse(argc, argv);
    if (!arguments.good) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    kiln::set_log_level(kiln::LogLevel::off);
    const char* temporary = std::getenv("TMPDIR");
    std::string directory =
        std::string(temporary != nullptr ? temporary : "/tmp") + "/kiln-flips-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) {
        std::perror(directory.c_str());
        return 2;
    }
    const int status = play(directory, arguments);
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return status;
}
