// SPDX-License-Identifier: Apache-2.0
// What every part of the local layer shares: where files are, how they are named, who this host is.
// And the deletion of a layer's files. Thread model: LayerContext is immutable; the functions
// belong to the owner thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "block/geometry.h"
#include "block/ids.h"
#include "block/layer.h"
#include "block/layer_name.h"
#include "block/space.h"
#include "io/clock.h"
#include "io/io.h"
#include "io/scheduler.h"

namespace kiln::block {

struct LayerContext {
    io::Io& io;
    io::Scheduler& scheduler;
    io::Rng& rng;
    std::string directory;
    std::string store_uuid;
    std::string boot_id;
    bool durable = true;
    Geometry geometry{};
    SpaceReserve* space = nullptr;  // what new blocks ask; none: without limit
};

std::string map_path(const LayerContext& context, const LayerId& layer);
std::string journal_path(const LayerContext& context, const LayerId& layer);
std::string shard_path(const LayerContext& context, const LayerId& layer, std::uint64_t shard);
std::string data_crc_path(const LayerContext& context, const LayerId& layer);

// Every layer with at least one file, sorted.
void list_layer_files(const LayerContext& context, io::Callback<Result<std::vector<LayerId>>> done);
// Unlinks whatever files the layer has, the map first: a layer without map does not exist.
void remove_layer_files(const LayerContext& context, const LayerId& layer, Done done);

}  // namespace kiln::block
