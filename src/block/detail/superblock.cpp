// SPDX-License-Identifier: Apache-2.0
#include "block/detail/superblock.h"

#include "block/detail/map_format.h"
#include "block/detail/text_field.h"
#include "block/ids.h"
#include "block/limits.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::string_view kMagic = "KILNLAYR";
constexpr std::uint16_t kVersion = 1;
// extent_mapped and encrypted have bits, and no reader yet.
constexpr std::uint16_t kMapPages = 1;
constexpr std::uint16_t kDataCrc = 2;
constexpr std::uint16_t kMapMoved = 16;
constexpr std::uint16_t kDataLogged = 32;
constexpr std::uint16_t kKnownFeatures = kMapPages | kDataCrc | kMapMoved | kDataLogged;
constexpr std::size_t kMapFields = 336;
constexpr std::size_t kMovedFields = 368;
constexpr std::size_t kFieldsEnd = 380;

std::size_t fields_end(const Superblock& s) {
    return s.map_start != 0 ? kFieldsEnd : s.map_pages ? kMovedFields : kMapFields;
}

std::uint32_t crc_of(ByteView bytes) {
    const std::uint8_t zeros[4] = {};
    return crc32c(bytes.subspan(16), crc32c(zeros, crc32c(bytes.first(12))));
}

Status check_header(ByteView bytes) {
    if (bytes.size() != kSuperblockBytes || as_text(bytes.first(8)) != kMagic) {
        return Error(Code::data_loss, "not a layer superblock");
    }
    if (get_le<std::uint32_t>(&bytes[12]) != crc_of(bytes)) {
        return Error(Code::data_loss, "the checksum of the superblock is wrong");
    }
    const auto version = get_le<std::uint16_t>(&bytes[8]);
    if (version != kVersion) {
        return Error(Code::unsupported, "layer format version " + std::to_string(version));
    }
    const auto features = get_le<std::uint16_t>(&bytes[10]);
    if ((features & ~kKnownFeatures) != 0) {
        return Error(Code::unsupported, "layer feature bits " + std::to_string(features));
    }
    return ok();
}

Status check_fields(const Superblock& s) {
    const Geometry geometry{.shard_bytes = s.shard_bytes,
                            .page_blocks = s.page_blocks,
                            .directory_pages = s.map_pages ? s.directory_pages : 1,
                            .journal_bytes = s.max_ring_bytes,
                            .journal_first_bytes = s.map_pages ? s.ring_bytes : kMinJournalRing};
    if (!geometry.check() || s.size_bytes == 0 || s.size_bytes % kBlockBytes != 0 ||
        s.size_bytes > kMaxVolumeBytes) {
        return Error(Code::data_loss, "the sizes in the superblock are impossible");
    }
    if (!valid_id(s.layer_id) || !valid_id(s.volume_id) || s.generation == 0 || s.head.seq == 0) {
        return Error(Code::data_loss, "the ids in the superblock are impossible");
    }
    const bool in_ring = s.map_pages
                             ? s.ring_bytes <= s.max_ring_bytes && s.head.position < s.ring_bytes &&
                                   s.head.position % 8 == 0
                             : s.head.position == 0;
    if (!in_ring) {
        return Error(Code::data_loss, "the journal head in the superblock is impossible");
    }
    if (s.map_pages && MapLayout(s).directories() > kMaxDirectories) {
        return Error(Code::data_loss, "the superblock tells of too many directories");
    }
    if (s.map_start != 0 &&
        (!s.map_pages || s.map_start % kSuperblockBytes != 0 || s.map_start < kMapHeaderBytes ||
         s.map_start > kMaxMapStart || s.map_directories > kMaxDirectories ||
         s.map_directories < MapLayout(s).directories())) {
        return Error(Code::data_loss, "the place of the map in the superblock is impossible");
    }
    if (s.key.algorithm != 0) {
        return Error(Code::unsupported, "an encrypted layer");
    }
    return ok();
}

}  // namespace

void put_map_entry(std::uint8_t* at, const MapEntry& entry) {
    put_le(at, entry.crc);
    put_le(at + 4, entry.slot);
    put_le(at + 8, entry.gen);
}

Result<MapEntry> get_map_entry(const std::uint8_t* at, std::uint64_t max_gen) {
    const MapEntry entry{.crc = get_le<std::uint32_t>(at),
                         .slot = get_le<std::uint32_t>(at + 4),
                         .gen = get_le<std::uint64_t>(at + 8)};
    if (entry.slot > 1 || entry.gen > max_gen || (!entry.exists() && entry != MapEntry{})) {
        return Error(Code::data_loss, "an entry of the map is impossible");
    }
    return entry;
}

