// SPDX-License-Identifier: Apache-2.0
// For the tests of the simulated machine: operations that are waited for, and crashes.
#pragma once

#include <doctest/doctest.h>

#include "io/sim_reactor.h"

namespace kiln::io::testing {

inline constexpr std::uint64_t kSeeds = 200;

// A machine, and its present process.
class Bench {
  public:
    explicit Bench(std::uint64_t seed)
        : machine(seed), reactor_(std::make_unique<SimReactor>(machine)) {}

    Result<std::uint64_t> run(Op op) {
        std::optional<Result<std::uint64_t>> result;
        reactor_->submit(std::move(op),
                         [&](Result<std::uint64_t> value) { result.emplace(std::move(value)); });
        REQUIRE(reactor_->run_until([&] { return result.has_value(); }, Deadline::never()));
        return std::move(*result);
    }
    FileId open(const std::string& path, bool create) {
        const auto file = run(Op::open(path, {.write = true, .create = create}));
        return file ? FileId{static_cast<std::int64_t>(*file)} : FileId{};
    }
    // In flight: nobody waits for it.
    void start(Op op) {
        reactor_->submit(std::move(op), [](Result<std::uint64_t>) {});
    }
    void step(std::uint64_t count) {
        for (; count > 0; --count) {
            reactor_->step();
        }
    }
    void crash(Crash kind) {
        reactor_->crash(kind);
        while (reactor_->step()) {
        }
        reactor_ = std::make_unique<SimReactor>(machine);
    }
    // What a new process finds: nothing if the name is gone.
    std::optional<std::string> content(const std::string& path) {
        const FileId file = open(path, false);
        if (!file.valid()) {
            return std::nullopt;
        }
        Bytes bytes(1 << 16);
        const auto got = run(Op::read(file, 0, bytes));
        REQUIRE(got);
        return std::string(as_text(ByteView(bytes).first(*got)));
    }

    SimMachine machine;

  private:
    std::unique_ptr<SimReactor> reactor_;
};

inline const std::string kOld(4096, 'a');
inline const std::string kNew(4096, 'b');

}  // namespace kiln::io::testing
