// SPDX-License-Identifier: Apache-2.0
#include "block/sim/sweep.h"

#include <algorithm>
#include <span>

namespace kiln::block::sim {
namespace {

constexpr const char* kNames[] = {"write",   "subwrite", "trim",   "flush",  "cut",
                                  "destage", "clone",    "delete", "collect"};
constexpr std::size_t kWorks = std::size(kNames);
// The last is one that flushes put data in, and the one before grows to it for that. Only for what
// has a flush.
constexpr std::uint64_t kRings[] = {kSweepRing, 8 << 10, kDataSweepRing};
// Nothing in a case takes longer.
constexpr std::uint64_t kMostPoints = 5000;
constexpr std::optional<io::SimFate> kEnds[] = {std::nullopt, io::SimFate::lost, io::SimFate::kept,
                                                io::SimFate::mixed};

// The number as digits to the base of kWorks.
std::vector<Work> sequence(std::uint64_t number, std::size_t length) {
    std::vector<Work> work;
    for (std::size_t i = 0; i < length; ++i, number /= kWorks) {
        work.push_back(static_cast<Work>(number % kWorks));
    }
    return work;
}

class Sweep {
  public:
    explicit Sweep(const SweepOptions& options) : options_(options) {}

    SweepReport run() {
        std::uint64_t sequences = 1;
        for (std::size_t length = 1; length <= options_.most_work; ++length) {
            sequences *= kWorks;
            for (std::uint64_t number = 0; number < sequences; ++number) {
                const auto work = sequence(number, length);
                ++report_.sequences;
                const bool flushes = std::ranges::find(work, Work::flush) != work.end();
                const std::span<const std::uint64_t> rings(kRings);
                for (const std::uint64_t ring : rings.first(flushes ? rings.size() : 1)) {
                    points({.work = work, .together = false, .first_ring = ring});
                    if (length > 1) {
                        points({.work = work, .together = true, .first_ring = ring});
                    }
                    full_disks({.work = work, .together = false, .first_ring = ring});
                }
            }
        }
        return std::move(report_);
    }

  private:
    // True when the case was reached, or is another one's turn.
    bool one(const SweepCase& which, std::uint64_t& count) {
        if (number_++ % options_.nth != options_.first) {
            return true;
        }
        if (options_.next) {
            options_.next(which);
        }
        bool reached = false;
        const HistoryReport told = play(which, options_.verbose, reached);
        ++count;
        if (!told.failure.empty()) {
            std::string text = which.text() + ": " + told.failure;
            for (const std::string& step : told.steps) {
                text += "\n    " + step;
            }
            report_.failures.push_back(std::move(text));
        }
        return reached;
    }
    void points(SweepCase which) {
        for (bool more = true; more && which.crash_at < kMostPoints; ++which.crash_at) {
            for (const auto& end : kEnds) {
                which.power = end;
                more = one(which, report_.crashes) && more;
            }
        }
    }
    void full_disks(SweepCase which) {
        which.crash_at = kMostPoints;
        bool more = true;
        for (which.full_at = 1; more && which.full_at < kMostPoints; ++which.full_at) {
            for (const bool stays : {false, true}) {
                which.stays_full = stays;
                which.power = kEnds[which.full_at % std::size(kEnds)];
                more = one(which, report_.full_disks) && more;
            }
        }
    }

