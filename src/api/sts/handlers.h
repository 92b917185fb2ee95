// SPDX-License-Identifier: Apache-2.0
// The handlers of the STS operations. Thread model: registered once; the registered handlers are
// thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_sts_handlers(Registry& registry, Services services);

}  // namespace kiln::api
