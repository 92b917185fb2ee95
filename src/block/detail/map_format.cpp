// SPDX-License-Identifier: Apache-2.0
#include "block/detail/map_format.h"

#include "block/detail/text_field.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::uint64_t kUnit = 4096;

std::uint64_t round_up(std::uint64_t bytes) {
    return (bytes + kUnit - 1) / kUnit * kUnit;
}

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) {
    return (value + by - 1) / by;
}

}  // namespace

MapLayout::MapLayout(std::uint64_t size_bytes, std::uint32_t page_blocks,
                     std::uint32_t directory_pages)
    : directory_pages_(directory_pages),
      pages_(divide_up(size_bytes / kBlockBytes, page_blocks)),
      directories_(divide_up(pages_, directory_pages)),
      room_(directories_),
      root_bytes_(round_up(kMapEntryBytes * directories_)),
      directory_bytes_(round_up(kMapEntryBytes * directory_pages_)),
      page_bytes_(round_up(page_blocks / 4)) {}

MapLayout::MapLayout(const Superblock& superblock)
    : MapLayout(superblock.size_bytes, superblock.page_blocks, superblock.directory_pages) {
    if (superblock.map_start != 0) {
        start_ = superblock.map_start;
        room_ = superblock.map_directories;
        root_bytes_ = round_up(kMapEntryBytes * room_);
    }
}

std::uint64_t MapLayout::end() const {
    return offset({MapPart::page, room_ * directory_pages_}, 0);
}

std::size_t MapLayout::entries(MapItem table) const {
    return table.part == MapPart::root
               ? directories_
               : std::min(directory_pages_, pages_ - table.number * directory_pages_);
}

std::size_t MapLayout::slot_bytes(MapPart part) const {
    switch (part) {
        case MapPart::root:
            return root_bytes_;
        case MapPart::directory:
            return directory_bytes_;
        case MapPart::page:
            return page_bytes_;
    }
    INVARIANT(false);
}

std::uint64_t MapLayout::offset(MapItem item, std::uint32_t slot) const {
    std::uint64_t start = start_;
    if (item.part != MapPart::root) {
        start += 2 * root_bytes_;
    }
    if (item.part == MapPart::page) {
        start += 2 * directory_bytes_ * room_;
    }
    return start + (2 * item.number + slot) * slot_bytes(item.part);
}

std::uint32_t map_crc(MapItem item, std::uint64_t gen, ByteView slot) {
    std::uint8_t place[24];
    put_le(&place[0], static_cast<std::uint64_t>(item.part));
    put_le(&place[8], item.number);
    put_le(&place[16], gen);
    return crc32c(slot, crc32c(place));
}

Status check_slot(MapItem item, const MapEntry& entry, ByteView slot) {
    if (map_crc(item, entry.gen, slot) != entry.crc) {
        constexpr const char* kNames[] = {"root table", "directory ", "page "};
        const auto part = static_cast<std::size_t>(item.part);
        return Error(Code::data_loss,
                     std::string("the checksum of the map's ") + kNames[part - 1] +
                         (item.part == MapPart::root ? "" : std::to_string(item.number)) +
                         " is wrong");
    }
    return ok();
}

void put_entries(const std::vector<MapEntry>& entries, MutableByteView slot) {
    INVARIANT(entries.size() * kMapEntryBytes <= slot.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        put_map_entry(&slot[i * kMapEntryBytes], entries[i]);
    }
}

Result<std::vector<MapEntry>> get_entries(ByteView slot, std::size_t count, std::uint64_t max_gen) {
    if (slot.size() / kMapEntryBytes < count || !all_zero(slot.subspan(count * kMapEntryBytes))) {
        return Error(Code::data_loss, "a table of the map has bytes after its entries");
    }
    std::vector<MapEntry> entries(count);
    for (std::size_t i = 0; i < count; ++i) {
        TRY_ASSIGN(entries[i], get_map_entry(&slot[i * kMapEntryBytes], max_gen));
    }
    return entries;
}

}  // namespace kiln::block
