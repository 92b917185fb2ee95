// SPDX-License-Identifier: Apache-2.0
// What a simulated process does. An action picks its own target by chance, starts, and completes
// some steps later; it is false when there is nothing it could work on. Everything a completion
// does goes through mine(), so that nothing happens after the process is dead.
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::size_t kMostVolumes = 3;
constexpr std::size_t kMostContents = 6;
constexpr std::size_t kMostChanges = 8;  // in flight, per volume
constexpr std::uint64_t kCellsPerBlock = kBlockBytes / kCellBytes;

std::string span_text(std::uint64_t first, std::uint64_t count) {
    return std::to_string(first * kCellBytes) + "+" + std::to_string(count * kCellBytes);
}

std::string outcome(const Status& status) {
    return status ? "ok" : status.error().to_string();
}

}  // namespace

const History::Action History::kActions[] = {
    {"create volume", 4, &History::create_volume},
    {"clone content", 6, &History::clone_content},
    {"open volume", 40, &History::open_volume},
    {"close volume", 2, &History::close_volume},
    {"delete volume", 1, &History::delete_volume},
    {"delete content", 1, &History::delete_content},
    {"write", 80, &History::write},
    {"zero", 25, &History::zero},
    {"flush", 12, &History::flush},
    {"check", 4, &History::check_read},
    {"racing read", 8, &History::racing_read},
    {"cut", 3, &History::cut},
};

void History::act() {
    std::uint64_t total = 0;
    for (const Action& action : kActions) {
        total += action.weight;
    }
    std::uint64_t ticket = random_.below(total);
    for (const Action& action : kActions) {
        if (ticket < action.weight) {
            if ((this->*action.start)()) {
                ++report_.counts[std::string(action.name)];
            }
            return;
        }
        ticket -= action.weight;
    }
}

History::VolumeRef History::pick(SimVolume::State state) {
    std::vector<VolumeRef> found;
    for (const auto& [id, volume] : catalog_.volumes) {
        if (volume->state == state && !volume->deleted) {
            found.push_back(volume);
        }
    }
    return found.empty() ? nullptr : found[random_.below(found.size())];
}

// --- volumes come and go ---

bool History::create_volume() {
    if (catalog_.volumes.size() >= kMostVolumes) {
        return false;
    }
    const std::uint64_t size = random_.between(4, 48) * kBlockBytes;
    auto volume = std::make_shared<SimVolume>(
        SimVolume{.id = VolumeId(catalog_.new_id("vol-")),
                  .size_bytes = size,
                  .base = {},
                  .active = LayerId(catalog_.new_id("l-")),
                  .cut = {},
                  .oracle = Oracle(std::vector<Value>(size / kCellBytes, 0))});
    note("create " + volume->id.str() + ", " + std::to_string(size) + " bytes");
    catalog_.volumes[volume->id] = volume;
    return true;
}

bool History::clone_content() {
    if (catalog_.volumes.size() >= kMostVolumes || catalog_.contents.empty()) {
        return false;
    }
    auto at = catalog_.contents.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(catalog_.contents.size())));
    const SimContent& content = at->second;
    const std::uint64_t more = random_.one_in(3) ? random_.below(8) * kBlockBytes : 0;
    std::vector<Value> values = content.values;
    values.resize((content.record.size_bytes + more) / kCellBytes, 0);
    auto volume =
        std::make_shared<SimVolume>(SimVolume{.id = VolumeId(catalog_.new_id("vol-")),
                                              .size_bytes = content.record.size_bytes + more,
                                              .base = content.record.id,
                                              .active = LayerId(catalog_.new_id("l-")),
                                              .cut = {},
                                              .oracle = Oracle(values)});
    note("clone " + content.record.id.str() + " as " + volume->id.str());
    catalog_.volumes[volume->id] = volume;
    return true;
}

bool History::open_volume() {
    // After a failed sync a layer that is opened anew cannot know what it lost.
    const VolumeRef volume = pick(SimVolume::State::closed);
    if (!volume || machine_.disk.failed_syncs() > 0) {
        return false;
    }
    open(volume);
    return true;
}

void History::open(const VolumeRef& volume) {
    note("open " + volume->id.str() + " (active " + volume->active.str() + ", base " +
         volume->base.str() + ")");
    volume->state = SimVolume::State::opening;
    process_->owner.open(
        VolumeSpec{.id = volume->id,
                   .size_bytes = volume->size_bytes,
                   .base = volume->base,
                   .active = volume->active,
                   .create_active = true},
        mine([this, volume](Status status) { opened(volume, std::move(status)); }));
}

