// SPDX-License-Identifier: Apache-2.0
// A volume to be made, of a launch or by itself: which content it stands on, how large it is
// (BDM-3, BDM-7, BDM-12, BDM-17), and its rows. Thread model: functions within a transaction.
#pragma once

#include <string>

#include "control/caller.h"
#include "control/parts.h"
#include "model/block_device.h"
#include "model/volume.h"

namespace kiln::control {

struct VolumePlan {
    std::string device;         // of a launch
    model::EbsBlockDevice ebs;  // size and type are known
    model::ContentId base;      // empty: zeros
    std::string lineage;        // of the snapshot; empty without one
};

// An instance takes this many volumes (BDM-13); also what its machine has slots for.
inline constexpr std::size_t kMaxDevices = 28;

// `any_snapshot`: whether the caller may read the snapshot was settled before.
Result<VolumePlan> plan_volume(catalog::Transaction& tx, const Caller& caller,
                               model::EbsBlockDevice ebs, bool any_snapshot);
// Adds the row of its fresh layer; the volume itself, `available`, is the caller's to insert.
Result<model::Volume> make_volume(catalog::Transaction& tx, const Parts& parts,
                                  const Caller& caller, const VolumePlan& plan,
                                  const std::string& zone, UnixMillis now);

}  // namespace kiln::control
