// SPDX-License-Identifier: Apache-2.0
// docs/formats/catalog.md describes these fields.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

// No table changes: the settings of a region may have `zone_groups` in their documents, snapshots
// `local_zone`, and volumes, instances and subnets `outpost`. The number keeps out an older
// program, which would lose them, and take a snapshot out of the zone it has to stay in.
const std::string_view k0016Zones = "-- the tables stay as they are";

}  // namespace kiln::catalog::detail
