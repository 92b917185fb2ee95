// SPDX-License-Identifier: Apache-2.0
#include "control/cut_sets.h"

#include <algorithm>

namespace kiln::control {
namespace {

constexpr std::uint32_t kCutButWaiting = 99;  // percent; SNP-3 allows for such a plateau

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

}  // namespace

Result<std::size_t> layers_to_destage(catalog::Transaction& tx, const model::ContentId& id) {
    TRY_ASSIGN(const auto chain, content_chain(tx, id));
    return static_cast<std::size_t>(
        std::count_if(chain.begin(), chain.end(), [](const model::Content& content) {
            return content.state == model::ContentState::layered;
        }));
}

Result<std::vector<model::Snapshot>> members_of(catalog::Transaction& tx,
                                                const model::SnapshotSetId& set) {
    catalog::SnapshotQuery query;
    query.set = set;
    return tx.snapshots().list(query);
}

Result<std::set<model::SnapshotSetId>> unsettled_sets(catalog::Transaction& tx) {
    catalog::SnapshotQuery query;
    query.states = {model::SnapshotState::pending, model::SnapshotState::deleted};
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list(query));
    std::set<model::SnapshotSetId> sets;
    for (const model::Snapshot& snapshot : snapshots) {
        if (!snapshot.set.empty()) {  // one that is uploaded is of no cut
            sets.insert(snapshot.set);
        }
    }
    return sets;
}

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

Status complete_set(catalog::Transaction& tx, const Parts& parts, const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto snapshots, members_of(tx, set));
    for (const model::Snapshot& snapshot : snapshots) {
        TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot.content));
        TRY(mark_sealed(tx, parts, content.layer));
        TRY(mark_made(tx, snapshot));
        TRY(queue_destage(tx, parts, content.id));
    }
    return finish(tx, parts, snapshots);
}

Status fail_set(catalog::Transaction& tx, const Parts& parts, const model::SnapshotSetId& set) {
    TRY_ASSIGN(auto snapshots, members_of(tx, set));
    for (model::Snapshot& snapshot : snapshots) {
        if (snapshot.state == model::SnapshotState::deleted) {
            TRY(erase(tx, parts, snapshot));
            continue;
        }
        TRY_ASSIGN(snapshot.state,
                   model::next(snapshot.state, model::SnapshotEvent::fail, snapshot.id));
        snapshot.state_message = "The volumes could not be cut at one instant; try again.";
        // Nothing may be made of it. The volume stands on the content, so it stays.
        const model::ContentId content = std::exchange(snapshot.content, {});
        TRY(tx.snapshots().update(snapshot));
        TRY(queue_destage(tx, parts, content));
        TRY(release_content(tx, parts, content));
    }
    return ok();
}

Status complete_waiting_sets(catalog::Transaction& tx, const Parts& parts) {
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

}  // namespace kiln::control
