// SPDX-License-Identifier: Apache-2.0
#include "control/cuts.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/log.h"

namespace kiln::control {
namespace {

// Opening replays at most one journal.
constexpr std::chrono::seconds kOpenTime{60};
// A cut waits for what the guests have in flight and for the device to sync it.
constexpr std::chrono::minutes kCutTime{10};
constexpr std::chrono::seconds kHoldTime{60};

constexpr std::uint32_t kCutButWaiting = 99;  // percent; SNP-3 allows for such a plateau

Result<std::vector<model::Snapshot>> members_of(catalog::Transaction& tx,
                                                const model::SnapshotSetId& set) {
    catalog::SnapshotQuery query;
    query.set = set;
    return tx.snapshots().list(query);
}

Result<std::size_t> layers_to_destage(catalog::Transaction& tx, const model::ContentId& id) {
    TRY_ASSIGN(const auto chain, content_chain(tx, id));
    return static_cast<std::size_t>(
        std::count_if(chain.begin(), chain.end(), [](const model::Content& content) {
            return content.state == model::ContentState::layered;
        }));
}

// The row of a snapshot that was deleted while it was pending (SNP-22).
Status erase(catalog::Transaction& tx, const Parts& parts, const model::Snapshot& snapshot) {
    TRY(tx.snapshots().erase(snapshot.id));
    TRY(tx.tags().erase_resource(snapshot.id.str()));
    return release_content(tx, parts, snapshot.content);
}

// Of a set that is cut: completes it, unless it has to wait.
Status finish(catalog::Transaction& tx, const Parts& parts,
              const std::vector<model::Snapshot>& snapshots) {
    bool waits = false;
    for (const model::Snapshot& snapshot : snapshots) {
        TRY_ASSIGN(const std::size_t layers, layers_to_destage(tx, snapshot.content));
        waits = waits || layers > parts.settings.max_undestaged_layers;
    }
    for (model::Snapshot snapshot : snapshots) {
        if (snapshot.state == model::SnapshotState::deleted) {
            TRY(erase(tx, parts, snapshot));
        } else if (waits) {
            snapshot.progress_percent = kCutButWaiting;
            TRY(tx.snapshots().update(snapshot));
        } else {
            TRY_ASSIGN(snapshot.state,
                       model::next(snapshot.state, model::SnapshotEvent::complete, snapshot.id));
            snapshot.progress_percent = 100;
            snapshot.completed = parts.clock.now();
            TRY(tx.snapshots().update(snapshot));
        }
    }
    return ok();
}

Result<bool> is_cut(catalog::Transaction& tx, const std::vector<model::Snapshot>& snapshots) {
    for (const model::Snapshot& snapshot : snapshots) {
        TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot.content));
        if (content.state == model::ContentState::rooted) {
            continue;
        }
        TRY_ASSIGN(const model::LayerRecord layer, tx.layers().get(content.layer));
        if (layer.state != model::LayerState::sealed) {
            return false;
        }
    }
    return true;
}

Result<std::set<model::SnapshotSetId>> unsettled_sets(catalog::Transaction& tx) {
    catalog::SnapshotQuery query;
    query.states = {model::SnapshotState::pending, model::SnapshotState::deleted};
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list(query));
    std::set<model::SnapshotSetId> sets;
    for (const model::Snapshot& snapshot : snapshots) {
        sets.insert(snapshot.set);
    }
    return sets;
}

// The volume whose writes the successor of this content takes.
Result<std::optional<model::Volume>> volume_on(catalog::Transaction& tx,
                                               const model::Snapshot& snapshot) {
    TRY_ASSIGN(const auto volume, tx.volumes().find(snapshot.volume_id));
    return volume && volume->base_content == snapshot.content ? volume : std::nullopt;
}

Status mark_made(catalog::Transaction& tx, const model::Snapshot& snapshot) {
    TRY_ASSIGN(const auto volume, volume_on(tx, snapshot));
    if (!volume) {
        return ok();
    }
    TRY_ASSIGN(model::LayerRecord successor, tx.layers().get(volume->active_layer));
    if (successor.state == model::LayerState::planned) {
        successor.state = model::LayerState::open;
        TRY(tx.layers().update(successor));
    }
    return ok();
}

}  // namespace

