// SPDX-License-Identifier: Apache-2.0
#include "control/fast_restores.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "control/api_errors.h"
#include "control/region_settings.h"
#include "control/snapshot_access.h"
#include "control/zones.h"

namespace kiln::control {
namespace {

using model::FastRestore;
using Values = std::vector<std::string>;

constexpr PageLimits kLimits{0, 200};  // PAG-2

FastRestore* find_restore(model::Snapshot& snapshot, const model::AccountId& account,
                          const std::string& zone) {
    auto& all = snapshot.fast_restores;
    const auto found = std::find_if(all.begin(), all.end(), [&](const FastRestore& restore) {
        return restore.account == account && restore.zone == zone;
    });
    return found == all.end() ? nullptr : &*found;
}

bool has_restore(const model::Snapshot& snapshot, const model::AccountId& account, bool running) {
    return std::any_of(snapshot.fast_restores.begin(), snapshot.fast_restores.end(),
                       [&](const FastRestore& restore) {
                           return restore.account == account && !(running && restore.ended);
                       });
}

void drop_forgotten(model::Snapshot& snapshot, UnixMillis now) {
    std::erase_if(snapshot.fast_restores,
                  [&](const FastRestore& restore) { return model::is_forgotten(restore, now); });
}

FastRestoreView view_of(const Topology& topology, const model::Snapshot& snapshot,
                        const FastRestore& restore, UnixMillis now) {
    return {snapshot.id, restore, model::progress_of(restore, now),
            topology.zone_id(snapshot.region, restore.zone)};
}

// The zones of a request, each once.
Result<std::vector<Zone>> zones_of(catalog::Transaction& tx, const Topology& topology,
                                   const Caller& caller, const std::vector<std::string>& names) {
    std::vector<Zone> zones;
    std::set<std::string> seen;
    for (const std::string& name : names) {
        TRY_ASSIGN(Zone zone, usable_zone(tx, topology, caller, name));
        if (zone.wants_opt_in()) {
            return errors::invalid_parameter_value(fmt::format(
                "Fast snapshot restore is for availability zones; '{}' is none.", name));
        }
        if (seen.insert(zone.name).second) {
            zones.push_back(std::move(zone));
        }
    }
    return zones;
}

// A snapshot that the caller may enable them for, or why not.
Result<model::Snapshot> find_restorable(catalog::Transaction& tx, const Caller& caller,
                                        const model::SnapshotId& id) {
    TRY_ASSIGN(auto snapshot, find_readable_snapshot(tx, caller, id));
    if (snapshot.volume_size_gib > model::kMaxFastRestoreGib) {
        return errors::invalid_parameter_value(
            fmt::format("The snapshot '{}' is larger than {} GiB, the most for which fast snapshot "
                        "restores can be enabled.",
                        id.str(), model::kMaxFastRestoreGib));
    }
    if (!snapshot.local_zone.empty()) {
        return errors::invalid_parameter_value(fmt::format(
            "The snapshot '{}' lies in the local zone {}; fast snapshot restores cannot be enabled "
            "for it.",
            id.str(), snapshot.local_zone));
    }
    return snapshot;
}

// One that the caller has a record with, though it may not read it any more; else as for those that
// want to enable.
Result<model::Snapshot> find_restored(catalog::Transaction& tx, const Caller& caller,
                                      const model::SnapshotId& id) {
    TRY_ASSIGN(const auto snapshot, tx.snapshots().find(id));
    if (snapshot && snapshot->region == caller.region &&
        has_restore(*snapshot, caller.account, false)) {
        return *snapshot;
    }
    return find_readable_snapshot(tx, caller, id);
}

Error not_enabled(const model::SnapshotId& id, const std::string& zone) {
    return Error::api(
        Code::failed_precondition, "IncorrectState",
        fmt::format("Fast snapshot restores are not enabled for the snapshot '{}' in {}.", id.str(),
                    zone));
}

Error too_many() {
    return Error::api(Code::resource_exhausted, "ResourceLimitExceeded",
                      fmt::format("Fast snapshot restores can be enabled for at most {} snapshots "
                                  "in a region.",
                                  kMaxFastRestored));
}

// The snapshots that the caller's settings name and that still have a record of the caller.
Result<std::vector<model::Snapshot>> restored_snapshots(catalog::Transaction& tx,
                                                        const model::RegionSettings& settings) {
    std::vector<model::Snapshot> snapshots;
    for (const model::SnapshotId& id : settings.fast_restored) {
        TRY_ASSIGN(auto snapshot, tx.snapshots().find(id));
        if (snapshot && has_restore(*snapshot, settings.account, false)) {
            snapshots.push_back(std::move(*snapshot));
        }
    }
    return snapshots;
}

Status check_request(const FastRestoreInput& input) {
    if (input.snapshots.empty()) {
        return errors::missing_parameter("SourceSnapshotId");
    }
    if (input.zones.empty()) {
        return errors::missing_parameter("AvailabilityZone");
    }
    if (input.snapshots.size() > kMaxFastRestoreRequest) {
        return Error::api(
            Code::invalid_argument, "InvalidRequest",
            fmt::format("Number of values of parameter SourceSnapshotIds must be less than or "
                        "equal to {}.",
                        kMaxFastRestoreRequest));
    }
    return ok();
}

// Collects what comes of the snapshots of one request, one after the other.
class Collector {
  public:
    Collector(const Topology& topology, const std::vector<Zone>& zones, UnixMillis now)
        : topology_(topology), zones_(zones), now_(now) {}

