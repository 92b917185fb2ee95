// SPDX-License-Identifier: Apache-2.0
// From RunInstances, with or without a launch template, to control's input. Thread model: pure
// functions over thread-safe services.
#pragma once

#include "api/context.h"
#include "api/generated/ec2/run_instances.h"
#include "api/services.h"
#include "control/instances.h"

namespace kiln::api::ec2 {

// What the request says, without image and client token; what is not built is refused by name.
Result<control::RunInstancesInput> to_launch_input(const Context& context,
                                                   const RunInstancesRequest& request);

// What is launched: something for somebody, or a machine that prepares a snapshot (FLN-3).
enum class LaunchFor { use, preparing };

// LT-6, LT-12: the reservation of a repeated request, else that of a new launch with the
// template's parameters below the request's own.
Result<control::ReservationView> launch(const Services& services, const Context& context,
                                        const RunInstancesRequest& request,
                                        LaunchFor purpose = LaunchFor::use);

}  // namespace kiln::api::ec2