    const SweepOptions options_;
    SweepReport report_;
    std::uint64_t number_ = 0;
};

}  // namespace

std::string SweepCase::text() const {
    std::string text;
    for (const Work one : work) {
        text += (text.empty() ? ""
                 : together   ? " + "
                              : ", ") +
                std::string(kNames[static_cast<std::size_t>(one)]);
    }
    constexpr const char* kFates[] = {"kept", "lost", "mixed"};
    if (full_at > 0) {
        text += "; full at allocation " + std::to_string(full_at) + (stays_full ? " and on" : "");
    } else {
        text += "; end after event " + std::to_string(crash_at);
    }
    if (first_ring != kSweepRing) {
        text += "; ring of " + std::to_string(first_ring);
    }
    return text +
           (power ? std::string(", power lost, ") + kFates[static_cast<int>(*power)] : ", killed");
}

SweepReport sweep(const SweepOptions& options) {
    return Sweep(options).run();
}

HistoryReport play(const SweepCase& which, bool verbose, bool& reached) {
    return History({.seed = 1, .verbose = verbose, .faults = 0, .damage = 0}).play(which, reached);
}

// --- one case ---

namespace {

// By the numbers in them.
bool later(const ContentId& one, const ContentId& other) {
    const std::string &a = one.str(), &b = other.str();
    return std::pair(a.size(), a) > std::pair(b.size(), b);
}

}  // namespace

// Small, and by nothing but the case: what is played must not depend on a seed.
void History::set_up_sweep(std::uint64_t first_ring) {
    const bool data = first_ring != kSweepRing;
    sizes_.layers = {.shard_bytes = 16 << 10,
                     .page_blocks = 64,
                     .directory_pages = 1,
                     .journal_bytes = data ? kDataSweepRing : 8 << 10,
                     .journal_first_bytes = first_ring,
                     .checkpoint_bytes = data ? kDataSweepRing : 256,
                     .layers_asked = 0};
    sizes_.trees = {.chunk_bytes = 4096, .leaf_chunks = 2, .fan_out = 4, .height = 2};
    sizes_.pack_bytes = 16 << 10;
    sizes_.cache_bytes = 16 << 10;
    start_process();
    process_->last_step = ~0ULL;
    process_->thorough = true;
    process_->recovered = recover();
    constexpr std::uint64_t kBlocks = 8;
    const VolumeRef volume = make_volume(kBlocks * kBlockBytes);
    sweep_volume_ = volume;
    open(volume);
    drain();
    // A tree, a sealed layer over it, and an active one with something in it.
    const std::uint64_t cells = kBlockBytes / kCellBytes;
    write_cells(volume, 0, kBlocks * cells, next_value_++, false);
    drain();
    plan_cut({volume});
    drain();
    destage();
    drain();
    write_cells(volume, 2 * cells, 3 * cells, next_value_++, false);
    drain();
    plan_cut({volume});
    drain();
    if (data) {  // both files of the layer are there, and durable
        write_cells(volume, 0, cells, next_value_++, false);
        drain();
    }
    write_cells(volume, 4 * cells, 2 * cells, next_value_++, true);
    drain();
}

// Until nothing happens any more, or the process is to end. False: it is.
bool History::rest(std::uint64_t until, const std::function<bool()>& done) {
    while (report_.failure.empty() && process_->reactor.events() < until && !done()) {
        if (!step()) {
            return true;
        }
    }
    return report_.failure.empty() && process_->reactor.events() < until;
}

HistoryReport History::play(const SweepCase& which, bool& reached) {
    set_up_sweep(which.first_ring);
    const std::uint64_t until = process_->reactor.events() + which.crash_at;
    if (which.full_at > 0) {
        process_->faulty = true;
        machine_.disk.fill_at(machine_.disk.allocations() + which.full_at,
                              which.stays_full ? ~0ULL : 1);
    }
    const std::uint64_t allocations = machine_.disk.allocations();
    bool alive = which.crash_at > 0;
    for (const Work work : which.work) {
        // What another cut is being written down for begins nothing.
        alive = alive && rest(until, [this] {
                    return !sweep_volume_->planned && sweep_volume_->state == State::open;
                });
        if (alive && sweep_volume_->state == State::open) {
            begin(work);
            alive = which.together || rest(until, [] { return false; });
        }
    }
    alive = alive && rest(until, [] { return false; });
    reached =
        which.full_at > 0 ? machine_.disk.allocations() >= allocations + which.full_at : !alive;
    machine_.disk.fill_at(~0ULL, 0);
    if (report_.failure.empty()) {
        machine_.disk.force_fate(which.power);
        crash(which.power ? io::Crash::power_loss : io::Crash::process_kill);
        machine_.disk.force_fate(std::nullopt);
        finale();
    }
    if (process_ && !process_->alive) {
        (void)process_.release();
    }
    return std::move(report_);
}

void History::begin(Work work) {
    constexpr std::uint64_t kCells = kBlockBytes / kCellBytes;
    const VolumeRef volume = sweep_volume_;
    const SimContent* newest = nullptr;
    for (const auto& [id, content] : catalog_.contents) {
        if (content.named && content.sealed &&
            (newest == nullptr || later(id, newest->record.id))) {
            newest = &content;
        }
    }
    note("WORK " + std::string(kNames[static_cast<std::size_t>(work)]));
    switch (work) {
        case Work::write:
            write_cells(volume, kCells, 4 * kCells, next_value_++, false);
            break;
        case Work::subwrite:
            write_cells(volume, 2 * kCells - 3, 6, next_value_++, false);
            break;
        case Work::trim:
            zero_cells(volume, 3 * kCells, 3 * kCells, false);
            break;
        case Work::flush:
            flush_volume(volume);
            break;
        case Work::cut:
            if (!volume->broken && volume->cuts == 0) {
                plan_cut({volume});
            }
            break;
        case Work::destage:
            destage();
            break;
        case Work::clone:
            if (newest != nullptr) {
                sweep_volume_ = clone(*newest, kBlockBytes);
                open(sweep_volume_);
            }
            break;
        case Work::drop:
            if (newest != nullptr) {
                delete_snapshot(newest->record.id);
            }
            break;
        case Work::collect:
            collect();
            break;
    }
}

}  // namespace kiln::block::sim
