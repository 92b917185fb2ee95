// SPDX-License-Identifier: Apache-2.0
// The filters DescribeInstances has for the options of an instance, and for what no instance here
// has (INS-6): who asks by them gets an answer, not a refusal. Thread model: pure function.
#pragma once

#include "control/instance_views.h"

namespace kiln::control {

using InstanceGetters = std::map<std::string, FilterTable<InstanceView>::Getter, std::less<>>;

void add_option_filters(InstanceGetters& getters);

}  // namespace kiln::control
