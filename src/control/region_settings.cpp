// SPDX-License-Identifier: Apache-2.0
#include "control/region_settings.h"

#include "control/api_errors.h"

namespace kiln::control {

Result<model::RegionSettings> region_settings(catalog::Transaction& tx,
                                              const model::AccountId& account,
                                              const std::string& region) {
    model::RegionSettings defaults{.account = account, .region = region, .created = {}};
    TRY_ASSIGN(const auto chosen, tx.region_settings().find(defaults.id()));
    return chosen ? *chosen : defaults;
}

Result<model::RegionSettings> RegionChoices::get(const Caller& caller, bool dry_run) {
    if (dry_run) {
        return errors::dry_run();
    }
    return parts_.store.read([&](catalog::Transaction& tx) {
        return region_settings(tx, caller.account, caller.region);
    });
}

template <class Edit>
Status RegionChoices::change(const Caller& caller, bool dry_run, Edit edit) {
    if (dry_run) {
        return errors::dry_run();
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto settings, region_settings(tx, caller.account, caller.region));
        const bool first = settings.created == UnixMillis{};
        edit(settings);
        if (!first) {
            return tx.region_settings().update(settings);
        }
        settings.created = parts_.clock.now();
        return tx.region_settings().insert(settings);
    });
}

Status RegionChoices::set(const Caller& caller, model::ImageBlockPublicAccess access,
                          bool dry_run) {
    return change(caller, dry_run,
                  [&](model::RegionSettings& settings) { settings.image_access = access; });
}

Status RegionChoices::set(const Caller& caller, model::SnapshotBlockPublicAccess access,
                          bool dry_run) {
    return change(caller, dry_run,
                  [&](model::RegionSettings& settings) { settings.snapshot_access = access; });
}

}  // namespace kiln::control
