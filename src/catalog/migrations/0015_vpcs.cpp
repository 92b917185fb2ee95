// SPDX-License-Identifier: Apache-2.0
// docs/formats/catalog.md describes these fields.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

// No table changes: VPCs may have `dns_support`, `dns_hostnames` and `zones_without_subnet` in
// their documents, the settings of a region `no_default_vpc` and instances `interface_description`.
// The number keeps out an older program, which would lose them and make a default VPC anew that was
// deleted.
const std::string_view k0015Vpcs = "-- the tables stay as they are";

}  // namespace kiln::catalog::detail
