// SPDX-License-Identifier: Apache-2.0
#include "control/cuts.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/cut_sets.h"
#include "util/log.h"

namespace kiln::control {
namespace {

// Opening replays at most one journal.
constexpr std::chrono::seconds kOpenTime{60};
// A cut waits for what the guests have in flight and for the device to sync it.
constexpr std::chrono::minutes kCutTime{10};
constexpr std::chrono::seconds kHoldTime{60};

}  // namespace

Result<std::vector<model::Snapshot>> Cuts::cut(const std::vector<model::VolumeId>& volumes,
                                               const Begin& begin, const Also& also) {
    TRY_ASSIGN(const VolumeHold hold, volumes_.hold(volumes, Deadline::after(kHoldTime)));
    auto snapshots = cut_held(hold, volumes, begin, also);
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
                                                    const Begin& begin, const Also& also) {
    for (const model::VolumeId& id : volumes) {
        TRY(volumes_.open_held(hold, id, Deadline::after(kOpenTime)));
    }
    TRY_ASSIGN(const Set set, parts_.store.run([&](catalog::Transaction& tx) {
        return write_pending(tx, volumes, begin, also);
    }));
    block::CutEnd cut =
        parts_.engine.cut_volumes(set.members, set.id.str(), Deadline::after(kCutTime));
    if (!cut.status) {
        TRY(after_failure(set, also, std::move(cut)));
        return set.snapshots;
    }
    const Status completed = parts_.store.run(
        [&](catalog::Transaction& tx) { return complete_set(tx, parts_, set.id); });
    if (!completed) {
        // The cut is on the disk and says so: the next start completes it.
        log_error("snapshots", fmt::format("{} is cut but stays pending: {}", set.id.str(),
                                           completed.error().to_string()));
    }
    return set.snapshots;
}

Result<Cuts::Set> Cuts::write_pending(catalog::Transaction& tx,
                                      const std::vector<model::VolumeId>& volumes,
                                      const Begin& begin, const Also& also) {
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
    if (also.begun) {
        TRY(also.begun(tx, set.snapshots));
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
    return block::CutMember{block_id(volume.id), block_id(successor.id), block_id(content.id),
                            block_id(content.layer)};
}

Status Cuts::after_failure(const Set& set, const Also& also, block::CutEnd cut) {
    Error error = std::move(cut.status).error();
    if (error.code() == Code::deadline_exceeded) {
        // It may still happen. The volumes work on either way; the next start finds out.
        log_error("snapshots", fmt::format("the cut {} hangs and stays pending", set.id.str()));
        return ok();
    }
    if (!cut.happened) {
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            if (also.taken_back) {
                TRY(also.taken_back(tx));
            }
            return take_back(tx, set);
        }),
            "take back " + set.id.str());
        drop_successors(set);
        return error;
    }
    log_error("snapshots", fmt::format("the cut {} failed: {}", set.id.str(), error.to_string()));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        for (const model::Snapshot& snapshot : set.snapshots) {
            TRY(mark_made(tx, snapshot));
        }
        return fail_set(tx, parts_, set.id);
    });
}

// That never were: files that no row names would go at the next start.
void Cuts::drop_successors(const Set& set) {
    for (const block::CutMember& member : set.members) {
        if (const Status dropped =
                parts_.engine.drop_layer(member.successor, Deadline::after(kOpenTime));
            !dropped) {
            log_warn("snapshots", fmt::format("{} is left over: {}", member.successor.str(),
                                              dropped.error().to_string()));
        }
    }
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

}  // namespace kiln::control
