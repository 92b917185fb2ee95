// SPDX-License-Identifier: Apache-2.0
// Where things are in a layer's map file and their bytes (docs/formats/layer.md, "Map pages"): root
// table, directories, pages, each in two slots. Parsers are bounded and take any bytes. Thread
// model: pure functions.
#pragma once

#include <vector>

#include "block/detail/superblock.h"

namespace kiln::block {

inline constexpr std::size_t kMapEntryBytes = 16;

enum class MapPart : std::uint8_t { root = 1, directory = 2, page = 3 };

// One part of the map: `number` counts the parts of a kind; the root table is number 0.
struct MapItem {
    MapPart part = MapPart::root;
    std::uint64_t number = 0;
};

class MapLayout {
  public:
    MapLayout(std::uint64_t size_bytes, std::uint32_t page_blocks, std::uint32_t directory_pages);
    explicit MapLayout(const Superblock& superblock);

    std::uint64_t pages() const { return pages_; }
    std::uint64_t directories() const { return directories_; }
    // How many directories it has places for.
    std::uint64_t room() const { return room_; }
    // Behind everything of it.
    std::uint64_t end() const;
    std::uint64_t directory_of(std::uint64_t page) const { return page / directory_pages_; }
    std::size_t index_in_directory(std::uint64_t page) const { return page % directory_pages_; }
    std::uint64_t first_page(MapItem directory) const {
        return directory.number * directory_pages_;
    }
    // What a table has entries for; the last directory may have fewer than the others.
    std::size_t entries(MapItem table) const;
    std::size_t slot_bytes(MapPart part) const;
    std::uint64_t offset(MapItem item, std::uint32_t slot) const;

  private:
    std::uint64_t directory_pages_;
    std::uint64_t pages_;
    std::uint64_t directories_;
    std::uint64_t start_ = kMapHeaderBytes;
    std::uint64_t room_;
    std::uint64_t root_bytes_;
    std::uint64_t directory_bytes_;
    std::uint64_t page_bytes_;
};

std::uint32_t map_crc(MapItem item, std::uint64_t gen, ByteView slot);
// data_loss if these are not the bytes the entry vouches for.
Status check_slot(MapItem item, const MapEntry& entry, ByteView slot);

// `slot` has the length of a slot and is zero.
void put_entries(const std::vector<MapEntry>& entries, MutableByteView slot);
// data_loss for entries that break a rule, and for bytes after them.
Result<std::vector<MapEntry>> get_entries(ByteView slot, std::size_t count, std::uint64_t max_gen);

}  // namespace kiln::block
