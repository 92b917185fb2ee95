// SPDX-License-Identifier: Apache-2.0
// The handlers of the block API, EBS direct (ED): snapshots read and written block by block. Thread
// model: registered once; the registered handlers are thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_block_handlers(Registry& registry, Services services);
void add_upload_handlers(Registry& registry, Services services);

}  // namespace kiln::api
