// SPDX-License-Identifier: Apache-2.0
#include "block/sim/history.h"

#include <cstdio>

#include "block/layer_name.h"

namespace kiln::block::sim {
namespace {

constexpr std::size_t kKeptSteps = 60;
// Nothing that was asked for takes more events than this to complete.
constexpr std::uint64_t kPatience = 200'000;

std::vector<OwnerGroup::Seat> make_seats(Process& process, SimCatalog& catalog,
                                         const SimSizes& sizes) {
    std::vector<OwnerGroup::Seat> seats;
    for (std::size_t number = 0; number < sizes.owners; ++number) {
        const auto& core = process.cores.emplace_back(
            std::make_unique<Process::Core>(process, number, catalog, sizes));
        seats.push_back({core->owner, core->scheduler});
    }
    return seats;
}

}  // namespace

Process::Core::Core(Process& process, std::size_t number, SimCatalog& catalog,
                    const SimSizes& sizes)
    : scheduler(process.turns, number),
      store(process.images),
      owner(process.shared, number, process.reactor.sockets(), catalog,
            LayerContext{.io = process.reactor,
                         .scheduler = scheduler,
                         .rng = process.rng,
                         .directory = "/store",
                         .store_uuid = "simulated-store",
                         .boot_id = process.boot_id,
                         .geometry = sizes.layers,
                         .space = &process.space},
            ImageSide{store, sizes.trees, sizes.read_ahead}) {}

Process::Process(io::SimMachine& machine, SimCatalog& catalog, const SimSizes& sizes)
    : boot_id(machine.boot_id()),
      rng(machine.random),
      reactor(machine),
      objects(reactor, reactor, {.directory = "/objects", .durable = true, .open_files = 4}),
      remote(objects, reactor, machine.random),
      index(catalog, reactor),
      worker(reactor),
      cache(sizes.cache_bytes),
      images{.objects = remote,
             .index = index,
             .worker = worker,
             .scheduler = reactor,
             .rng = rng,
             .cache = cache,
             .store_uuid = "simulated-store",
             .pack_target_bytes = sizes.pack_bytes},
      shared(sizes.owners),
      turns(reactor, machine.random, sizes.owners),
      group(shared.directory, make_seats(*this, catalog, sizes)) {
    catalog.set_scheduler(reactor);
}

std::string outcome(const Status& status) {
    return status ? "ok" : status.error().to_string();
}

HistoryReport run_history(const HistoryOptions& options) {
    return History(options).run();
}

History::History(const HistoryOptions& options)
    : options_(options),
      machine_(options.seed),
      random_(machine_.random),
      catalog_(machine_.random) {
    Geometry& geometry = sizes_.layers;
    geometry.shard_bytes = random_.one_in(2) ? 32U << 10 : 128U << 10;
    geometry.page_blocks = 64;
    // Rings so small that they are filled, used again and enlarged many times.
    geometry.journal_bytes = (2U << 10) << random_.below(8);
    geometry.journal_first_bytes =
        std::min<std::uint64_t>(geometry.journal_bytes, (2U << 10) << random_.below(8));
    geometry.checkpoint_bytes = 256U << 2 * random_.below(4);
    if (options.seed % 3 == 0) {
        // Such as flushes fill with data.
        geometry.journal_bytes = std::max<std::uint64_t>(geometry.journal_bytes, 64U << 10);
        geometry.checkpoint_bytes = 64U << 10;
    }
    geometry.directory_pages = 1U << random_.below(3);
    geometry.layers_asked = options.seed % 2 == 0 ? 1 : geometry.layers_asked;
    sizes_.owners = 1 + options.seed / 2 % 3;
    // Up to 2 MiB.
    sizes_.trees =
        random_.one_in(2)
            ? ImageGeometry{.chunk_bytes = 4096, .leaf_chunks = 2, .fan_out = 4, .height = 4}
            : ImageGeometry{.chunk_bytes = 16384, .leaf_chunks = 2, .fan_out = 8, .height = 2};
    sizes_.pack_bytes = (8U << 10) << random_.below(4);
    sizes_.cache_bytes = random_.one_in(2) ? 1U << 20 : 16U << 10;
    // A window of a few chunks, and up to most of a volume.
    sizes_.read_ahead = {
        .first_bytes = 16U << 10, .most_bytes = 256U << 10, .slack_bytes = 8U << 10};
    damaging_ = options.damage >= 0 ? options.damage > 0 : random_.one_in(5);
    faults_ = !damaging_ && (options.faults >= 0 ? options.faults > 0 : random_.one_in(4));
    machine_.sync_failed = [this](const std::string& path) { sync_failed(path); };
    if (options_.verbose) {
        machine_.trace = [this](const std::string& text) { note(text); };
    }
}

void History::note(std::string step) {
    if (options_.verbose) {
        std::printf("%6llu %s\n", static_cast<unsigned long long>(process_ ? process_->steps : 0),
                    step.c_str());
    }
    report_.steps.push_back(std::move(step));
    if (report_.steps.size() > kKeptSteps) {
        report_.steps.pop_front();
    }
}

void History::fail(std::string what) {
    if (report_.failure.empty()) {
        note("FAILED: " + what);
        report_.failure = std::move(what);
    }
}

// What may go wrong without being a bug: whatever the device refuses, and with damage nearly all.
bool History::allowed(const Error& error) const {
    if (error.code() == Code::invalid_argument) {
        return false;
    }
    // What a remote store cut short looks like damage.
    const bool loss = error.code() == Code::data_loss && process_->remote.short_answers() == 0;
    return damaged_ || (process_->faulty && !loss);
}

void History::judge(const std::string& what, const Error& error) {
    if (!allowed(error)) {
        fail(what + ": " + error.to_string());
    } else if (damaged_) {
        ++report_.counts["errors after damage"];
    }
}

HistoryReport History::run() {
    for (std::uint64_t left = random_.between(3, 8); left > 0 && report_.failure.empty(); --left) {
        run_process();
    }
    if (report_.failure.empty() && damaged_) {
        last_look();
    } else if (report_.failure.empty() && random_.one_in(3)) {
        finale();
    }
    if (process_ && !process_->alive) {
        (void)process_.release();  // something in it never completed: it cannot be destroyed
    }
    return std::move(report_);
}

void History::start_process() {
    process_ = std::make_unique<Process>(machine_, catalog_, sizes_);
    process_->last_step = random_.one_in(2) ? random_.below(400) : random_.between(200, 2000);
    note("process starts, " + machine_.boot_id());
}

bool History::step() {
    ++process_->steps;
    return report_.failure.empty() && process_->reactor.step();
}

void History::run_process() {
    start_process();
    Process& process = *process_;
    if (recover()) {
        process.recovered = true;
        process.faulty = faults_ && random_.one_in(2);
        if (process.faulty) {
            set_faults();
        }
        note(process.faulty ? "recovered, with faults" : "recovered");
    }
    while (report_.failure.empty() && process.steps < process.last_step) {
        if (process.faulty && random_.one_in(100)) {
            change_space();
        }
        if (damaging_ && random_.one_in(400)) {
            damage();
        }
        if (random_.one_in(6)) {
            ++process.steps;
            act();
        } else if (!step()) {
            act();
        }
        if (machine_.disk.failed_syncs() > 0) {
            process.last_step = std::min(process.last_step, process.steps + 100);
        }
    }
    end_process();
}

void History::set_faults() {
    machine_.disk.set_faults({.read_error = 2, .write_error = 2, .sync_error = 2, .no_space = 20});
    if (random_.one_in(2)) {
        process_->remote.set_faults(
            {.refused = 20, .answer_lost = 40, .late = 60, .cut_short = 10});
    }
}

// Now only the reserve is left, or some blocks beside it, now there is room again.
void History::change_space() {
    process_->room.available =
        random_.one_in(2) ? Process::kEndless : random_.below(16) * kBlockBytes;
    if (!process_->space.measure()) {
        fail("the space cannot be measured");
    }
    note("room for " + std::to_string(process_->room.available / kBlockBytes) + " blocks");
}

// --- failed syncs ---

void History::sync_failed(const std::string& path) {
    if (const auto layer = layer_of_file(path.substr(path.rfind('/') + 1))) {
        process_->unsynced.insert(*layer);
    }
}

History::Asked History::ask(const SimVolume& volume) const {
    if (volume.cuts > 0 || volume.planned || volume.broken) {
        return {};
    }
    return {volume.active, process_->unsynced.contains(volume.active),
            process_->stopped.contains(volume.active)};
}

void History::judge_answer(const std::string& what, const Asked& asked, const Status& status,
                           bool durable) {
    if (asked.active.empty()) {
        return;
    }
    if (status) {
        if (asked.stopped || (durable && asked.unsynced)) {
            fail(what + " is acknowledged, although a sync of " + asked.active.str() + " failed");
        }
    } else if (durable && status.error().code() != Code::out_of_space &&
               process_->unsynced.contains(asked.active)) {
        process_->stopped.insert(asked.active);
        ++report_.counts["layers stopped"];
    }
}

// Until nothing is left to happen.
void History::drain() {
    for (std::uint64_t patience = kPatience; step();) {
        if (--patience == 0) {
            fail("the process does not come to rest");
        }
    }
}

// --- the end of a process ---

void History::end_process() {
    const AheadCounters ahead = process_->cache.ahead();
    report_.counts["bytes read ahead"] += ahead.bytes;
    report_.counts["bytes read ahead and used"] += ahead.used;
    if (machine_.disk.failed_syncs() > 0) {
        // A sync that failed is not repeated by the kernel, and a new process cannot know of it:
        // only a new boot shows what is left.
        crash(io::Crash::power_loss);
    } else if (process_->recovered && random_.one_in(5)) {
        end_in_order();
    } else {
        crash(random_.one_in(2) ? io::Crash::power_loss : io::Crash::process_kill);
    }
}

void History::end_in_order() {
    note("process ends in good order");
    machine_.disk.set_faults({});
    process_->remote.set_faults({});
    for (const auto& [id, volume] : catalog_.volumes) {
        if (volume->state == State::open && !volume->reading && !volume->planned) {
            close(volume, [] {});
        }
    }
    drain();
    crash(random_.one_in(2) ? io::Crash::power_loss : io::Crash::process_kill);
}

void History::crash(io::Crash kind) {
    const bool power = kind == io::Crash::power_loss;
    note(power ? "POWER LOSS" : "KILL");
    ++report_.counts[power ? "power losses" : "kills"];
    process_->alive = false;
    machine_.disk.set_misdirection({});
    process_->reactor.crash(kind);
    catalog_.crash();
    settle_volumes(power);
    bool closed = false;
    process_->group.close_all([&closed] { closed = true; });
    std::uint64_t patience = kPatience;
    while (process_->reactor.step() && --patience > 0) {
    }
    if (!closed) {
        fail("after the device failed, an operation never completed");
    } else {
        process_.reset();
    }
}

void History::settle_volumes(bool power_lost) {
    for (const auto& [id, volume] : catalog_.volumes) {
        volume->state = State::closed;
        volume->changes_in_flight = 0;
        volume->reading = false;
        volume->planned = false;
        volume->broken = false;
        volume->growing = false;
        volume->cuts = 0;
        volume->taken_back = 0;
        if (!volume->oracle) {
            continue;
        }
        if (power_lost) {
            volume->oracle->power_lost();
            volume->after_loss = true;
        } else {
            volume->oracle->process_ended();
        }
    }
    for (auto& [number, set] : catalog_.sets) {
        set.truth->answered();
    }
}

}  // namespace kiln::block::sim
