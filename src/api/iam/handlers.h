// SPDX-License-Identifier: Apache-2.0
// The handlers of the IAM operations: roles and their policies, instance profiles. Thread model:
// registered once; the registered handlers are thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_role_handlers(Registry& registry, Services services);
void add_instance_profile_handlers(Registry& registry, Services services);

}  // namespace kiln::api
