// SPDX-License-Identifier: Apache-2.0
// The superblock of a layer (docs/formats/layer.md) as a value, and its bytes. Thread model: pure
// functions.
#pragma once

#include <array>
#include <string>

#include "block/geometry.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::block {

inline constexpr std::size_t kSuperblockBytes = 4096;
inline constexpr std::size_t kMapHeaderBytes = 2 * kSuperblockBytes;
inline constexpr std::size_t kStoreUuidField = 40;
inline constexpr std::size_t kBootIdField = 40;
inline constexpr std::size_t kIdField = 64;

// Where the next record is, or is to be written, and what it must carry.
struct JournalPosition {
    std::uint64_t position = 0;
    std::uint64_t seq = 1;
    std::uint32_t prev_crc = 0;
};

// Names one slot of the map file and vouches for its bytes.
struct MapEntry {
    std::uint32_t crc = 0;
    std::uint32_t slot = 0;
    std::uint64_t gen = 0;  // of the checkpoint that wrote it; 0: nothing was ever set below
    bool exists() const { return gen != 0; }
    friend bool operator==(const MapEntry&, const MapEntry&) = default;
};

// How the bytes are encrypted; all zero: they are not. Nothing writes other values yet.
struct LayerKey {
    std::uint32_t algorithm = 0;
    std::array<std::uint8_t, 16> record_id{};
    std::array<std::uint8_t, 8> check_value{};
};

struct Superblock {
    std::string store_uuid;
    std::string volume_id;
    std::string layer_id;
    std::uint64_t size_bytes = 0;
    std::uint32_t page_blocks = 0;
    std::uint64_t shard_bytes = 0;
    std::uint64_t generation = 0;
    std::string boot_id;  // in effect at the journal head
    std::uint64_t fencing_token = 0;
    LayerKey key;
    std::uint64_t max_ring_bytes = 0;
    JournalPosition head;  // its position is a place in the ring
    std::uint64_t floor_seq = 0;
    // With the feature map_pages; else there are no pages, and the ring has max_ring_bytes.
    bool map_pages = false;
    std::uint32_t directory_pages = 0;
    MapEntry root;
    std::uint64_t ring_bytes = 0;
    // With the feature map_moved: the layer grew beyond what its map had places for, and the map
    // begins here, with places for so many directories. Else 0.
    std::uint64_t map_start = 0;
    std::uint32_t map_directories = 0;
    // The layer is sealed, and check sums of its data are in a file (data_crc_format.h).
    bool data_crc = false;
    // The journal may have LOGGED records.
    bool data_logged = false;
};

void put_map_entry(std::uint8_t* at, const MapEntry& entry);
// data_loss for an entry that no checkpoint up to `max_gen` writes.
Result<MapEntry> get_map_entry(const std::uint8_t* at, std::uint64_t max_gen);

Bytes encode_superblock(const Superblock& superblock);
// data_loss for damaged bytes; unsupported for another version or an unknown feature.
Result<Superblock> decode_superblock(ByteView bytes);
// The valid slot of the higher generation. `map` holds both slots.
Result<Superblock> choose_superblock(ByteView map);
// The offset of the slot that a superblock of this generation is written to.
inline std::uint64_t superblock_offset(std::uint64_t generation) {
    return (generation - 1) % 2 * kSuperblockBytes;
}

}  // namespace kiln::block
