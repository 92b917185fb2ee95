// SPDX-License-Identifier: Apache-2.0
// restore_logged: puts blocks that a loss of power may have taken from the data files, and that the
// journal has, back in their places, durably. Doing it again changes nothing. The errors are those
// of the data files: data_loss for one that is missing or short, io_error, out_of_space. Thread
// model: one owner thread.
#pragma once

#include "block/detail/replay.h"
#include "block/detail/shards.h"

namespace kiln::block {

// `presence` and what `logged` views outlive it.
void restore_logged(const LayerContext& context, const LayerId& layer, const Superblock& superblock,
                    const PresenceMap& presence, const std::map<std::uint64_t, ByteView>& logged,
                    Done done);

}  // namespace kiln::block