void History::opened(const VolumeRef& volume, Status status) {
    note("opened " + volume->id.str() + ": " + outcome(status));
    if (!status) {
        volume->state = SimVolume::State::closed;
        if (volume->cut && status.error().code() == Code::failed_precondition) {
            complete_cut(catalog_, volume);  // it was sealed before the answer was lost
        } else if (!allowed(status.error(), true)) {
            fail("open " + volume->id.str() + ": " + status.error().to_string());
        }
        return;
    }
    if (volume->cut && volume->cut->sealed) {
        fail("the sealed layer " + volume->active.str() + " was opened for writing");
        return;
    }
    volume->cut.reset();
    volume->state = SimVolume::State::verifying;
    verify(volume,
           [volume](bool read) { volume->state = read ? SimVolume::State::open : volume->state; });
}

void History::verify(const VolumeRef& volume, std::function<void(bool)> then) {
    INVARIANT(volume->changes_in_flight == 0);
    volume->reading = true;
    auto buffer = std::make_shared<io::Buffer>(volume->size_bytes);
    const MutableByteView into = buffer->mutable_view();
    Volume& open = **process_->owner.find(volume->id);
    open.read(0, into, mine([this, volume, buffer, then = std::move(then)](Status status) {
                  volume->reading = false;
                  if (!status) {
                      note("verify " + volume->id.str() + ": " + outcome(status));
                      if (!allowed(status.error(), false)) {
                          fail("read " + volume->id.str() + ": " + status.error().to_string());
                      }
                      volume->state = SimVolume::State::open;
                      // What is written from now on is not on the medium.
                      volume->after_loss = false;
                      then(false);
                      return;
                  }
                  const std::string wrong =
                      volume->oracle.check(0, buffer->view(), volume->after_loss);
                  note("verify " + volume->id.str() + ": " + (wrong.empty() ? "good" : wrong));
                  if (!wrong.empty()) {
                      fail(volume->id.str() + ": " + wrong);
                      return;
                  }
                  volume->after_loss = false;
                  ++report_.counts["volumes verified"];
                  then(true);
              }));
}

bool History::close_volume() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading) {
        return false;
    }
    close(volume, [] {});
    return true;
}

void History::close(const VolumeRef& volume, std::function<void()> then) {
    note("close " + volume->id.str());
    volume->state = SimVolume::State::closing;
    process_->owner.close(
        volume->id, false, mine([this, volume, then = std::move(then)](Status status) {
            note("closed " + volume->id.str() + ": " + outcome(status));
            volume->state = SimVolume::State::closed;
            if (status) {
                volume->oracle.flushed(volume->oracle.moment());
            } else if (!allowed(status.error(), false)) {
                fail("close " + volume->id.str() + ": " + status.error().to_string());
            }
            then();
        }));
}

bool History::delete_volume() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading) {
        return false;
    }
    close(volume, [this, volume] {
        note("delete " + volume->id.str());
        volume->deleted = true;
        catalog_.volumes.erase(volume->id);
        drop(volume->active);
    });
    return true;
}

bool History::delete_content() {
    for (const auto& [id, content] : catalog_.contents) {
        if (!catalog_.in_use(id)) {
            note("delete " + id.str());
            const LayerId layer = content.record.layer;
            catalog_.contents.erase(id);
            drop(layer);
            return true;
        }
    }
    return false;
}

void History::drop(const LayerId& layer) {
    process_->owner.drop_layer(
        layer, mine([this, layer](Status status) {
            note("dropped " + layer.str() + ": " + outcome(status));
            if (!status && !allowed(status.error(), false)) {
                fail("drop " + layer.str() + ": " + status.error().to_string());
            }
        }));
}

// --- changes ---

// First and count. Half of them whole blocks; most are small, so that they meet.
std::pair<std::uint64_t, std::uint64_t> History::random_cells(const SimVolume& volume,
                                                              bool blocks) {
    const std::uint64_t unit = blocks ? kCellsPerBlock : 1;
    const std::uint64_t all = volume.size_bytes / kCellBytes / unit;
    const std::uint64_t most = blocks ? (random_.one_in(8) ? 40 : 4) : random_.one_in(4) ? 200 : 12;
    const std::uint64_t first = random_.below(all);
    const std::uint64_t count = random_.between(1, std::min(most, all - first));
    return {first * unit, count * unit};
}

