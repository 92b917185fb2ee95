// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_access.h"

#include <map>

#include "control/api_errors.h"
#include "control/region_settings.h"

namespace kiln::control {
namespace {

// SS-4: those that are public already are hidden, and come back.
Result<bool> may_be_public(catalog::Transaction& tx, const model::Snapshot& snapshot) {
    TRY_ASSIGN(const auto settings, region_settings(tx, snapshot.owner_id, snapshot.region));
    return settings.snapshot_access != model::SnapshotBlockPublicAccess::block_all_sharing;
}

bool is_granted(const model::Snapshot& snapshot, const model::AccountId& account) {
    return snapshot.owner_id == account || snapshot.volume_permissions.names(account);
}

}  // namespace

Result<bool> may_read(catalog::Transaction& tx, const model::Snapshot& snapshot,
                      const model::AccountId& account) {
    if (is_granted(snapshot, account)) {
        return true;
    }
    return snapshot.volume_permissions.everybody ? may_be_public(tx, snapshot)
                                                 : Result<bool>(false);
}

Status keep_readable(catalog::Transaction& tx, const model::AccountId& account,
                     std::vector<model::Snapshot>& snapshots) {
    std::map<model::AccountId, bool> shows;  // of owners, in the one region of a request
    std::vector<model::Snapshot> kept;
    for (model::Snapshot& snapshot : snapshots) {
        bool readable = is_granted(snapshot, account);
        if (!readable && snapshot.volume_permissions.everybody) {
            const auto [known, is_first] = shows.try_emplace(snapshot.owner_id);
            if (is_first) {
                TRY_ASSIGN(known->second, may_be_public(tx, snapshot));
            }
            readable = known->second;
        }
        if (readable) {
            kept.push_back(std::move(snapshot));
        }
    }
    snapshots = std::move(kept);
    return ok();
}

Result<model::Snapshot> find_readable_snapshot(catalog::Transaction& tx, const Caller& caller,
                                               const model::SnapshotId& id) {
    TRY_ASSIGN(const auto snapshot, tx.snapshots().find(id));
    if (!snapshot || snapshot->region != caller.region) {
        return errors::snapshot_not_found(id);
    }
    TRY_ASSIGN(const bool readable, may_read(tx, *snapshot, caller.account));
    if (!readable) {
        return errors::snapshot_not_found(id);  // ERR-3
    }
    TRY(model::next(snapshot->state, model::SnapshotEvent::read, id));
    return *snapshot;
}

Result<model::Snapshot> find_granted_snapshot(catalog::Transaction& tx, const Caller& caller,
                                              const model::SnapshotId& id) {
    TRY_ASSIGN(auto snapshot, find_readable_snapshot(tx, caller, id));
    if (!is_granted(snapshot, caller.account)) {
        return errors::snapshot_not_found(id);
    }
    return snapshot;
}

Result<model::Snapshot> find_own_snapshot(catalog::Transaction& tx, const Caller& caller,
                                          const model::SnapshotId& id) {
    TRY_ASSIGN(const auto snapshot, tx.snapshots().find(id));
    if (!snapshot || snapshot->region != caller.region || snapshot->owner_id != caller.account ||
        snapshot->state == model::SnapshotState::deleted) {
        return errors::snapshot_not_found(id);  // ERR-3
    }
    return *snapshot;
}

}  // namespace kiln::control
