// SPDX-License-Identifier: Apache-2.0
// Volumes may have a modification, in their document. An older program would lose it, and would
// open a layer that is larger than its volume as damaged.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0008VolumeModifications = "-- the tables stay as they are";

}  // namespace kiln::catalog::detail
