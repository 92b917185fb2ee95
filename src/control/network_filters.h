// SPDX-License-Identifier: Apache-2.0
// The filters DescribeInstances has for the network of an instance (INS-6).
// Thread model: pure function.
#pragma once

#include "control/instance_views.h"

namespace kiln::control {

using InstanceGetters = std::map<std::string, FilterTable<InstanceView>::Getter, std::less<>>;

void add_interface_filters(InstanceGetters& getters);

}  // namespace kiln::control
