// SPDX-License-Identifier: Apache-2.0
// What RunInstances can be asked for and is not built: refused by name, unless the value asks for
// what every instance has anyway (RUN-15, RUN-16). Thread model: pure functions.
#pragma once

#include <string_view>

#include "api/generated/ec2/run_instances.h"
#include "util/result.h"

namespace kiln::api::ec2 {

inline constexpr std::string_view kPreferenceParameter =
    "CapacityReservationSpecification.CapacityReservationPreference";

Status refuse_unbuilt(const RunInstancesRequest& request);

}  // namespace kiln::api::ec2
