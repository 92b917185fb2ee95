// SPDX-License-Identifier: Apache-2.0
// What a simulated process does. An action picks its own target by chance, starts, and completes
// some steps later; it is false when there is nothing it could work on. Everything a completion
// does goes through mine(), so that nothing happens after the process is dead.
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::size_t kMostVolumes = 4;
constexpr std::size_t kMostChanges = 24;  // in flight, per volume
constexpr std::uint64_t kCellsPerBlock = kBlockBytes / kCellBytes;

std::string span_text(std::uint64_t first, std::uint64_t count) {
    return std::to_string(first * kCellBytes) + "+" + std::to_string(count * kCellBytes);
}

}  // namespace

const History::Action History::kActions[] = {
    {"create volume", 4, &History::create_volume},
    {"clone content", 8, &History::clone_content},
    {"open volume", 40, &History::open_volume},
    {"close volume", 2, &History::close_volume},
    {"delete volume", 1, &History::delete_volume},
    {"grow volume", 4, &History::grow_volume},
    {"delete snapshot", 3, &History::delete_snapshot},
    {"write", 76, &History::write},
    {"chain of writes", 4, &History::chain},
    {"zero", 25, &History::zero},
    {"flush", 12, &History::flush},
    {"check", 4, &History::check_read},
    {"racing read", 8, &History::racing_read},
    {"stream", 4, &History::stream},
    {"look", 6, &History::look},
    {"cut", 6, &History::cut},
    {"seal", 2, &History::seal},
    {"destage", 16, &History::destage},
    {"cancel destage", 1, &History::cancel_destage},
    {"give up layers", 2, &History::give_up_layers},
    {"merge layers", 12, &History::merge_layers},
    {"gc", 4, &History::collect},
    {"drop layers", 4, &History::drop_layers},
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

VolumeRef History::pick(State state) {
    std::vector<VolumeRef> found;
    for (const auto& [id, volume] : catalog_.volumes) {
        if (volume->state == state && !volume->planned) {
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
    // Sometimes over several pages of the map.
    make_volume(random_.between(4, random_.one_in(6) ? 260 : 48) * kBlockBytes);
    return true;
}

VolumeRef History::make_volume(std::uint64_t size_bytes) {
    auto volume = std::make_shared<SimVolume>();
    volume->id = catalog_.new_id<VolumeId>("vol-");
    volume->size_bytes = size_bytes;
    volume->lineage = {volume->id};
    volume->active = catalog_.new_id<LayerId>("l-");
    note("create " + volume->id.str() + ", " + std::to_string(size_bytes) + " bytes");
    catalog_.volumes[volume->id] = volume;
    return volume;
}

bool History::clone_content() {
    std::vector<const SimContent*> ready;
    for (const auto& [id, content] : catalog_.contents) {
        if (content.named && content.sealed) {
            ready.push_back(&content);
        }
    }
    if (catalog_.volumes.size() >= kMostVolumes || ready.empty()) {
        return false;
    }
    clone(*ready[random_.below(ready.size())],
          random_.one_in(3) ? random_.below(8) * kBlockBytes : 0);
    return true;
}

VolumeRef History::clone(const SimContent& content, std::uint64_t more_bytes) {
    const VolumeRef volume = make_volume(content.record.size_bytes + more_bytes);
    volume->base = content.record.id;
    volume->origin = content.truth;
    volume->doubtful = content.doubtful;
    volume->lineage.insert(content.lineage.begin(), content.lineage.end());
    note("clone " + content.record.id.str() + " as " + volume->id.str());
    return volume;
}

bool History::open_volume() {
    // After a failed sync a layer that is opened anew cannot know what it lost. Until a cut is over
    // the catalog may name a layer that will not have been.
    const VolumeRef volume = pick(State::closed);
    if (!volume || volume->broken || volume->sealing || volume->cuts > 0 ||
        machine_.disk.failed_syncs() > 0) {
        return false;
    }
    open(volume);
    return true;
}

void History::open(const VolumeRef& volume) {
    note("open " + volume->id.str() + " (active " + volume->active.str() + ", base " +
         volume->base.str() + ")");
    volume->state = State::opening;
    process_->open(VolumeSpec{.id = volume->id,
                              .size_bytes = volume->size_bytes,
                              .base = volume->base,
                              .active = volume->active,
                              .create_active = true},
                   mine([this, volume](Status status) { opened(volume, std::move(status)); }));
}

void History::opened(const VolumeRef& volume, Status status) {
    note("opened " + volume->id.str() + ": " + outcome(status));
    if (!status) {
        volume->state = State::closed;
        judge("open " + volume->id.str(), status.error());
        return;
    }
    volume->state = State::verifying;
    verify(volume, [this, volume](bool read) {
        volume->state = State::open;
        if (!read && !volume->oracle) {
            close(volume, [] {});  // nobody knows yet what it holds
        }
    });
}

void History::verify(const VolumeRef& volume, std::function<void(bool)> then) {
    INVARIANT(volume->changes_in_flight == 0);
    volume->reading = true;
    Volume& open = process_->volume(volume->id);
    auto buffer = std::make_shared<io::Buffer>(open.size_bytes());
    const MutableByteView into = buffer->mutable_view();
    open.read(0, into, mine([this, volume, buffer, then = std::move(then)](Status status) {
                  volume->reading = false;
                  if (!status) {
                      note("verify " + volume->id.str() + ": " + outcome(status));
                      judge("read " + volume->id.str(), status.error());
                      // What is written from now on is not on the medium.
                      volume->after_loss = false;
                      then(false);
                      return;
                  }
                  const std::string wrong = verified(volume, buffer->view());
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

// A volume that was never read shows its origin; what that says, nobody may know yet either.
std::string History::verified(const VolumeRef& volume, ByteView bytes) {
    if (!volume->oracle) {
        std::vector<Value> values;
        if (volume->origin && !volume->doubtful) {
            const std::uint64_t size = catalog_.contents.at(volume->base).record.size_bytes;
            std::string wrong = volume->origin->judge(bytes.first(size));
            if (!wrong.empty()) {
                return wrong;
            }
            values = *volume->origin->values;
        }
        values.resize(bytes.size() / kCellBytes, 0);
        volume->oracle.emplace(catalog_.moments, values);
    }
    return volume->doubtful ? implausible(volume->lineage, 0, bytes)
                            : volume->oracle->check(0, bytes, volume->after_loss);
}

bool History::close_volume() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->growing) {
        return false;
    }
    close(volume, [] {});
    return true;
}

void History::close(const VolumeRef& volume, std::function<void()> then) {
    note("close " + volume->id.str());
    volume->state = State::closing;
    process_->close(volume->id, false, mine([this, volume, then = std::move(then)](Status status) {
                        note("closed " + volume->id.str() + ": " + outcome(status));
                        volume->state = State::closed;
                        if (!status) {
                            judge("close " + volume->id.str(), status.error());
                        } else if (volume->oracle) {
                            volume->oracle->flushed(volume->oracle->moment());
                        }
                        then();
                    }));
}

bool History::delete_volume() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->cuts > 0 || volume->broken || volume->growing) {
        return false;
    }
    close(volume, [this, volume] {
        note("delete " + volume->id.str());
        volume->planned = true;
        forget([this, volume] { catalog_.volumes.erase(volume->id); },
               [this, volume] { drop(volume->active); });
    });
    return true;
}

// --- changes ---

// First and count. Half of them whole blocks; most are small, so that they meet.
std::pair<std::uint64_t, std::uint64_t> History::random_cells(const SimVolume& volume,
                                                              bool blocks) {
    const std::uint64_t unit = blocks ? kCellsPerBlock : 1;
    const std::uint64_t size = process_->volume(volume.id).size_bytes();
    const std::uint64_t all = size / kCellBytes / unit;
    const std::uint64_t most = blocks ? (random_.one_in(8) ? 40 : 4) : random_.one_in(4) ? 64 : 6;
    const std::uint64_t first = random_.below(all);
    const std::uint64_t count = random_.between(1, std::min(most, all - first));
    return {first * unit, count * unit};
}

bool History::write() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->changes_in_flight >= kMostChanges) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, random_.one_in(2));
    write_cells(volume, first, count, next_value_++, random_.one_in(8));
    return true;
}

