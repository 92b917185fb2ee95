// SPDX-License-Identifier: Apache-2.0
// Turns, CoreScheduler: several owner threads on the one of the simulation: each runs what was
// posted to it in the order of the posting, and which of them goes next is chance, as with the
// threads of an engine. Thread model: one owner thread. Turns outlives its schedulers.
#pragma once

#include <deque>
#include <vector>

#include "io/sim_reactor.h"

namespace kiln::block::sim {

class Turns {
  public:
    Turns(io::SimReactor& reactor, io::SimRandom& random, std::size_t cores)
        : reactor_(reactor), random_(random), cores_(cores) {}

    io::SimReactor& reactor() { return reactor_; }
    void post(std::size_t core, io::Callback<> task) {
        Core& to = cores_[core];
        to.tasks.push_back(std::move(task));
        if (to.busy) {
            return;
        }
        // Now and then a thread has something else to do, while the others and the disk go on.
        if (cores_.size() > 1 && random_.one_in(kSeldom)) {
            to.busy = true;
            reactor_.after(random_.below(kLong) * std::chrono::microseconds(1),
                           [this, &to] { go_on(to); });
            return;
        }
        reactor_.post([this] { take_one(); });
    }

  private:
    static constexpr std::uint64_t kSeldom = 8;
    static constexpr std::uint64_t kLong = 20000;  // some hundreds of operations of the disk
    struct Core {
        std::deque<io::Callback<>> tasks{};
        bool busy = false;
    };

    void go_on(Core& core) {
        core.busy = false;
        for (std::size_t i = 0; i < core.tasks.size(); ++i) {
            reactor_.post([this] { take_one(); });
        }
    }
    // Finds nothing when who had something became busy.
    void take_one() {
        std::vector<Core*> waiting;
        for (Core& core : cores_) {
            if (!core.tasks.empty() && !core.busy) {
                waiting.push_back(&core);
            }
        }
        if (waiting.empty()) {
            return;
        }
        auto& tasks = waiting[waiting.size() == 1 ? 0 : random_.below(waiting.size())]->tasks;
        io::Callback<> task = std::move(tasks.front());
        tasks.pop_front();
        task();
    }

    io::SimReactor& reactor_;
    io::SimRandom& random_;
    std::vector<Core> cores_;
};

class CoreScheduler final : public io::Scheduler {
  public:
    CoreScheduler(Turns& turns, std::size_t core) : turns_(turns), core_(core) {}
    void post(io::Callback<> task) override { turns_.post(core_, std::move(task)); }
    io::TimerId after(std::chrono::nanoseconds delay, io::Callback<> task) override {
        return turns_.reactor().after(delay, std::move(task));
    }
    void cancel(io::TimerId timer) override { turns_.reactor().cancel(timer); }

  private:
    Turns& turns_;
    const std::size_t core_;
};

}  // namespace kiln::block::sim
