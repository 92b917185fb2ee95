// SPDX-License-Identifier: Apache-2.0
// Rebuilding the chunk index from the footers of packs: one tail read per pack. A pack without a
// valid footer, or of another store, is data_loss and named; those before it are in the index.
// Completes never inside the call. Thread model: one owner thread.
#pragma once

#include "block/image/chunk_store.h"

namespace kiln::block {

void rebuild_index(const ImageContext& context, std::vector<PackId> packs, Done done);

}  // namespace kiln::block
