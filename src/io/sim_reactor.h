// SPDX-License-Identifier: Apache-2.0
// SimReactor: the third backend: one thread, a virtual clock and a SimDisk. Each operation takes
// effect at a random moment after its submission and completes at a random later one, so every
// order that the contract of Io allows comes up for some seed. There are no sockets.
//
// crash() plays the end of the process: operations in flight are done, or cut, or not done; then
// everything fails, and nothing reaches the disk any more. The objects of the dead process are then
// closed and destroyed as usual, which shows besides that they stand a device which fails
// everything. The next process is a new SimReactor on the same SimMachine. Thread model: one owner
// thread, post() and stop() included.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "io/reactor.h"
#include "io/sim_disk.h"

namespace kiln::io {

class SimClock final : public Clock {
  public:
    UnixMillis now() override {
        constexpr std::int64_t kStart = 1'700'000'000'000;
        return UnixMillis{kStart + time_.count() / 1'000'000};
    }
    std::chrono::nanoseconds monotonic() override { return time_; }
    void advance_to(std::chrono::nanoseconds time) { time_ = std::max(time_, time); }

  private:
    std::chrono::nanoseconds time_{0};
};

// What outlives a process: chance, time, the disk, and which boot this is.
struct SimMachine {
    explicit SimMachine(std::uint64_t seed) : random(seed), disk(random) {}
    SimRandom random;
    SimClock clock;
    SimDisk disk;
    std::uint64_t boots = 1;
    std::function<void(const std::string&)> trace;  // empty: nothing is told
    // The process was told that the sync of this file failed.
    std::function<void(const std::string& path)> sync_failed;

    std::string boot_id() const { return "boot-" + std::to_string(boots); }
};

class SimReactor final : public Reactor, public Io, public Scheduler {
  public:
    explicit SimReactor(SimMachine& machine);
    ~SimReactor() override;

    Io& io() override { return *this; }
    Sockets& sockets() override { return *sockets_; }
    Scheduler& scheduler() override { return *this; }
    void run() override;
    void stop() override { stopping_ = true; }
    // Also false as soon as nothing is left to happen. Virtual time never passes the deadline.
    bool run_until(const std::function<bool()>& done, Deadline deadline) override;
    bool on_owner_thread() const override { return running_; }
    std::string_view backend_name() const override { return "simulated"; }

    // One event: a task, a timer, an effect on the disk, or a completion. False: nothing is left.
    bool step();
    // Effects, completions and timers so far: everything that is not a mere task.
    std::uint64_t events() const { return event_count_; }
    void crash(Crash kind);

    void submit(Op op, IoDone done) override;
    void post(Callback<> task) override { tasks_.push_back(std::move(task)); }
    TimerId after(std::chrono::nanoseconds delay, Callback<> task) override;
    void cancel(TimerId timer) override;

  private:
    struct Operation {
        Op op;
        IoDone done;
        std::uint64_t submitted = 0;  // the disk's mark
        std::string path{};           // of a sync
        bool executed = false;
        Result<std::uint64_t> result{0};
    };
    struct Event {
        bool timer = false;
        std::uint64_t id = 0;
    };
    using Moment = std::pair<std::chrono::nanoseconds, std::uint64_t>;

    void schedule(std::chrono::nanoseconds delay, Event event);
    std::chrono::nanoseconds latency();
    void advance(Event event);
    void finish(Operation operation);
    void cut(const Operation& operation);

    SimMachine& machine_;
    std::unique_ptr<Sockets> sockets_;
    std::deque<Callback<>> tasks_;
    std::map<Moment, Event> events_;
    std::map<std::uint64_t, Operation> operations_;
    std::map<std::uint64_t, Callback<>> timers_;
    std::uint64_t next_id_ = 1;
    std::uint64_t event_count_ = 0;
    bool crashed_ = false;
    bool stopping_ = false;
    bool running_ = false;
};

// One operation in words, for traces.
std::string describe(const Op& op);

}  // namespace kiln::io
