// SPDX-License-Identifier: Apache-2.0
// What tests of io and block share: a temporary directory, a reactor to drive, and waiting for one
// completion. Thread model: one owner thread.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "io/reactor.h"
#include "io/sim_reactor.h"

namespace kiln::io::testing {

// Nothing in a unit test takes longer; a hang becomes a failure.
inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(20));
}

class TempDir {
  public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "kiln-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

class TestReactor {
  public:
    // Simulated, from this seed.
    explicit TestReactor(std::uint64_t seed)
        : machine_(std::make_unique<SimMachine>(seed)),
          reactor_(std::make_unique<SimReactor>(*machine_)) {}
    explicit TestReactor(std::variant<Backend, std::uint64_t> backend)
        : TestReactor(std::holds_alternative<Backend>(backend)
                          ? TestReactor(std::get<Backend>(backend))
                          : TestReactor(std::get<std::uint64_t>(backend))) {}
    explicit TestReactor(Backend backend = Backend::automatic) : clock_(make_system_clock()) {
        auto reactor = Reactor::create(backend, *clock_);
        REQUIRE_MESSAGE(reactor, reactor.error().to_string());
        reactor_ = *std::move(reactor);
    }
    Reactor& operator*() { return *reactor_; }
    Reactor* operator->() { return reactor_.get(); }
    Clock& clock() { return machine_ ? static_cast<Clock&>(machine_->clock) : *clock_; }

    // start(completion) and the value it completes with.
    template <class T, class Start>
    Result<T> await(Start start) {
        auto result = std::make_shared<std::optional<Result<T>>>();
        start(
            Callback<Result<T>>([result](Result<T> value) { result->emplace(std::move(value)); }));
        if (!reactor_->run_until([&] { return result->has_value(); }, soon())) {
            return Error(Code::deadline_exceeded, "no completion");
        }
        return std::move(**result);
    }
    Result<std::uint64_t> run(Op op) {
        return await<std::uint64_t>(
            [&](IoDone done) { reactor_->io().submit(std::move(op), std::move(done)); });
    }
    Result<FileId> open(const std::string& path, OpenMode mode) {
        TRY_ASSIGN(const auto file, run(Op::open(path, mode)));
        return FileId{static_cast<std::int64_t>(file)};
    }

  private:
    std::unique_ptr<Clock> clock_;
    std::unique_ptr<SimMachine> machine_;
    std::unique_ptr<Reactor> reactor_;
};

// Both backends; only threads where the kernel refuses io_uring.
inline std::vector<Backend> backends() {
    auto clock = make_system_clock();
    std::vector<Backend> all{Backend::threads};
    if (Reactor::create(Backend::uring, *clock)) {
        all.push_back(Backend::uring);
    } else {
        MESSAGE("the kernel refuses io_uring: only the thread backend is tested");
    }
    return all;
}

// And the simulated disk, for some seeds: what needs neither threads nor real files.
inline std::vector<std::variant<Backend, std::uint64_t>> disks() {
    std::vector<std::variant<Backend, std::uint64_t>> all;
    for (const Backend backend : backends()) {
        all.emplace_back(backend);
    }
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        all.emplace_back(seed);
    }
    return all;
}

}  // namespace kiln::io::testing
