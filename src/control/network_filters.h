// SPDX-License-Identifier: Apache-2.0
// The filters DescribeInstances has for the network of an instance (INS-6).
// Thread model: pure function.
#pragma once

#include "control/instance_option_filters.h"

namespace kiln::control {

void add_interface_filters(InstanceGetters& getters);

}  // namespace kiln::control
