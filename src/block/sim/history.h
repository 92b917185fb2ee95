// SPDX-License-Identifier: Apache-2.0
// History: one seed's life of a store: processes that work on volumes and end (killed, with the
// power, or in good order) at a random step, the next one recovering what is there. After each
// opening the whole volume is read and judged by its oracle.
//
// The same seed gives the same history, byte for byte. What a process may do is a table of actions
// (actions.cpp); a new kind of work is a new line there. Thread model: one owner thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "block/detail/volume_owner.h"
#include "block/sim/world.h"

namespace kiln::block::sim {

struct HistoryOptions {
    std::uint64_t seed = 1;
    bool verbose = false;  // every step to stdout, as it happens
    // -1: by the seed.
    int faults = -1;
};

struct HistoryReport {
    std::string failure;            // empty: all went well
    std::deque<std::string> steps;  // the last ones
    std::map<std::string, std::uint64_t> counts;
};

HistoryReport run_history(const HistoryOptions& options);

// One process: everything that ends with it.
struct Process {
    Process(io::SimMachine& machine, SimCatalog& catalog, const Geometry& geometry);
    io::SimRng rng;
    io::SimReactor reactor;
    VolumeOwner owner;
    bool alive = true;
    bool recovered = false;
    bool faulty = false;  // operations may fail for no reason of their own
    std::uint64_t steps = 0;
    std::uint64_t last_step = 0;  // the process ends here
};

class History {
  public:
    explicit History(const HistoryOptions& options);
    HistoryReport run();

  private:
    using VolumeRef = std::shared_ptr<SimVolume>;
    struct Action {
        std::string_view name;
        std::uint32_t weight;
        // False: not possible now.
        bool (History::*start)();
    };
    static const Action kActions[];

    // history.cpp
    void run_process();
    void recover();
    void drop_unnamed(std::vector<LayerId> layers, bool dropped);
    void end_process();
    void end_in_order();
    void crash(io::Crash kind);
    void settle_volumes(bool power_lost);
    void fail(std::string what);
    void note(std::string step);
    // A callback of this process: it is dropped once the process is dead.
    template <class F>
    auto mine(F work) {
        return [this, process = process_.get(), work = std::move(work)](auto... args) mutable {
            if (process->alive) {
                work(std::move(args)...);
            }
        };
    }
    bool allowed(const Error& error, bool change) const;

    // actions.cpp
    void act();
    VolumeRef pick(SimVolume::State state);
    bool create_volume();
    bool clone_content();
    bool open_volume();
    bool close_volume();
    bool delete_volume();
    bool delete_content();
    bool write();
    bool zero();
    bool flush();
    bool check_read();
    bool racing_read();
    bool cut();

    void open(const VolumeRef& volume);
    void opened(const VolumeRef& volume, Status status);
    // Reads all of a volume that is quiet, and judges it.
    void verify(const VolumeRef& volume, std::function<void(bool)> then);
    void close(const VolumeRef& volume, std::function<void()> then);
    void seal(const VolumeRef& volume);
    void drop(const LayerId& layer);
    std::pair<std::uint64_t, std::uint64_t> random_cells(const SimVolume& volume, bool blocks);

    const HistoryOptions options_;
    HistoryReport report_;
    io::SimMachine machine_;
    io::SimRandom& random_;
    SimCatalog catalog_;
    Geometry geometry_;
    bool faults_ = false;
    Value next_value_ = 1;
    std::unique_ptr<Process> process_;
};

}  // namespace kiln::block::sim