bool History::write() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading || volume->changes_in_flight >= kMostChanges) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, random_.one_in(2));
    const bool durable = random_.one_in(8);
    const Value value = next_value_++;
    auto buffer = std::make_shared<io::Buffer>(count * kCellBytes);
    fill_cells(buffer->mutable_view(), first, value);
    const auto change = volume->oracle.begin(first, count, value);
    ++volume->changes_in_flight;
    const std::string what = "write " + std::to_string(value) + " to " + volume->id.str() + " " +
                             span_text(first, count) + (durable ? " durable" : "");
    note(what);
    Volume& open = **process_->owner.find(volume->id);
    open.write(first * kCellBytes, buffer->view(), durable,
               mine([this, volume, buffer, change, durable, what](Status status) {
                   note(what + ": " + outcome(status));
                   --volume->changes_in_flight;
                   volume->oracle.end(change, status.has_value(), durable);
                   if (!status && !allowed(status.error(), true)) {
                       fail(what + ": " + status.error().to_string());
                   }
               }));
    return true;
}

bool History::zero() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading || volume->changes_in_flight >= kMostChanges) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, !random_.one_in(4));
    const bool durable = random_.one_in(8);
    const auto change = volume->oracle.begin(first, count, 0);
    ++volume->changes_in_flight;
    const std::string what =
        "zero " + volume->id.str() + " " + span_text(first, count) + (durable ? " durable" : "");
    note(what);
    Volume& open = **process_->owner.find(volume->id);
    open.zero(first * kCellBytes, count * kCellBytes, durable,
              mine([this, volume, change, durable, what](Status status) {
                  note(what + ": " + outcome(status));
                  --volume->changes_in_flight;
                  volume->oracle.end(change, status.has_value(), durable);
                  if (!status && !allowed(status.error(), true)) {
                      fail(what + ": " + status.error().to_string());
                  }
              }));
    return true;
}

bool History::flush() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume) {
        return false;
    }
    const std::uint64_t begun = volume->oracle.moment();
    note("flush " + volume->id.str());
    (*process_->owner.find(volume->id))->flush(mine([this, volume, begun](Status status) {
        note("flushed " + volume->id.str() + ": " + outcome(status));
        if (status) {
            volume->oracle.flushed(begun);
        } else if (!allowed(status.error(), false)) {
            fail("flush " + volume->id.str() + ": " + status.error().to_string());
        }
    }));
    return true;
}

bool History::check_read() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading || volume->changes_in_flight > 0) {
        return false;
    }
    verify(volume, [](bool) {});
    return true;
}

// Concurrent with changes it may see anything; it must complete, and disturb nothing.
bool History::racing_read() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, random_.one_in(2));
    auto buffer = std::make_shared<io::Buffer>(count * kCellBytes);
    const MutableByteView into = buffer->mutable_view();
    (*process_->owner.find(volume->id))
        ->read(first * kCellBytes, into, mine([this, volume, buffer](Status status) {
                   if (!status && !allowed(status.error(), false)) {
                       fail("read " + volume->id.str() + ": " + status.error().to_string());
                   }
               }));
    return true;
}

// --- the cut ---

bool History::cut() {
    const VolumeRef volume = pick(SimVolume::State::open);
    if (!volume || volume->reading || volume->changes_in_flight > 0 ||
        catalog_.contents.size() >= kMostContents) {
        return false;
    }
    // What is sealed must be known to the byte.
    verify(volume, [this, volume](bool read) {
        if (read && volume->state == SimVolume::State::open) {
            seal(volume);
        }
    });
    return true;
}

void History::seal(const VolumeRef& volume) {
    Cut cut{.content = ContentId(catalog_.new_id("content-")),
            .successor = {},
            .values = volume->oracle.settled()};
    if (!random_.one_in(3)) {
        cut.successor = LayerId(catalog_.new_id("l-"));
    }
    note("seal " + volume->active.str() + " of " + volume->id.str() + " as " + cut.content.str());
    volume->cut = std::move(cut);
    volume->state = SimVolume::State::closing;
    process_->owner.close(
        volume->id, true, mine([this, volume](Status status) {
            note("sealed " + volume->active.str() + ": " + outcome(status));
            if (!status) {
                volume->state = SimVolume::State::closed;  // the next opening shows which it is
                if (!allowed(status.error(), false)) {
                    fail("seal " + volume->active.str() + ": " + status.error().to_string());
                }
                return;
            }
            volume->cut->sealed = true;
            // The transaction takes a moment, and the process may end before it.
            process_->reactor.after(std::chrono::microseconds(random_.below(2000)),
                                    mine([this, volume]() {
                                        complete_cut(catalog_, volume);
                                        volume->state = SimVolume::State::closed;
                                    }));
        }));
}

}  // namespace kiln::block::sim
