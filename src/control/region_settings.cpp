// SPDX-License-Identifier: Apache-2.0
#include "control/region_settings.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/metadata_options.h"

namespace kiln::control {

Result<model::RegionSettings> region_settings(catalog::Transaction& tx,
                                              const model::AccountId& account,
                                              const std::string& region) {
    model::RegionSettings defaults{.account = account, .region = region, .created = {}};
    TRY_ASSIGN(const auto chosen, tx.region_settings().find(defaults.id()));
    return chosen ? *chosen : defaults;
}

Status save_region_settings(catalog::Transaction& tx, model::RegionSettings settings,
                            UnixMillis now) {
    if (settings.created != UnixMillis{}) {
        return tx.region_settings().update(settings);
    }
    settings.created = now;
    return tx.region_settings().insert(settings);
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
        edit(settings);
        return save_region_settings(tx, std::move(settings), parts_.clock.now());
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

Status RegionChoices::set(const Caller& caller, const MetadataDefaultsChange& change,
                          bool dry_run) {
    if (!change.tokens_required && !change.hop_limit && !change.endpoint_enabled &&
        !change.instance_tags_enabled && !change.tokens_enforced) {
        return errors::invalid_parameter_combination(
            "At least one of HttpTokens, HttpPutResponseHopLimit, HttpEndpoint, "
            "InstanceMetadataTags and HttpTokensEnforced must be given.");
    }
    if (change.hop_limit && *change.hop_limit != -1 &&
        (*change.hop_limit < 1 || *change.hop_limit > kMaxHopLimit)) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter HttpPutResponseHopLimit is invalid. Expecting a "
                        "value from 1 to {}, or -1 for no preference.",
                        *change.hop_limit, kMaxHopLimit));
    }
    return this->change(caller, dry_run, [&](model::RegionSettings& settings) {
        model::MetadataDefaults& defaults = settings.metadata;
        defaults.tokens_required = change.tokens_required.value_or(defaults.tokens_required);
        defaults.endpoint_enabled = change.endpoint_enabled.value_or(defaults.endpoint_enabled);
        defaults.instance_tags_enabled =
            change.instance_tags_enabled.value_or(defaults.instance_tags_enabled);
        defaults.tokens_enforced = change.tokens_enforced.value_or(defaults.tokens_enforced);
        if (change.hop_limit) {
            defaults.hop_limit = *change.hop_limit == -1
                                     ? std::nullopt
                                     : std::optional(static_cast<std::uint32_t>(*change.hop_limit));
        }
    });
}

}  // namespace kiln::control