    using EachZone = std::function<Result<FastRestore>(const Zone&)>;
    // An error that has no code of the API ends the request.
    Status add(const model::SnapshotId& id, const Result<model::Snapshot>& snapshot,
               const EachZone& each_zone) {
        FastRestoreOutcome::Refused refused{id, {}};
        for (const Zone& zone : zones_) {
            Result<FastRestore> restore =
                snapshot ? each_zone(zone) : Result<FastRestore>(snapshot.error());
            if (restore) {
                outcome_.done.push_back(view_of(topology_, *snapshot, *restore, now_));
                continue;
            }
            if (restore.error().api_code().empty()) {
                return std::move(restore).error();
            }
            refused.zones.push_back(
                {zone.name, zone.id, restore.error().api_code(), restore.error().message()});
        }
        if (!refused.zones.empty()) {
            outcome_.refused.push_back(std::move(refused));
        }
        return ok();
    }
    FastRestoreOutcome take() { return std::move(outcome_); }

  private:
    const Topology& topology_;
    const std::vector<Zone>& zones_;
    const UnixMillis now_;
    FastRestoreOutcome outcome_;
};

std::set<model::SnapshotId> each_once(const std::vector<model::SnapshotId>& ids) {
    return {ids.begin(), ids.end()};
}

}  // namespace

Result<FastRestoreOutcome> FastRestores::enable(const Caller& caller,
                                                const FastRestoreInput& input) {
    TRY(check_request(input));
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<FastRestoreOutcome> {
        TRY_ASSIGN(const auto zones, zones_of(tx, parts_.topology, caller, input.zones));
        if (input.dry_run) {
            return errors::dry_run();
        }
        const UnixMillis now = parts_.clock.now();
        TRY_ASSIGN(auto settings, region_settings(tx, caller.account, caller.region));
        TRY_ASSIGN(const auto before, restored_snapshots(tx, settings));
        std::set<model::SnapshotId> named;
        std::set<model::SnapshotId> running;
        for (const model::Snapshot& snapshot : before) {
            named.insert(snapshot.id);
            if (has_restore(snapshot, caller.account, true)) {
                running.insert(snapshot.id);
            }
        }
        Collector collector(parts_.topology, zones, now);
        for (const model::SnapshotId& id : each_once(input.snapshots)) {
            auto snapshot = find_restorable(tx, caller, id);
            const auto each_zone = [&](const Zone& zone) -> Result<FastRestore> {
                FastRestore* present = find_restore(*snapshot, caller.account, zone.name);
                if (present != nullptr && !present->ended) {
                    return *present;
                }
                if (!running.contains(id) && running.size() >= kMaxFastRestored) {
                    return too_many();
                }
                running.insert(id);
                FastRestore begun = model::begin_fast_restore(caller.account, zone.name, now);
                if (present != nullptr) {
                    *present = begun;
                } else {
                    snapshot->fast_restores.push_back(begun);
                }
                return begun;
            };
            TRY(collector.add(id, snapshot, each_zone));
            if (snapshot && has_restore(*snapshot, caller.account, true)) {
                drop_forgotten(*snapshot, now);
                TRY(tx.snapshots().update(*snapshot));
                named.insert(id);
            }
        }
        std::vector<model::SnapshotId> names(named.begin(), named.end());
        if (names != settings.fast_restored) {
            settings.fast_restored = std::move(names);
            TRY(save_region_settings(tx, std::move(settings), now));
        }
        return collector.take();
    });
}

