// SPDX-License-Identifier: Apache-2.0
// How fast a volume of each type is: in IOPS and MiB/s as it is said, and in what
// `--enforce-volume-limits` lets it have (VOL-16). Thread model: pure functions.
#pragma once

#include "block/volume_limits.h"
#include "model/volume.h"

namespace kiln::control {

// VOL-2: with the figures that its type gives a volume of which none was said (gp2 by its size,
// gp3), as volumes are described.
model::VolumeShape with_type_figures(model::VolumeShape shape);

block::VolumeLimits limits_of(const model::VolumeShape& shape);

}  // namespace kiln::control