// Writes to any volumes, each begun when the one before was acknowledged.
bool History::chain() {
    chain_on(random_.between(4, 16));
    return true;
}

void History::chain_on(std::uint64_t left) {
    const VolumeRef volume = left > 0 ? pick(State::open) : nullptr;
    if (!volume || volume->reading || volume->changes_in_flight >= kMostChanges) {
        return;
    }
    const auto [first, count] = random_cells(*volume, true);
    write_cells(volume, first, count, next_value_++, false, [this, left] { chain_on(left - 1); });
}

void History::write_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count,
                          Value value, bool durable, io::Callback<> then) {
    auto buffer = std::make_shared<io::Buffer>(count * kCellBytes);
    fill_cells(buffer->mutable_view(), first, value);
    const auto change = volume->oracle->begin(first, count, value);
    writers_.emplace(value, volume->id);
    ++volume->changes_in_flight;
    const std::string what = "write " + std::to_string(value) + " to " + volume->id.str() + " " +
                             span_text(first, count) + (durable ? " durable" : "");
    note(what);
    Volume& open = process_->volume(volume->id);
    open.write(first * kCellBytes, buffer->view(), durable,
               mine([this, volume, buffer, change, durable, what, asked = ask(*volume),
                     then = std::move(then)](Status status) mutable {
                   note(what + ": " + outcome(status));
                   judge_answer(what, asked, status, durable);
                   --volume->changes_in_flight;
                   volume->oracle->end(change, status.has_value(), durable);
                   if (!status) {
                       judge(what, status.error());
                   } else if (then) {
                       then();
                   }
               }));
}

