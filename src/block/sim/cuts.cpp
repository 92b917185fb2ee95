// SPDX-License-Identifier: Apache-2.0
// Cuts of running volumes (D7, D27), and the sealing that ends a volume.
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::size_t kMostContents = 10;

}  // namespace

bool History::cut() {
    std::vector<VolumeRef> volumes;
    for (const auto& [id, volume] : catalog_.volumes) {
        // Usually one cut of a volume at a time, as whoever uses the engine does it.
        const bool free = volume->cuts == 0 || (!process_->faulty && random_.one_in(2));
        if (volume->state == State::open && !volume->planned && !volume->broken &&
            !volume->growing && free && !random_.one_in(3)) {
            volumes.push_back(volume);
        }
    }
    if (volumes.empty() || catalog_.contents.size() + volumes.size() > kMostContents) {
        return false;
    }
    plan_cut(volumes);
    return true;
}

// Transaction 1: the set, its contents, and the successors as the active layers of all members.
void History::plan_cut(const std::vector<VolumeRef>& volumes) {
    const std::uint64_t number = catalog_.next_set++;
    auto set = std::make_shared<SimSet>();
    set->truth = std::make_shared<CutTruth>(catalog_.moments);
    std::string text = "cut set-" + std::to_string(number) + ":";
    for (const VolumeRef& volume : volumes) {
        volume->planned = true;
        set->truth->add(volume->oracle->watch(0, volume->oracle->cells()));
        set->members.push_back({.volume = volume->id,
                                .content = catalog_.new_id<ContentId>("content-"),
                                .layer = {},
                                .successor = catalog_.new_id<LayerId>("l-")});
        text += " " + volume->id.str() + " as " + set->members.back().content.str();
    }
    note(text);
    catalog_.commit(
        [this, number, set, volumes] {
            for (std::size_t i = 0; i < volumes.size(); ++i) {
                SimVolume& volume = *volumes[i];
                SimSet::Member& member = set->members[i];
                // Only now: a cut before this one may have been taken back meanwhile.
                member.layer = volume.active;
                SimContent content;
                content.record = {.id = member.content,
                                  .parent = volume.base,
                                  .layer = member.layer,
                                  .root_digest = {},
                                  .key_id = {},
                                  .size_bytes = volume.size_bytes};
                content.truth = std::make_shared<ContentTruth>(
                    ContentTruth{.cut = set->truth, .member = i, .doubtful = volume.doubtful});
                content.named = true;
                content.doubtful = volume.doubtful;
                content.lineage = volume.lineage;
                catalog_.contents[member.content] = std::move(content);
                volume.base = member.content;
                volume.active = member.successor;
            }
            catalog_.sets[number] = *set;
        },
        mine([this, number, volumes](Status) { start_cut(number, volumes); }));
}

void History::start_cut(std::uint64_t number, const std::vector<VolumeRef>& volumes) {
    std::vector<CutMember> members;
    for (const SimSet::Member& member : catalog_.sets.at(number).members) {
        members.push_back({member.volume, member.successor, member.content, member.layer});
    }
    for (const VolumeRef& volume : volumes) {
        volume->planned = false;
        ++volume->cuts;
    }
    note("set-" + std::to_string(number) + " is written down");
    process_->group.cut(
        std::move(members), "set-" + std::to_string(number),
        mine([this, number, volumes](CutEnd end) { cut_ended(number, volumes, std::move(end)); }));
}

void History::cut_ended(std::uint64_t number, const std::vector<VolumeRef>& volumes, CutEnd end) {
    const Status& status = end.status;
    note("cut set-" + std::to_string(number) + ": " + outcome(status) +
         (end.happened ? "" : ", not done"));
    SimSet& set = catalog_.sets.at(number);
    set.truth->answered();
    set.promised = status.has_value();
    for (const VolumeRef& volume : volumes) {
        --volume->cuts;
        volume->broken = volume->broken || !status;
        if (status) {
            // Sealed is durable: what had been acknowledged when it was asked for.
            volume->oracle->flushed(set.truth->requested());
        }
    }
    if (!status) {
        judge("cut", status.error());
        if (end.happened) {
            process_->last_step = std::min(process_->last_step, process_->steps + 200);
        } else {
            take_back(number, volumes);
        }
        return;
    }
    catalog_.commit([this, number] { complete_set(number); }, mine([this, number](Status) {
                        ++report_.counts["sets"];
                        note("set-" + std::to_string(number) + " is completed");
                    }));
}

