// SPDX-License-Identifier: Apache-2.0
// What an image of an instance will consist of (CI-7 .. CI-10): which volumes are cut, and the
// mapping that names their snapshots. Thread model: functions within a transaction.
#pragma once

#include <vector>

#include "control/caller.h"
#include "control/instance_views.h"
#include "model/image.h"

namespace kiln::control {

struct ImagePlan {
    // In the order of the devices, the root first. An entry of a volume that is cut has no snapshot
    // id yet.
    model::BlockDeviceMappings mappings;
    struct Cut {
        std::size_t mapping;  // its entry above
        model::Volume volume;
    };
    std::vector<Cut> cuts;
};

// `request` is the list of the request, merged by device name.
Result<ImagePlan> plan_image(catalog::Transaction& tx, const Caller& caller,
                             const InstanceView& instance,
                             const model::BlockDeviceMappings& request);

// CI-10: what the image takes from its instance. Id, owner, name and mappings are the caller's.
model::Image inherit_image(const model::Instance& instance);

}  // namespace kiln::control
