// SPDX-License-Identifier: Apache-2.0
// Instances say how their disks are served. An older program would lose it, and serve a machine
// that runs what it does not speak.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0009DiskTransport = "-- the tables stay as they are";

}  // namespace kiln::catalog::detail
