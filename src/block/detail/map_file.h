// SPDX-License-Identifier: Apache-2.0
// MapFile: the open map of a layer: the superblock in force, and where each checkpointed page is.
// A checkpoint is write_pages(), then write_superblock(); the pages written count once that
// completed. load_map() is the way back.
//
// Nothing that the superblock in force leads to is ever overwritten: what is written goes to the
// other slot of each pair. Errors: out_of_space from write_pages() leaves all as it was; data_loss
// from load_map(); any other error ends the layer. One of the calls runs at a time. Thread model:
// one owner thread; completions never run inside the call.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "block/detail/layer_files.h"
#include "block/detail/map_format.h"
#include "block/detail/presence.h"

namespace kiln::block {

// The entries of all directories that exist, and of their pages.
struct MapTables {
    struct Directory {
        MapEntry entry;
        std::vector<MapEntry> pages;
    };
    std::map<std::uint64_t, Directory> directories;
};

struct LoadedMap {
    MapTables tables;
    PresenceMap presence;
};
// Reads what the superblock leads to. The file stays open meanwhile.
void load_map(io::Io& io, io::Scheduler& scheduler, io::FileId file, const Superblock& superblock,
              io::Callback<Result<LoadedMap>> done);

class MapFile {
  public:
    MapFile(const LayerContext& context, io::FileId file, Superblock superblock, MapTables tables);

    io::FileId file() const { return file_; }
    const Superblock& superblock() const { return superblock_; }

    // From the next superblock on the layer has this size, more than now. True when the map moves
    // for it: then every page there is must be frozen when write_pages() is called. Forgotten by
    // abandon_pages().
    bool extend(std::uint64_t size_bytes);
    // Writes the frozen pages and the tables above them, and syncs.
    void write_pages(PresenceMap& presence, Done done);
    // Forgets what write_pages() wrote.
    void abandon_pages();
    // Puts `next` in force; generation, root, and size and place after extend() are filled in here.
    void write_superblock(Superblock next, Done done);

  private:
    void write_batch();
    void pages_written();
    Bytes encode(MapItem item);
    MapEntry& pending_entry(MapItem item);
    MapTables::Directory& pending_directory(std::uint64_t number);
    void sync_then(Done done);
    // As the checkpoint under way will have it.
    const Superblock& target() const { return extended_ ? *extended_ : superblock_; }
    bool moves() const { return extended_ && extended_->map_start != superblock_.map_start; }

    const LayerContext& context_;
    const io::FileId file_;
    Superblock superblock_;
    MapTables tables_;
    std::optional<Superblock> extended_;  // size and place of the map count
    // Of the checkpoint under way.
    PresenceMap* presence_ = nullptr;
    std::vector<MapItem> items_;
    std::size_t next_item_ = 0;
    std::vector<Bytes> buffers_;
    MapTables pending_;
    MapEntry pending_root_;
    Done pages_done_;
    Bytes superblock_bytes_;
};

}  // namespace kiln::block
