// SPDX-License-Identifier: Apache-2.0
// The handlers of the SSM operations: an account's parameters, and the public ones that name
// provided images. Thread
// model: registered once; the registered handlers are thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_ssm_handlers(Registry& registry, Services services);

}  // namespace kiln::api