Result<std::vector<model::Snapshot>> Cuts::cut(const std::vector<model::VolumeId>& volumes,
                                               const Begin& begin) {
    TRY_ASSIGN(const VolumeHold hold, volumes_.hold(volumes, Deadline::after(kHoldTime)));
    auto snapshots = cut_held(hold, volumes, begin);
    for (const model::VolumeId& id : volumes) {
        if (const Status closed = volumes_.close_held(hold, id, Deadline::after(kOpenTime));
            !closed) {
            // It is closed all the same, and what it held before the cut was made durable by it.
            log_error("snapshots",
                      fmt::format("closing {}: {}", id.str(), closed.error().to_string()));
        }
    }
    work_added_();
    return snapshots;
}

Result<std::vector<model::Snapshot>> Cuts::cut_held(const VolumeHold& hold,
                                                    const std::vector<model::VolumeId>& volumes,
                                                    const Begin& begin) {
    for (const model::VolumeId& id : volumes) {
        TRY(volumes_.open_held(hold, id, Deadline::after(kOpenTime)));
    }
    TRY_ASSIGN(const Set set, parts_.store.run([&](catalog::Transaction& tx) {
        return write_pending(tx, volumes, begin);
    }));
    Status cut = parts_.engine.cut_volumes(set.members, set.id.str(), Deadline::after(kCutTime));
    if (!cut) {
        TRY(after_failure(set, std::move(cut).error()));
        return set.snapshots;
    }
    const Status completed =
        parts_.store.run([&](catalog::Transaction& tx) { return complete(tx, set.id); });
    if (!completed) {
        // The cut is on the disk and says so: the next start completes it.
        log_error("snapshots", fmt::format("{} is cut but stays pending: {}", set.id.str(),
                                           completed.error().to_string()));
    }
    return set.snapshots;
}

Result<Cuts::Set> Cuts::write_pending(catalog::Transaction& tx,
                                      const std::vector<model::VolumeId>& volumes,
                                      const Begin& begin) {
    Set set;
    set.id = model::make_id<model::SnapshotSetId>(parts_.rng);
    TRY_ASSIGN(set.snapshots, begin(tx));
    const bool same =
        std::equal(volumes.begin(), volumes.end(), set.snapshots.begin(), set.snapshots.end(),
                   [](const auto& id, const auto& snapshot) { return snapshot.volume_id == id; });
    if (!same) {
        return Error(Code::unavailable, "the volumes changed meanwhile");
    }
    for (model::Snapshot& snapshot : set.snapshots) {
        snapshot.set = set.id;
        TRY_ASSIGN(set.members.emplace_back(), write_member(tx, snapshot));
    }
    return set;
}

Result<block::CutMember> Cuts::write_member(catalog::Transaction& tx, model::Snapshot& snapshot) {
    TRY_ASSIGN(model::Volume volume, tx.volumes().get(snapshot.volume_id));
    model::LayerRecord successor;
    successor.id = model::make_id<model::LayerId>(parts_.rng);
    successor.size_bytes = volume.size_gib * kGiB;
    successor.created = snapshot.created;
    TRY(tx.layers().insert(successor));

    model::Content content;
    content.id = model::make_id<model::ContentId>(parts_.rng);
    content.parent = volume.base_content;
    content.layer = volume.active_layer;
    content.size_bytes = successor.size_bytes;
    content.created = snapshot.created;
    TRY(tx.contents().insert(content));

    volume.base_content = content.id;
    volume.active_layer = successor.id;
    TRY(tx.volumes().update(volume));
    snapshot.content = content.id;
    TRY(tx.snapshots().insert(snapshot));
    return block::CutMember{block_id(volume.id), block_id(successor.id), block_id(content.id)};
}

