// SPDX-License-Identifier: Apache-2.0
// A volume to be made, of a launch or by itself: which content it stands on, how large it is
// (BDM-3, BDM-7, BDM-12, BDM-17), and its rows. Thread model: functions within a transaction.
#pragma once

#include <optional>
#include <string>

#include "control/caller.h"
#include "control/parts.h"
#include "model/block_device.h"
#include "model/image.h"
#include "model/volume.h"

namespace kiln::control {

struct VolumePlan {
    std::string device;                              // of a launch
    model::EbsBlockDevice ebs;                       // size and type are known
    model::ContentId base;                           // empty: zeros
    std::string lineage;                             // of the snapshot; empty without one
    std::optional<model::SourceImage> source_image;  // RI-16
    std::string local_zone;                          // of the snapshot; empty: for every zone
    bool fast_restores = false;  // FS-2: somebody has enabled them for the snapshot
    bool multi_attach = false;   // VOL-11; never of a launch
};

// An instance takes this many volumes (BDM-13); also what its machine has slots for.
inline constexpr std::size_t kMaxDevices = 28;

// `image`: what names the snapshot, if the caller has it by an image. Those of the image's owner
// are read on the caller's behalf (LP-8); another's only by who may read it, else an image of what
// one was given would give it to others.
Result<VolumePlan> plan_volume(catalog::Transaction& tx, const Caller& caller,
                               model::EbsBlockDevice ebs, const model::Image* image = nullptr);
// VOL-19
Status check_initialization_rate(const model::EbsBlockDevice& ebs);
// REG-5: what a local zone holds is used there; InvalidParameterValue. make_volume() asks, too.
Status check_zone(const VolumePlan& plan, const std::string& zone);
// Adds the row of its fresh layer; the volume itself, `available`, is the caller's to insert.
Result<model::Volume> make_volume(catalog::Transaction& tx, const Parts& parts,
                                  const Caller& caller, const VolumePlan& plan,
                                  const std::string& zone, UnixMillis now);

}  // namespace kiln::control
