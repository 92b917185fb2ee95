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
        : reactor_(reactor), random_(random), tasks_(cores) {}

    io::SimReactor& reactor() { return reactor_; }
    void post(std::size_t core, io::Callback<> task) {
        tasks_[core].push_back(std::move(task));
        reactor_.post([this] { take_one(); });
    }

  private:
    void take_one() {
        std::vector<std::deque<io::Callback<>>*> waiting;
        for (auto& tasks : tasks_) {
            if (!tasks.empty()) {
                waiting.push_back(&tasks);
            }
        }
        auto& tasks = *waiting[waiting.size() == 1 ? 0 : random_.below(waiting.size())];
        io::Callback<> task = std::move(tasks.front());
        tasks.pop_front();
        task();
    }

    io::SimReactor& reactor_;
    io::SimRandom& random_;
    std::vector<std::deque<io::Callback<>>> tasks_;
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
