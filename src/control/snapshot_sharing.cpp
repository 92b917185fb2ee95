// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_sharing.h"

#include <fmt/format.h>

#include <set>

#include "control/api_errors.h"
#include "control/fast_restores.h"
#include "control/region_settings.h"
#include "control/snapshot_access.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMostModifications = 500;  // SS-1
constexpr std::size_t kMostShares = 1000;

Status check_permission(const VolumePermission& entry) {
    if (entry.user_id.empty() == entry.group.empty()) {
        return errors::invalid_parameter_combination(
            "A permission names exactly one of UserId and Group.");
    }
    if (!entry.group.empty() && entry.group != "all") {
        return errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for Group. The only group is all.", entry.group));
    }
    if (!entry.user_id.empty()) {
        TRY(model::parse_account_id(entry.user_id));
    }
    return ok();
}

Status check(const SnapshotSharingChange& change) {
    if (change.add.empty() && change.remove.empty()) {
        return errors::missing_parameter("createVolumePermission");
    }
    if (!change.add.empty() && !change.remove.empty()) {
        return errors::invalid_parameter_combination(
            "Permissions are added or removed by one call, not both.");
    }
    if (change.add.size() + change.remove.size() > kMostModifications) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} permissions may be modified by one call.", kMostModifications));
    }
    for (const auto* list : {&change.add, &change.remove}) {
        for (const VolumePermission& entry : *list) {
            TRY(check_permission(entry));
        }
    }
    return ok();
}

Error not_permitted(std::string message) {
    return Error::api(Code::permission_denied, "OperationNotPermitted", std::move(message));
}

Status check_may_be_public(catalog::Transaction& tx, const model::Snapshot& snapshot) {
    if (snapshot.encrypted) {  // SS-2
        return not_permitted("Encrypted snapshots cannot be shared with everybody.");
    }
    TRY_ASSIGN(const auto settings, region_settings(tx, snapshot.owner_id, snapshot.region));
    if (settings.snapshot_access != model::SnapshotBlockPublicAccess::unblocked) {  // SS-4
        return not_permitted(
            fmt::format("Block public access for snapshots is '{}' in this region: the snapshot "
                        "'{}' cannot be shared with everybody.",
                        model::to_string(settings.snapshot_access), snapshot.id.str()));
    }
    return ok();
}

Status apply(catalog::Transaction& tx, const SnapshotSharingChange& change,
             model::Snapshot& snapshot) {
    model::Sharing& sharing = snapshot.volume_permissions;
    std::set<model::AccountId> accounts(sharing.accounts.begin(), sharing.accounts.end());
    for (const VolumePermission& entry : change.add) {
        if (!entry.group.empty()) {
            if (!sharing.everybody) {
                TRY(check_may_be_public(tx, snapshot));
            }
            sharing.everybody = true;
        } else {
            accounts.insert(model::AccountId(entry.user_id));
        }
    }
    for (const VolumePermission& entry : change.remove) {
        if (!entry.group.empty()) {
            sharing.everybody = false;
        } else {
            accounts.erase(model::AccountId(entry.user_id));
        }
    }
    accounts.erase(snapshot.owner_id);  // implicit
    if (accounts.size() > kMostShares) {
        return Error::api(
            Code::resource_exhausted, "ResourceLimitExceeded",
            fmt::format("A snapshot can be shared with at most {} accounts.", kMostShares));
    }
    sharing.accounts.assign(accounts.begin(), accounts.end());
    return ok();
}

}  // namespace

template <class Edit>
Status SnapshotSharing::edit(const Caller& caller, const model::SnapshotId& id, bool dry_run,
                             Edit edit) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto snapshot, find_own_snapshot(tx, caller, id));
        TRY(edit(tx, snapshot));
        if (dry_run) {
            return errors::dry_run();
        }
        end_unshared_fast_restores(snapshot, parts_.clock.now());
        return tx.snapshots().update(snapshot);
    });
}

Status SnapshotSharing::change(const Caller& caller, const model::SnapshotId& id,
                               const SnapshotSharingChange& change, bool dry_run) {
    TRY(check(change));
    return edit(caller, id, dry_run, [&](catalog::Transaction& tx, model::Snapshot& snapshot) {
        return apply(tx, change, snapshot);
    });
}

Status SnapshotSharing::reset(const Caller& caller, const model::SnapshotId& id, bool dry_run) {
    return edit(caller, id, dry_run, [](catalog::Transaction&, model::Snapshot& snapshot) {
        snapshot.volume_permissions = {};
        return ok();
    });
}

Result<model::Sharing> SnapshotSharing::describe(const Caller& caller, const model::SnapshotId& id,
                                                 bool dry_run) {
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<model::Sharing> {
        TRY_ASSIGN(auto snapshot, find_own_snapshot(tx, caller, id));
        if (dry_run) {
            return errors::dry_run();
        }
        return std::move(snapshot.volume_permissions);
    });
}

}  // namespace kiln::control
