// SPDX-License-Identifier: Apache-2.0
// What recovery asks of layers that no volume has open for writing: the evidence of a cut, and the
// sealing of a layer that a cut left unsealed below its successor.
//
// failed_precondition while an open volume may write to the layer. Completions never run inside the
// call. Thread model: one owner thread.
#pragma once

#include <optional>

#include "block/detail/layer_uses.h"

namespace kiln::block {

// Nothing when it is not sealed. What it answers survives a loss of power.
void read_freeze(LayerUses& layers, const LayerId& layer,
                 io::Callback<Result<std::optional<Freeze>>> done);
// What a layer's superblock says, once map and journal were read through.
struct LayerOrigin {
    VolumeId volume;
    std::uint64_t size_bytes = 0;
    bool sealed = false;
    std::uint64_t data_bytes = 0;  // of a sealed one
};
void read_facts(LayerUses& layers, const LayerId& layer, io::Callback<Result<LayerOrigin>> done);
// Replays, makes durable and seals it, for no set. Fine if it is sealed.
void seal_layer(LayerUses& layers, const LayerId& layer, std::uint64_t size_bytes, Done done);

}  // namespace kiln::block
