// SPDX-License-Identifier: Apache-2.0
// The corpus of the query fuzz target as a plain test, with every operation, and with seeded
// damage.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "util/fs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run_with_every_operation(std::string input) {
    for (int operation = 0; operation < 16; ++operation) {
        input[0] = static_cast<char>(operation);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
}

std::vector<std::string> corpus() {
    std::vector<std::string> inputs;
    for (const auto& file : std::filesystem::directory_iterator(KILN_CORPUS_DIR)) {
        const auto content = kiln::read_file(file.path());
        REQUIRE(content);
        REQUIRE(content->size() > 2);  // two bytes choose the operation
        inputs.push_back(*content);
    }
    return inputs;
}

}  // namespace

TEST_CASE("no input of the corpus, whole or damaged, brings the query parser down") {
    const auto inputs = corpus();
    REQUIRE(inputs.size() >= 5);
    constexpr unsigned kSeed = 20161115;
    std::mt19937 random(kSeed);
    for (const std::string& input : inputs) {
        run_with_every_operation(input);
        for (int round = 0; round < 200; ++round) {
            std::string damaged = input;
            for (int changes = 0; changes < 3; ++changes) {
                const std::size_t at = 2 + random() % (damaged.size() - 2);
                switch (random() % 3) {
                    case 0:
                        damaged[at] = static_cast<char>(random());
                        break;
                    case 1:
                        damaged.erase(at, random() % 4 == 0 ? 8 : 1);
                        break;
                    default:
                        damaged.insert(at, 1, ".&=%+1"[random() % 6]);
                }
                damaged.resize(std::max<std::size_t>(damaged.size(), 3),
                               '&');  // something to damage next time
            }
            run_with_every_operation(damaged);
        }
    }
}
