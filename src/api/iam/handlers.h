// SPDX-License-Identifier: Apache-2.0
// The handlers of the IAM operations: roles and users with their policies and keys, instance
// profiles, and the tags of all three. Thread model:
// registered once; the registered handlers are thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_role_handlers(Registry& registry, Services services);
void add_instance_profile_handlers(Registry& registry, Services services);
void add_user_handlers(Registry& registry, Services services);
void add_identity_tag_handlers(Registry& registry, Services services);

}  // namespace kiln::api
