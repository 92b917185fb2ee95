// SPDX-License-Identifier: Apache-2.0
// What accounts have chosen for a region, and the choices there are: whether images and snapshots
// may be public (LP-12, SS-4), and what the metadata service of a launch is like (IMDS-4). A choice
// is in force when it is answered. Thread-safe, blocking.
#pragma once

#include "catalog/store.h"
#include "control/caller.h"
#include "control/parts.h"
#include "model/region_settings.h"
#include "util/time.h"

namespace kiln::control {

// The defaults, where nothing was chosen.
Result<model::RegionSettings> region_settings(catalog::Transaction& tx,
                                              const model::AccountId& account,
                                              const std::string& region);
// What region_settings() gave, changed.
Status save_region_settings(catalog::Transaction& tx, model::RegionSettings settings,
                            UnixMillis now);

// IMDS-4. Absent: as before; present without a value: no preference. A hop limit of -1 is none.
struct MetadataDefaultsChange {
    std::optional<std::optional<bool>> tokens_required;
    std::optional<std::int64_t> hop_limit;
    std::optional<std::optional<bool>> endpoint_enabled;
    std::optional<std::optional<bool>> instance_tags_enabled;
    std::optional<std::optional<bool>> tokens_enforced;
};

class RegionChoices {
  public:
    explicit RegionChoices(const Parts& parts) : parts_(parts) {}

    Result<model::RegionSettings> get(const Caller& caller, bool dry_run);
    Status set(const Caller& caller, model::ImageBlockPublicAccess access, bool dry_run);
    Status set(const Caller& caller, model::SnapshotBlockPublicAccess access, bool dry_run);
    Status set(const Caller& caller, const MetadataDefaultsChange& change, bool dry_run);

  private:
    template <class Edit>
    Status change(const Caller& caller, bool dry_run, Edit edit);

    const Parts parts_;
};

}  // namespace kiln::control