Result<FastRestoreOutcome> FastRestores::disable(const Caller& caller,
                                                 const FastRestoreInput& input) {
    TRY(check_request(input));
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<FastRestoreOutcome> {
        TRY_ASSIGN(const auto zones, zones_of(tx, parts_.topology, caller, input.zones));
        if (input.dry_run) {
            return errors::dry_run();
        }
        const UnixMillis now = parts_.clock.now();
        Collector collector(parts_.topology, zones, now);
        for (const model::SnapshotId& id : each_once(input.snapshots)) {
            auto snapshot = find_restored(tx, caller, id);
            bool changed = false;
            const auto each_zone = [&](const Zone& zone) -> Result<FastRestore> {
                FastRestore* restore = find_restore(*snapshot, caller.account, zone.name);
                using State = model::FastRestoreState;
                if (restore == nullptr ||
                    model::progress_of(*restore, now).state == State::disabled) {
                    return not_enabled(id, zone.name);
                }
                if (!restore->ended) {
                    restore->ended = now;
                    changed = true;
                }
                return *restore;
            };
            TRY(collector.add(id, snapshot, each_zone));
            if (changed) {
                drop_forgotten(*snapshot, now);
                TRY(tx.snapshots().update(*snapshot));
            }
        }
        return collector.take();
    });
}

const FilterTable<FastRestoreView>& fast_restore_filters() {
    using View = FastRestoreView;
    static const std::vector<model::Tag> kNoTags;
    static const FilterTable<View> table(
        [](const View&) -> const std::vector<model::Tag>& { return kNoTags; },
        {{"availability-zone", [](const View& view) { return Values{view.restore.zone}; }},
         {"availability-zone-id", [](const View& view) { return Values{view.zone_id}; }},
         {"owner-id", [](const View& view) { return Values{view.restore.account.str()}; }},
         {"snapshot-id", [](const View& view) { return Values{view.snapshot.str()}; }},
         {"state", [](const View& view) {
              return Values{std::string(model::to_string(view.progress.state))};
          }}});
    return table;
}

Result<Page<FastRestoreView>> FastRestores::describe(const Caller& caller,
                                                     const DescribeFastRestoresInput& input) {
    TRY(fast_restore_filters().check(input.filters));
    PageRequest request = input.page;
    if (request.max_results == 0) {  // PAG-2: allowed, and asks for no pages
        request.max_results.reset();
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, request, kLimits));
    const auto cursor_of = [](const FastRestoreView& view) {
        return catalog::Cursor{view.restore.begun, view.snapshot.str() + "/" + view.restore.zone};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<FastRestoreView>> {
        const UnixMillis now = parts_.clock.now();
        TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
        TRY_ASSIGN(const auto snapshots, restored_snapshots(tx, settings));
        std::vector<FastRestoreView> views;
        for (const model::Snapshot& snapshot : snapshots) {
            for (const FastRestore& restore : snapshot.fast_restores) {
                if (restore.account != caller.account || model::is_forgotten(restore, now)) {
                    continue;
                }
                FastRestoreView view = view_of(parts_.topology, snapshot, restore, now);
                if (is_after(cursor_of(view), start) &&
                    fast_restore_filters().matches(input.filters, view)) {
                    views.push_back(std::move(view));
                }
            }
        }
        std::sort(views.begin(), views.end(), [&](const auto& a, const auto& b) {
            return is_before(cursor_of(a), cursor_of(b));
        });
        return cut_page(caller, request, start, std::move(views), cursor_of);
    });
}

Result<bool> spend_fast_restore(catalog::Transaction& tx, const Caller& caller,
                                const model::SnapshotId& id, const std::string& zone,
                                UnixMillis now) {
    TRY_ASSIGN(auto snapshot, tx.snapshots().get(id));
    FastRestore* restore = find_restore(snapshot, caller.account, zone);
    if (restore == nullptr || !model::take_credit(*restore, snapshot.volume_size_gib, now)) {
        return false;
    }
    TRY(tx.snapshots().update(snapshot));
    return true;
}

void end_unshared_fast_restores(model::Snapshot& snapshot, UnixMillis now) {
    const model::Sharing& sharing = snapshot.volume_permissions;
    for (FastRestore& restore : snapshot.fast_restores) {
        if (!restore.ended && restore.account != snapshot.owner_id && !sharing.everybody &&
            !sharing.names(restore.account)) {
            restore.ended = now;
        }
    }
}

}  // namespace kiln::control
