// SPDX-License-Identifier: Apache-2.0
// Whether a caller may launch what a request comes to (IAM-7): asked when image, sizes, subnet and
// groups are settled, whoever settled them: the request, a launch template, the image, or what is
// the account's default. Thread model: within a transaction.
#pragma once

#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/instances.h"
#include "control/launch_network.h"
#include "control/volume_plan.h"

namespace kiln::control {

// `instance`: as it will be, but for its id and network. AccessDenied.
Status authorize_launch(catalog::Transaction& tx, const Caller& caller,
                        const RunInstancesInput& input, model::Instance instance,
                        const std::vector<VolumePlan>& volumes, const LaunchNetwork& network);

}  // namespace kiln::control
