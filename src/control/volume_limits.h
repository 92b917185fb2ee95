// SPDX-License-Identifier: Apache-2.0
// How fast a volume of each type is: what holds with `--enforce-volume-limits` (VOL-16), and what
// is shown (VOL-20). Thread model: pure functions.
#pragma once

#include "block/volume_limits.h"
#include "model/volume.h"

namespace kiln::control {

// VOL-20: with the figures that its type gives a volume of which none was said, as volumes are
// described: gp2 by its size, which is kept nowhere; gp3 of an older version, which did not note
// them.
model::VolumeShape with_type_figures(model::VolumeShape shape);

block::VolumeLimits limits_of(const model::VolumeShape& said);

}  // namespace kiln::control
