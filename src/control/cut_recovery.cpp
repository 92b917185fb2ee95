// SPDX-License-Identifier: Apache-2.0
#include "control/cut_recovery.h"

#include <fmt/format.h>

#include "control/cut_sets.h"
#include "util/log.h"

namespace kiln::control {
namespace {

// Opening replays at most one journal.
constexpr std::chrono::seconds kOpenTime{60};

// What is known of one layer that a cut meant to seal.
struct Evidence {
    model::LayerId layer;
    model::VolumeId volume;
    std::uint64_t size_bytes = 0;
    bool sealed = false;  // the catalog says so: transaction 2 was committed
};

Result<std::vector<Evidence>> evidence(const Parts& parts, const model::SnapshotSetId& set) {
    return parts.store.read([&](catalog::Transaction& tx) -> Result<std::vector<Evidence>> {
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

Result<bool> names_set(const Parts& parts, const Evidence& member,
                       const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto freeze,
               parts.engine.freeze_of(block_id(member.layer), Deadline::after(kOpenTime)));
    return freeze.has_value() && freeze->set_id == set.str();
}

// A layer that cannot be sealed is as bad as one that cannot be read: its volume says so when it is
// opened, which tries again. The others go on.
Status seal_all(const Parts& parts, const std::vector<Evidence>& members) {
    for (const Evidence& member : members) {
        const Status sealed = parts.engine.seal_layer(block_id(member.layer), member.size_bytes,
                                                      Deadline::after(kOpenTime));
        if (!sealed) {
            log_error("snapshots", fmt::format("{} of {} cannot be sealed: {}", member.layer.str(),
                                               member.volume.str(), sealed.error().to_string()));
            continue;
        }
        TRY(parts.store.run(
            [&](catalog::Transaction& tx) { return mark_sealed(tx, parts, member.layer); }));
    }
    return ok();
}

// What the swap made, if it came to that, may hold writes: it must not be made afresh. One that was
// cut short while it was made has files too, but no map: it does not exist and is still to be made.
Result<std::vector<model::Snapshot>> made_successors(const Parts& parts,
                                                     const model::SnapshotSetId& set) {
    std::vector<model::Snapshot> members;
    std::vector<model::LayerId> layers;
    TRY(parts.store.read([&](catalog::Transaction& tx) -> Status {
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
        const auto freeze = parts.engine.freeze_of(block_id(layers[i]), Deadline::after(kOpenTime));
        if (freeze || freeze.error().code() != Code::not_found) {
            made.push_back(std::move(members[i]));
        }
    }
    return made;
}

Status recover_set(const Parts& parts, const model::SnapshotSetId& set) {
    TRY_ASSIGN(const auto members, evidence(parts, set));
    bool known = true;
    bool cut = true;
    for (const Evidence& member : members) {
        if (member.sealed) {
            continue;
        }
        known = false;
        const auto named = names_set(parts, member, set);
        if (!named) {
            log_error("snapshots", fmt::format("{} of {}: {}", member.layer.str(),
                                               member.volume.str(), named.error().to_string()));
        }
        cut = cut && named && *named;
    }
    if (known) {  // transaction 2 was committed, and it waits for destage
        return parts.store.run(
            [&](catalog::Transaction& tx) { return complete_waiting_sets(tx, parts); });
    }
    log_info("snapshots", fmt::format("the cut {} was interrupted: {}", set.str(),
                                      cut ? "it is complete" : "it is given up"));
    if (cut) {
        return parts.store.run(
            [&](catalog::Transaction& tx) { return complete_set(tx, parts, set); });
    }
    TRY(seal_all(parts, members));
    TRY_ASSIGN(const auto made, made_successors(parts, set));
    return parts.store.run([&](catalog::Transaction& tx) -> Status {
        for (const model::Snapshot& snapshot : made) {
            TRY(mark_made(tx, snapshot));
        }
        return fail_set(tx, parts, set);
    });
}

}  // namespace

Status recover_cuts(const Parts& parts) {
    TRY_ASSIGN(const auto sets,
               parts.store.read([](catalog::Transaction& tx) { return unsettled_sets(tx); }));
    for (const model::SnapshotSetId& set : sets) {
        TRY(recover_set(parts, set), "settle " + set.str());
    }
    return ok();
}

}  // namespace kiln::control
