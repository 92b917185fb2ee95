// SPDX-License-Identifier: Apache-2.0
// How fast a volume of each type is (VOL-16), for `--enforce-volume-limits`. Thread model: pure
// functions.
#pragma once

#include "block/volume_limits.h"
#include "model/volume.h"

namespace kiln::control {

block::VolumeLimits limits_of(const model::VolumeShape& shape);

}  // namespace kiln::control