Bytes encode_superblock(const Superblock& s) {
    Bytes bytes(kSuperblockBytes, 0);
    std::uint8_t* at = bytes.data();
    std::memcpy(at, kMagic.data(), kMagic.size());
    put_le<std::uint16_t>(at + 8, kVersion);
    put_le<std::uint16_t>(at + 10, static_cast<std::uint16_t>((s.map_pages ? kMapPages : 0) |
                                                              (s.data_crc ? kDataCrc : 0) |
                                                              (s.map_start ? kMapMoved : 0) |
                                                              (s.data_logged ? kDataLogged : 0)));
    put_text(at + 16, kStoreUuidField, s.store_uuid);
    put_text(at + 56, kIdField, s.volume_id);
    put_text(at + 120, kIdField, s.layer_id);
    put_le(at + 184, s.size_bytes);
    put_le<std::uint32_t>(at + 192, kBlockBytes);
    put_le(at + 196, s.page_blocks);
    put_le(at + 200, s.shard_bytes);
    put_le(at + 208, s.generation);
    put_text(at + 216, kBootIdField, s.boot_id);
    put_le(at + 256, s.fencing_token);
    put_le(at + 264, s.key.algorithm);
    std::memcpy(at + 272, s.key.record_id.data(), s.key.record_id.size());
    std::memcpy(at + 288, s.key.check_value.data(), s.key.check_value.size());
    put_le(at + 296, s.max_ring_bytes);
    put_le(at + 304, s.head.position);
    put_le(at + 312, s.head.seq);
    put_le(at + 320, s.head.prev_crc);
    put_le(at + 328, s.floor_seq);
    if (s.map_pages) {
        put_le(at + kMapFields, s.directory_pages);
        put_map_entry(at + 344, s.root);
        put_le(at + 360, s.ring_bytes);
    }
    if (s.map_start != 0) {
        put_le(at + kMovedFields, s.map_start);
        put_le(at + 376, s.map_directories);
    }
    put_le(at + 12, crc_of(bytes));
    return bytes;
}

Result<Superblock> decode_superblock(ByteView bytes) {
    TRY(check_header(bytes));
    const std::uint8_t* at = bytes.data();
    Superblock s;
    TRY_ASSIGN(s.store_uuid, get_text(at + 16, kStoreUuidField));
    TRY_ASSIGN(s.volume_id, get_text(at + 56, kIdField));
    TRY_ASSIGN(s.layer_id, get_text(at + 120, kIdField));
    s.size_bytes = get_le<std::uint64_t>(at + 184);
    s.page_blocks = get_le<std::uint32_t>(at + 196);
    s.shard_bytes = get_le<std::uint64_t>(at + 200);
    s.generation = get_le<std::uint64_t>(at + 208);
    TRY_ASSIGN(s.boot_id, get_text(at + 216, kBootIdField));
    s.fencing_token = get_le<std::uint64_t>(at + 256);
    s.key.algorithm = get_le<std::uint32_t>(at + 264);
    std::memcpy(s.key.record_id.data(), at + 272, s.key.record_id.size());
    std::memcpy(s.key.check_value.data(), at + 288, s.key.check_value.size());
    s.max_ring_bytes = get_le<std::uint64_t>(at + 296);
    s.head.position = get_le<std::uint64_t>(at + 304);
    s.head.seq = get_le<std::uint64_t>(at + 312);
    s.head.prev_crc = get_le<std::uint32_t>(at + 320);
    s.floor_seq = get_le<std::uint64_t>(at + 328);
    const auto features = get_le<std::uint16_t>(at + 10);
    s.map_pages = (features & kMapPages) != 0;
    s.data_crc = (features & kDataCrc) != 0;
    s.data_logged = (features & kDataLogged) != 0;
    if (s.map_pages) {
        s.directory_pages = get_le<std::uint32_t>(at + kMapFields);
        TRY_ASSIGN(s.root, get_map_entry(at + 344, s.generation));
        s.ring_bytes = get_le<std::uint64_t>(at + 360);
    } else {
        s.ring_bytes = s.max_ring_bytes;
    }
    if ((features & kMapMoved) != 0) {
        s.map_start = get_le<std::uint64_t>(at + kMovedFields);
        s.map_directories = get_le<std::uint32_t>(at + 376);
        if (s.map_start == 0) {
            return Error(Code::data_loss, "the superblock tells of a moved map, and not where");
        }
    }
    if (get_le<std::uint32_t>(at + 192) != kBlockBytes) {
        return Error(Code::unsupported, "a layer with other than 4096-byte blocks");
    }
    if (!all_zero(bytes.subspan(268, 4)) || !all_zero(bytes.subspan(324, 4)) ||
        !all_zero(bytes.subspan(kMapFields + 4, 4)) || !all_zero(bytes.subspan(fields_end(s)))) {
        return Error(Code::data_loss, "reserved bytes of the superblock are not zero");
    }
    TRY(check_fields(s));
    return s;
}

Result<Superblock> choose_superblock(ByteView map) {
    if (map.size() < kMapHeaderBytes) {
        return Error(Code::data_loss, "the map file is too short");
    }
    auto a = decode_superblock(map.first(kSuperblockBytes));
    auto b = decode_superblock(map.subspan(kSuperblockBytes, kSuperblockBytes));
    // A slot written by a newer program must not be hidden by an older one beside it.
    for (auto* slot : {&a, &b}) {
        if (!*slot && slot->error().code() == Code::unsupported) {
            return slot->error();
        }
    }
    if (a && b) {
        return a->generation > b->generation ? a : b;
    }
    return a ? a : b ? b : a;
}

}  // namespace kiln::block