Status Cuts::after_failure(const Set& set, Error error) {
    if (error.code() == Code::deadline_exceeded) {
        // It may still happen. The volumes work on either way; the next start finds out.
        log_error("snapshots", fmt::format("the cut {} hangs and stays pending", set.id.str()));
        return ok();
    }
    TRY_ASSIGN(const bool happened, swapped(set));
    if (!happened) {
        TRY(parts_.store.run([&](catalog::Transaction& tx) { return take_back(tx, set); }),
            "take back " + set.id.str());
        return error;
    }
    log_error("snapshots", fmt::format("the cut {} failed: {}", set.id.str(), error.to_string()));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        for (const model::Snapshot& snapshot : set.snapshots) {
            TRY(mark_made(tx, snapshot));
        }
        return fail(tx, set.id);
    });
}

// Before the instant no volume uses a successor, and dropping one only takes back what the cut had
// prepared; after it all of them are in use.
Result<bool> Cuts::swapped(const Set& set) {
    for (const block::CutMember& member : set.members) {
        Status dropped = parts_.engine.drop_layer(member.successor, Deadline::after(kOpenTime));
        if (dropped) {
            continue;
        }
        if (dropped.error().code() == Code::failed_precondition) {
            return true;
        }
        if (dropped.error().code() == Code::deadline_exceeded) {
            return std::move(dropped).error();
        }
        // Not in use, and not removed either: files that no row names go at the next start.
        log_warn("snapshots", fmt::format("{} is left over: {}", member.successor.str(),
                                          dropped.error().to_string()));
    }
    return false;
}

Status Cuts::take_back(catalog::Transaction& tx, const Set& set) {
    for (const model::Snapshot& snapshot : set.snapshots) {
        TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot.content));
        TRY_ASSIGN(model::Volume volume, tx.volumes().get(snapshot.volume_id));
        TRY(tx.layers().erase(volume.active_layer));
        volume.active_layer = content.layer;
        volume.base_content = content.parent;
        TRY(tx.volumes().update(volume));
        TRY(tx.contents().erase(content.id));
        TRY(tx.snapshots().erase(snapshot.id));
        TRY(tx.tags().erase_resource(snapshot.id.str()));
    }
    return ok();
}

Status Cuts::complete(catalog::Transaction& tx, const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto snapshots, members_of(tx, set));
    for (const model::Snapshot& snapshot : snapshots) {
        TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot.content));
        TRY(mark_sealed(tx, parts_, content.layer));
        TRY(mark_made(tx, snapshot));
        TRY(queue_destage(tx, parts_, content.id));
    }
    return finish(tx, parts_, snapshots);
}

Status Cuts::fail(catalog::Transaction& tx, const model::SnapshotSetId& set) {
    TRY_ASSIGN(auto snapshots, members_of(tx, set));
    for (model::Snapshot& snapshot : snapshots) {
        if (snapshot.state == model::SnapshotState::deleted) {
            TRY(erase(tx, parts_, snapshot));
            continue;
        }
        TRY_ASSIGN(snapshot.state,
                   model::next(snapshot.state, model::SnapshotEvent::fail, snapshot.id));
        snapshot.state_message = "The volumes could not be cut at one instant; try again.";
        // Nothing may be made of it. The volume stands on the content, so it stays.
        const model::ContentId content = std::exchange(snapshot.content, {});
        TRY(tx.snapshots().update(snapshot));
        TRY(queue_destage(tx, parts_, content));
        TRY(release_content(tx, parts_, content));
    }
    return ok();
}

Status Cuts::complete_waiting(catalog::Transaction& tx, const Parts& parts) {
    TRY_ASSIGN(const auto sets, unsettled_sets(tx));
    for (const model::SnapshotSetId& set : sets) {
        TRY_ASSIGN(const auto snapshots, members_of(tx, set));
        TRY_ASSIGN(const bool cut, is_cut(tx, snapshots));
        if (cut) {
            TRY(finish(tx, parts, snapshots));
        }
    }
    return ok();
}

Status Cuts::recover() {
    TRY_ASSIGN(const auto sets,
               parts_.store.read([](catalog::Transaction& tx) { return unsettled_sets(tx); }));
    for (const model::SnapshotSetId& set : sets) {
        TRY(recover_set(set), "settle " + set.str());
    }
    return ok();
}

