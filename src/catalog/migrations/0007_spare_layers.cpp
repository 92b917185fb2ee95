// SPDX-License-Identifier: Apache-2.0
// Contents may name spare layers, in their document and in `links`. An older program would lose
// them, and with them the last name of a layer.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0007SpareLayers = "-- the tables stay as they are";

}  // namespace kiln::catalog::detail
