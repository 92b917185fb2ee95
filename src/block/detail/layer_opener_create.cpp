// SPDX-License-Identifier: Apache-2.0
// LayerOpener: creation. The journal, then the map under another name, then its name: a map is
// there only when all of the layer is.
#include "block/detail/layer_opener.h"
#include "block/limits.h"

namespace kiln::block {

void LayerOpener::create_journal() {
    created_ = true;
    const Geometry& geometry = context_.geometry;
    std::uint8_t seed[4];
    context_.rng.fill(seed);
    superblock_ =
        Superblock{.store_uuid = context_.store_uuid,
                   .volume_id = open_.volume.str(),
                   .layer_id = open_.layer.str(),
                   .size_bytes = open_.size_bytes,
                   .page_blocks = geometry.page_blocks,
                   .shard_bytes = geometry.shard_bytes,
                   .generation = 1,
                   .boot_id = context_.boot_id,
                   .key = {},
                   .max_ring_bytes = geometry.journal_bytes,
                   .head = {.position = 0, .seq = 1, .prev_crc = get_le<std::uint32_t>(seed)},
                   .map_pages = true,
                   .directory_pages = geometry.directory_pages,
                   .root = {},
                   .ring_bytes = std::min(geometry.journal_first_bytes, geometry.journal_bytes),
                   .data_logged = true};
    if (MapLayout(superblock_).directories() > kMaxDirectories) {
        fail(Error(Code::invalid_argument, "a layer of this size needs larger pages"));
        return;
    }
    step(io::Op::open(journal_path(context_, open_.layer),
                      {.write = true, .create = true, .truncate = true}),
         [this](std::uint64_t file) { fill_journal(io::FileId{static_cast<std::int64_t>(file)}); });
}

void LayerOpener::fill_journal(io::FileId file) {
    journal_ = file;
    bytes_ = encode_journal_header({.store_uuid = superblock_.store_uuid,
                                    .volume_id = superblock_.volume_id,
                                    .layer_id = superblock_.layer_id,
                                    .ring_bytes = superblock_.max_ring_bytes,
                                    .chain_seed = superblock_.head.prev_crc});
    // Written, not merely promised: where a file system has to note that room came into use, each
    // sync of it takes twice as long.
    bytes_.resize(kJournalHeaderBytes + superblock_.ring_bytes);
    step(io::Op::write(journal_, 0, bytes_), [this](std::uint64_t) {
        step_if_durable(io::Op::sync(journal_), [this](std::uint64_t) {
            step(io::Op::close(journal_), [this](std::uint64_t) {
                journal_ = {};
                create_map();
            });
        });
    });
}

void LayerOpener::create_map() {
    bytes_ = encode_superblock(superblock_);
    bytes_.resize(kMapHeaderBytes, 0);
    const std::string path = map_path(context_, open_.layer) + ".new";
    step(io::Op::open(path, {.write = true, .create = true, .truncate = true}),
         [this](std::uint64_t file) {
             map_ = io::FileId{static_cast<std::int64_t>(file)};
             step(io::Op::write(map_, 0, bytes_), [this](std::uint64_t) {
                 step_if_durable(io::Op::sync(map_), [this](std::uint64_t) { publish_map(); });
             });
         });
}

void LayerOpener::publish_map() {
    const std::string path = map_path(context_, open_.layer);
    step(io::Op::close(map_), [this, path](std::uint64_t) {
        map_ = {};
        // The journal's name first: a map without journal would be a damaged layer, not a missing
        // one.
        step_if_durable(io::Op::sync_dir(context_.directory), [this, path](std::uint64_t) {
            step(io::Op::rename(path + ".new", path), [this](std::uint64_t) {
                step_if_durable(io::Op::sync_dir(context_.directory),
                                [this](std::uint64_t) { open_map(); });
            });
        });
    });
}

}  // namespace kiln::block
