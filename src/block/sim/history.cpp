// SPDX-License-Identifier: Apache-2.0
#include "block/sim/history.h"

#include <cstdio>

namespace kiln::block::sim {
namespace {

constexpr std::size_t kKeptSteps = 60;
// Nothing that was asked for takes more events than this to complete.
constexpr std::uint64_t kPatience = 200'000;

}  // namespace

Process::Process(io::SimMachine& machine, SimCatalog& catalog, const Geometry& geometry)
    : rng(machine.random),
      reactor(machine),
      owner(reactor.sockets(), catalog,
            LayerContext{.io = reactor,
                         .scheduler = reactor,
                         .rng = rng,
                         .directory = "/store",
                         .store_uuid = "simulated-store",
                         .boot_id = machine.boot_id(),
                         .geometry = geometry}) {
    catalog.set_scheduler(reactor);
}

HistoryReport run_history(const HistoryOptions& options) {
    return History(options).run();
}

History::History(const HistoryOptions& options)
    : options_(options),
      machine_(options.seed),
      random_(machine_.random),
      catalog_(machine_.random) {
    geometry_.shard_bytes = random_.one_in(2) ? 32U << 10 : 128U << 10;
    geometry_.page_blocks = 64;
    geometry_.journal_bytes = (8U << 10) << random_.below(4);
    geometry_.journal_first_bytes = 4U << 10 << random_.below(2);
    faults_ = options.faults >= 0 ? options.faults > 0 : random_.one_in(4);
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

// What may go wrong without being a bug: a journal without checkpoints fills up; and whatever the
// device refuses.
bool History::allowed(const Error& error, bool change) const {
    if (error.code() == Code::data_loss || error.code() == Code::invalid_argument) {
        return false;
    }
    return process_->faulty || (change && error.code() == Code::out_of_space);
}

HistoryReport History::run() {
    for (std::uint64_t left = random_.between(3, 8); left > 0 && report_.failure.empty(); --left) {
        run_process();
    }
    return std::move(report_);
}

void History::run_process() {
    process_ = std::make_unique<Process>(machine_, catalog_, geometry_);
    Process& process = *process_;
    process.last_step = random_.one_in(2) ? random_.below(400) : random_.between(200, 1600);
    note("process starts, " + machine_.boot_id());
    recover();
    while (report_.failure.empty() && process.steps < process.last_step) {
        ++process.steps;
        if (process.recovered && random_.one_in(6)) {
            act();
        } else if (!process.reactor.step()) {
            if (!process.recovered) {
                fail("recovery stands still");
            }
            act();
        }
        if (machine_.disk.failed_syncs() > 0) {
            process.last_step = std::min(process.last_step, process.steps + 100);
        }
    }
    end_process();
}

void History::recover() {
    process_->owner.list_layers(mine([this](Result<std::vector<LayerId>> layers) {
        if (!layers) {
            fail("list layers: " + layers.error().to_string());
            return;
        }
        drop_unnamed(*std::move(layers), false);
    }));
}

// D31: files that no row names are unlinked at start.
void History::drop_unnamed(std::vector<LayerId> layers, bool dropped) {
    std::erase_if(layers, [&](const LayerId& layer) { return catalog_.names(layer); });
    if (!layers.empty() && dropped) {
        fail("layer " + layers.front().str() + " is there after it was dropped");
        return;
    }
    if (layers.empty()) {
        process_->recovered = true;
        process_->faulty = faults_ && random_.one_in(2);
        if (process_->faulty) {
            machine_.disk.set_faults(
                {.read_error = 2, .write_error = 2, .sync_error = 2, .no_space = 20});
        }
        note(process_->faulty ? "recovered, with faults" : "recovered");
        return;
    }
    auto join = std::make_shared<std::size_t>(layers.size());
    for (const LayerId& layer : layers) {
        note("recovery drops layer " + layer.str());
        process_->owner.drop_layer(
            layer, mine([this, join](Status status) {
                if (!status) {
                    fail("drop layer: " + status.error().to_string());
                } else if (--*join == 0) {
                    process_->owner.list_layers(mine([this](Result<std::vector<LayerId>> rest) {
                        drop_unnamed(rest ? *std::move(rest) : std::vector<LayerId>{}, true);
                    }));
                }
            }));
    }
}

// --- the end of a process ---

void History::end_process() {
    if (machine_.disk.failed_syncs() > 0) {
        // A sync that failed is not repeated by the kernel, and a new process cannot know of it:
        // only a new boot shows what is left.
        crash(io::Crash::power_loss);
    } else if (random_.one_in(5)) {
        end_in_order();
    } else {
        crash(random_.one_in(2) ? io::Crash::power_loss : io::Crash::process_kill);
    }
    process_.reset();
}

void History::end_in_order() {
    note("process ends in good order");
    machine_.disk.set_faults({});
    for (const auto& [id, volume] : catalog_.volumes) {
        if (volume->state == SimVolume::State::open && !volume->reading) {
            close(volume, [] {});
        }
    }
    std::uint64_t patience = kPatience;
    while (process_->reactor.step()) {
        if (--patience == 0) {
            fail("the process does not come to an end");
            break;
        }
    }
    crash(random_.one_in(2) ? io::Crash::power_loss : io::Crash::process_kill);
}

void History::crash(io::Crash kind) {
    const bool power = kind == io::Crash::power_loss;
    note(power ? "POWER LOSS" : "KILL");
    ++report_.counts[power ? "power losses" : "kills"];
    process_->alive = false;
    process_->reactor.crash(kind);
    bool closed = false;
    process_->owner.close_all([&closed] { closed = true; });
    std::uint64_t patience = kPatience;
    while (process_->reactor.step() && --patience > 0) {
    }
    if (!closed) {
        fail("after the device failed, an operation never completed");
        (void)process_.release();  // cannot be destroyed; the run ends here
    }
    settle_volumes(power);
}

void History::settle_volumes(bool power_lost) {
    for (const auto& [id, volume] : catalog_.volumes) {
        volume->state = SimVolume::State::closed;
        volume->changes_in_flight = 0;
        volume->reading = false;
        if (power_lost) {
            volume->oracle.power_lost();
            volume->after_loss = true;
        } else {
            volume->oracle.process_ended();
        }
    }
}

}  // namespace kiln::block::sim
