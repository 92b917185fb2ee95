// SPDX-License-Identifier: Apache-2.0
// ShardSet: the data files of one local layer, opened at first use, and which of them hold unsynced
// writes.
//
// A missing or short file is data_loss where presence says it has data; without data it is made
// anew. One may be longer than the layer: an extension that did not come to its end. Thread model:
// one owner thread.
#pragma once

#include <map>
#include <set>

#include "block/detail/layer_files.h"
#include "block/detail/presence.h"

namespace kiln::block {

class ShardSet {
  public:
    struct Part {  // of a range, inside one shard
        std::uint64_t shard = 0;
        BlockRange range;               // in the layer
        std::uint64_t file_offset = 0;  // bytes
    };

    ShardSet(const LayerContext& context, LayerId layer, std::uint64_t size_bytes,
             std::uint64_t shard_bytes, bool writable, const PresenceMap& presence);

    Part first_part(BlockRange range) const;
    std::uint64_t count() const { return count_; }
    BlockRange blocks_of(std::uint64_t shard) const;

    // More bytes than now: the file of what was the last shard, if there is one, gets its length,
    // which the next sync_dirty() makes durable. An error leaves the shards as they were.
    void extend(std::uint64_t size_bytes, Done done);
    // Calls back at once when the file is open.
    void use(std::uint64_t shard, io::Callback<Result<io::FileId>> ready);
    void close(Done done);

    void mark_dirty(std::uint64_t shard) { dirty_.insert(shard); }
    // Whether a loss of power leaves the files of the dirty shards there, with their lengths,
    // though perhaps not their data.
    bool files_durable() const;
    // fdatasync of every dirty shard, and of the directory if files were made since. Which those
    // are is settled now.
    void sync_dirty(Done done);

  private:
    struct Shard {
        io::FileId file;
        bool open = false;
        std::vector<io::Callback<Result<io::FileId>>> waiting;
    };
    std::uint64_t bytes_of(std::uint64_t shard) const;
    void set_size(std::uint64_t size_bytes);
    void opened(std::uint64_t shard, Result<std::uint64_t> result);
    void check_size(std::uint64_t shard, Result<std::uint64_t> size);
    void finish(std::uint64_t shard, Status status);

    const LayerContext& context_;
    const LayerId layer_;
    std::uint64_t size_bytes_;
    const std::uint64_t shard_bytes_;
    std::uint64_t count_;
    const bool writable_;
    const PresenceMap& presence_;
    std::map<std::uint64_t, Shard> shards_;
    std::set<std::uint64_t> dirty_;
    std::set<std::uint64_t> unsynced_files_;  // had no data at the start, not synced since
    bool
        names_dirty_;  // from the start of a writable layer: the process before may not have synced
};

}  // namespace kiln::block
