// SPDX-License-Identifier: Apache-2.0
// The handlers of the IAM operations: roles, users with their keys, instance profiles, and the tags
// and policies that these have alike. Thread model: registered once; the registered handlers are
// thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_role_handlers(Registry& registry, Services services);
void add_instance_profile_handlers(Registry& registry, Services services);
void add_user_handlers(Registry& registry, Services services);
void add_identity_handlers(Registry& registry, Services services);

}  // namespace kiln::api