Result<std::vector<Cuts::Evidence>> Cuts::evidence(const model::SnapshotSetId& set) {
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<std::vector<Evidence>> {
        TRY_ASSIGN(const auto snapshots, members_of(tx, set));
        std::vector<Evidence> members;
        for (const model::Snapshot& snapshot : snapshots) {
            TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot.content));
            Evidence member{content.layer, snapshot.volume_id, content.size_bytes, true};
            if (content.state == model::ContentState::layered) {
                TRY_ASSIGN(const model::LayerRecord layer, tx.layers().get(content.layer));
                member.sealed = layer.state == model::LayerState::sealed;
                member.size_bytes = layer.size_bytes;
            }
            members.push_back(std::move(member));
        }
        return members;
    });
}

Result<bool> Cuts::names_set(const Evidence& member, const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto freeze,
               parts_.engine.freeze_of(block_id(member.layer), Deadline::after(kOpenTime)));
    return freeze.has_value() && freeze->set_id == set.str();
}

// A layer that cannot be sealed is as bad as one that cannot be read: its volume says so when it is
// opened, which tries again. The others go on.
Status Cuts::seal_all(const std::vector<Evidence>& members) {
    for (const Evidence& member : members) {
        const Status sealed = parts_.engine.seal_layer(block_id(member.layer), member.size_bytes,
                                                       Deadline::after(kOpenTime));
        if (!sealed) {
            log_error("snapshots", fmt::format("{} of {} cannot be sealed: {}", member.layer.str(),
                                               member.volume.str(), sealed.error().to_string()));
            continue;
        }
        TRY(parts_.store.run(
            [&](catalog::Transaction& tx) { return mark_sealed(tx, parts_, member.layer); }));
    }
    return ok();
}

// What the swap made, if it came to that, may hold writes: it must not be made afresh. One that was
// cut short while it was made has files too, but no map: it does not exist and is still to be made.
Result<std::vector<model::Snapshot>> Cuts::made_successors(const model::SnapshotSetId& set) {
    std::vector<model::Snapshot> members;
    std::vector<model::LayerId> layers;
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        members.clear();
        layers.clear();
        TRY_ASSIGN(const auto snapshots, members_of(tx, set));
        for (const model::Snapshot& snapshot : snapshots) {
            TRY_ASSIGN(const auto volume, volume_on(tx, snapshot));
            if (volume) {
                members.push_back(snapshot);
                layers.push_back(volume->active_layer);
            }
        }
        return ok();
    }));
    std::vector<model::Snapshot> made;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto freeze =
            parts_.engine.freeze_of(block_id(layers[i]), Deadline::after(kOpenTime));
        if (freeze || freeze.error().code() != Code::not_found) {
            made.push_back(std::move(members[i]));
        }
    }
    return made;
}

Status Cuts::recover_set(const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto members, evidence(set));
    bool known = true;
    bool cut = true;
    for (const Evidence& member : members) {
        if (member.sealed) {
            continue;
        }
        known = false;
        const auto named = names_set(member, set);
        if (!named) {
            log_error("snapshots", fmt::format("{} of {}: {}", member.layer.str(),
                                               member.volume.str(), named.error().to_string()));
        }
        cut = cut && named && *named;
    }
    if (known) {  // transaction 2 was committed, and it waits for destage
        return parts_.store.run(
            [&](catalog::Transaction& tx) { return complete_waiting(tx, parts_); });
    }
    log_info("snapshots", fmt::format("the cut {} was interrupted: {}", set.str(),
                                      cut ? "it is complete" : "it is given up"));
    if (cut) {
        return parts_.store.run([&](catalog::Transaction& tx) { return complete(tx, set); });
    }
    TRY(seal_all(members));
    TRY_ASSIGN(const auto made, made_successors(set));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        for (const model::Snapshot& snapshot : made) {
            TRY(mark_made(tx, snapshot));
        }
        return fail(tx, set);
    });
}

}  // namespace kiln::control
