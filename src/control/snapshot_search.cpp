// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_search.h"

#include <algorithm>
#include <set>

#include "control/api_errors.h"
#include "control/snapshot_access.h"

namespace kiln::control {
namespace {

using State = model::SnapshotState;

constexpr PageLimits kLimits{5, 1000};  // PAG-2

catalog::Cursor cursor_of(const model::Snapshot& snapshot) {
    return {snapshot.created, snapshot.id.str()};
}

Error not_found(const std::vector<model::SnapshotId>& ids) {
    if (ids.size() == 1) {
        return errors::snapshot_not_found(ids.front());
    }
    std::string list;
    for (const model::SnapshotId& id : ids) {
        list += (list.empty() ? "" : ", ") + id.str();
    }
    return Error::api(Code::not_found, "InvalidSnapshot.NotFound",
                      "The snapshots '" + list + "' do not exist.");
}

}  // namespace

Result<SnapshotSearch> SnapshotSearch::create(const Caller& caller,
                                              const DescribeSnapshotsInput& input) {
    SnapshotSearch search(caller, input);
    TRY(snapshot_filters().check(input.filters));
    TRY_ASSIGN(search.owners_, parse_owners(caller, input.owners));
    TRY_ASSIGN(search.restorable_by_, parse_shared_with(caller, input.restorable_by));
    TRY_ASSIGN(search.start_, open_page(caller, input.page, kLimits));
    return search;
}

// One's own are restorable by oneself. Whom a snapshot is shared with is its owner's affair: by the
// id of another account one finds snapshots of one's own only.
bool SnapshotSearch::is_restorable(const model::Snapshot& snapshot) const {
    if (restorable_by_.any || (restorable_by_.everybody && snapshot.volume_permissions.everybody)) {
        return true;
    }
    const bool own = snapshot.owner_id == caller_.account;
    return std::any_of(restorable_by_.accounts.begin(), restorable_by_.accounts.end(),
                       [&](const model::AccountId& account) {
                           return account == caller_.account
                                      ? own || snapshot.volume_permissions.names(account)
                                      : own && snapshot.volume_permissions.names(account);
                       });
}

catalog::SnapshotQuery SnapshotSearch::narrowed() const {
    catalog::SnapshotQuery query;
    query.region = caller_.region;
    query.states = {State::pending, State::completed, State::error};
    query.page.newest_first = true;  // PAG-7
    if (owners_.aliases.empty()) {
        query.owners = owners_.accounts;
    }
    // One's own need no look at permissions, which keeps the query in the order of one index.
    if (query.owners != std::vector{caller_.account}) {
        query.visible_to = caller_.account;
    }
    return query;
}

// Unknown ids are refused; those that exist and that the caller may not read are left out (SNP-13).
Result<std::vector<model::Snapshot>> SnapshotSearch::read_named(catalog::Transaction& tx) const {
    catalog::SnapshotQuery query;
    query.region = caller_.region;
    query.states = {State::pending, State::completed, State::error};
    query.ids = input_.ids;
    query.page.newest_first = true;  // PAG-7
    TRY_ASSIGN(auto found, tx.snapshots().list(query));
    std::set<model::SnapshotId> known;
    for (const model::Snapshot& snapshot : found) {
        known.insert(snapshot.id);
    }
    std::vector<model::SnapshotId> missing;
    for (const model::SnapshotId& id : input_.ids) {
        if (known.insert(id).second) {
            missing.push_back(id);
        }
    }
    if (!missing.empty()) {  // IDL-2
        return not_found(missing);
    }
    std::erase_if(found, [&](const model::Snapshot& snapshot) {
        return start_.after && !is_before(cursor_of(snapshot), *start_.after);
    });
    return found;
}

Result<std::vector<SnapshotView>> SnapshotSearch::shown(
    catalog::Transaction& tx, std::vector<model::Snapshot> snapshots) const {
    TRY(keep_readable(tx, caller_.account, snapshots));
    std::erase_if(snapshots, [&](const model::Snapshot& snapshot) {
        return !owners_.has(snapshot.owner_id, snapshot.owner_alias) || !is_restorable(snapshot);
    });
    TRY_ASSIGN(auto views, load_views(tx, caller_, std::move(snapshots)));
    std::erase_if(views, [&](const SnapshotView& view) {
        return !snapshot_filters().matches(input_.filters, view);
    });
    return views;
}

Result<Page<SnapshotView>> SnapshotSearch::run(catalog::Transaction& tx) const {
    std::vector<SnapshotView> found;
    if (!input_.ids.empty()) {
        TRY_ASSIGN(auto named, read_named(tx));
        TRY_ASSIGN(found, shown(tx, std::move(named)));
    } else {
        const catalog::SnapshotQuery query = narrowed();
        const bool leaves_out = query.visible_to || !restorable_by_.any || !input_.filters.empty();
        const auto list = [&](const PageStart& piece) {
            catalog::SnapshotQuery part = query;
            part.page.after = piece.after;
            part.page.limit = piece.limit.value_or(0);
            return tx.snapshots().list(part);
        };
        const auto views = [&](std::vector<model::Snapshot> snapshots) {
            return shown(tx, std::move(snapshots));
        };
        TRY_ASSIGN(found, read_page<SnapshotView>(start_, leaves_out, list, cursor_of, views));
    }
    return cut_page(caller_, input_.page, start_, std::move(found),
                    [](const SnapshotView& view) { return cursor_of(view.snapshot); });
}

}  // namespace kiln::control