bool History::zero() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->changes_in_flight >= kMostChanges) {
        return false;
    }
    const auto [first, count] = random_cells(*volume, !random_.one_in(4));
    zero_cells(volume, first, count, random_.one_in(8));
    return true;
}

void History::zero_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count,
                         bool durable) {
    const auto change = volume->oracle->begin(first, count, 0);
    ++volume->changes_in_flight;
    const std::string what =
        "zero " + volume->id.str() + " " + span_text(first, count) + (durable ? " durable" : "");
    note(what);
    Volume& open = process_->volume(volume->id);
    open.zero(first * kCellBytes, count * kCellBytes, durable,
              mine([this, volume, change, durable, what, asked = ask(*volume)](Status status) {
                  note(what + ": " + outcome(status));
                  if (durable) {  // zeros where nothing is need no layer
                      judge_answer(what, asked, status, durable);
                  }
                  --volume->changes_in_flight;
                  volume->oracle->end(change, status.has_value(), durable);
                  if (!status) {
                      judge(what, status.error());
                  }
              }));
}

bool History::flush() {
    const VolumeRef volume = pick(State::open);
    if (!volume) {
        return false;
    }
    flush_volume(volume);
    return true;
}

void History::flush_volume(const VolumeRef& volume) {
    const std::uint64_t begun = volume->oracle->moment();
    note("flush " + volume->id.str());
    const Asked asked = ask(*volume);
    process_->volume(volume->id).flush(mine([this, volume, begun, asked](Status status) {
        note("flushed " + volume->id.str() + ": " + outcome(status));
        judge_answer("flush of " + volume->id.str(), asked, status, true);
        if (status) {
            volume->oracle->flushed(begun);
        } else {
            judge("flush " + volume->id.str(), status.error());
        }
    }));
}

bool History::check_read() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->changes_in_flight > 0) {
        return false;
    }
    verify(volume, [](bool) {});
    return true;
}

}  // namespace kiln::block::sim
