// SPDX-License-Identifier: Apache-2.0
// How fast a volume of each type is: what holds with `--enforce-volume-limits` (VOL-16), and what
// is shown (VOL-20). Thread model: pure functions.
#pragma once

#include "block/volume_limits.h"
#include "model/volume.h"

namespace kiln::control {

block::VolumeLimits limits_of(const model::VolumeShape& shape);

// VOL-20: as Describe operations show it. A gp2 volume has the IOPS of its size, which are kept
// nowhere; one of gp3 that an older version made has its type's, which it did not note.
model::VolumeShape shown_shape(model::VolumeShape shape);

}  // namespace kiln::control