// The set has never been; no stack has a successor. What cannot be dropped goes at the next start.
void History::take_back(std::uint64_t number, const std::vector<VolumeRef>& volumes) {
    for (const VolumeRef& volume : volumes) {
        ++volume->taken_back;
    }
    auto unnamed = std::make_shared<std::vector<LayerId>>();
    catalog_.commit(
        [this, number, volumes, unnamed] {
            const SimSet set = catalog_.sets.at(number);
            catalog_.sets.erase(number);
            for (std::size_t i = 0; i < volumes.size(); ++i) {
                forget_cut(*volumes[i], set.members[i]);
                unnamed->push_back(set.members[i].successor);
            }
        },
        mine([this, number, volumes, unnamed](Status) {
            note("set-" + std::to_string(number) + " is taken back");
            ++report_.counts["sets taken back"];
            for (const LayerId& layer : *unnamed) {
                drop(layer);
            }
            for (const VolumeRef& volume : volumes) {
                volume->broken = --volume->taken_back > 0;
            }
        }));
}

// A later cut that was written down meanwhile stands on what was before this one.
void History::forget_cut(SimVolume& volume, const SimSet::Member& member) {
    const ContentId parent = catalog_.contents.at(member.content).record.parent;
    catalog_.contents.erase(member.content);
    if (volume.base == member.content) {
        volume.active = member.layer;
        volume.base = parent;
        return;
    }
    for (auto& [number, set] : catalog_.sets) {
        for (SimSet::Member& later : set.members) {
            if (later.layer == member.successor) {
                later.layer = member.layer;
                ContentRecord& record = catalog_.contents.at(later.content).record;
                record.layer = member.layer;
                record.parent = parent;
            }
        }
    }
}

// Transaction 2.
void History::complete_set(std::uint64_t number) {
    for (const SimSet::Member& member : catalog_.sets.at(number).members) {
        catalog_.contents.at(member.content).sealed = true;
    }
    catalog_.sets.erase(number);
}

// --- the last cut of a volume, as an import ends ---

bool History::seal() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->reading || volume->changes_in_flight > 0 || volume->cuts > 0 ||
        volume->broken || volume->growing || catalog_.contents.size() >= kMostContents) {
        return false;
    }
    // What is sealed must be known to the byte.
    verify(volume, [this, volume](bool read) {
        if (read && volume->state == State::open && !volume->planned && volume->cuts == 0 &&
            !volume->broken && !volume->growing) {
            seal_volume(volume);
        }
    });
    return true;
}

void History::seal_volume(const VolumeRef& volume) {
    volume->planned = true;
    volume->reading = true;  // nothing is written any more
    const auto content = catalog_.new_id<ContentId>("content-");
    note("seal " + volume->active.str() + " of " + volume->id.str() + " as " + content.str());
    const auto sealed = [this, volume](Status status) {
        note("sealed " + volume->active.str() + ": " + outcome(status));
        volume->state = State::closed;
        volume->broken = !status;  // whether it is sealed after all, recovery finds out
        if (!status) {
            judge("seal " + volume->active.str(), status.error());
            return;
        }
        catalog_.commit([this, volume] { complete_sealing(volume); },
                        mine([this](Status) { ++report_.counts["seals"]; }));
    };
    catalog_.commit([volume, content] { volume->sealing = content; },
                    mine([this, volume, sealed](Status) {
                        volume->state = State::closing;
                        process_->close(volume->id, true, mine(sealed));
                    }));
}

void History::complete_sealing(const VolumeRef& volume) {
    SimContent content;
    content.record = {.id = *volume->sealing,
                      .parent = volume->base,
                      .layer = volume->active,
                      .root_digest = {},
                      .key_id = {},
                      .size_bytes = volume->size_bytes};
    content.truth = std::make_shared<ContentTruth>(
        ContentTruth{.values = volume->oracle->settled(), .doubtful = volume->doubtful});
    content.named = true;
    content.sealed = true;
    content.doubtful = volume->doubtful;
    content.lineage = volume->lineage;
    catalog_.contents[content.record.id] = std::move(content);
    volume->deleted = true;
    catalog_.volumes.erase(volume->id);
}

}  // namespace kiln::block::sim
