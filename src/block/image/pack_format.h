// SPDX-License-Identifier: Apache-2.0
// Packs, version 1 (docs/formats/pack.md): building one in memory, reading an entry, reading the
// footer. Parsers take any bytes and answer data_loss, or unsupported for what a newer program
// wrote. Thread model: functions are pure; a PackBuilder has one owner.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "block/image/codec.h"
#include "block/image/image_ids.h"

namespace kiln::block {

enum class PackKind : std::uint8_t { data = 1, node = 2 };
enum class EntryType : std::uint8_t { chunk = 1, node = 2, root = 3 };
enum class DigestKind : std::uint8_t { sha256 = 1, hmac_sha256 = 2 };
enum class Encryption : std::uint8_t { none = 0, aes_256_gcm = 1 };

inline constexpr std::size_t kPackHeaderBytes = 128;
inline constexpr std::size_t kEntryHeaderBytes = 64;
inline constexpr std::size_t kFooterEntryBytes = 48;
// Header copy, array, fence, trailer.
inline constexpr std::size_t pack_footer_bytes(std::size_t entries) {
    return kPackHeaderBytes + entries * kFooterEntryBytes + 1024 + 64;
}

struct PackHeader {
    std::string store_uuid;  // at most 39 bytes
    PackKind kind = PackKind::data;
    DigestKind digest = DigestKind::sha256;
    DomainId domain;
    PackId pack;
    std::uint64_t epoch = 0;
    friend bool operator==(const PackHeader&, const PackHeader&) = default;
};

struct PackEntry {
    ChunkId id;
    std::uint32_t offset = 0;  // of the entry's header in the pack
    std::uint32_t stored_bytes = 0;
    std::uint32_t plain_bytes = 0;
    EntryType type = EntryType::chunk;
    Codec codec = Codec::none;
    Encryption encryption = Encryption::none;
    friend bool operator==(const PackEntry&, const PackEntry&) = default;
};

// What it takes in its pack.
inline std::uint64_t entry_bytes(const PackEntry& entry) {
    return kEntryHeaderBytes + std::uint64_t{entry.stored_bytes};
}

// `pack-<store uuid>-<pack id>`.
std::string pack_name(const std::string& store_uuid, const PackId& pack);

// One entry as it lies in a pack: header and stored bytes. entry.offset is not used.
Bytes encode_entry(const PackEntry& entry, ByteView stored);
void append_entry(const PackEntry& entry, ByteView stored, Bytes& to);
// Checks header, crc and that it is the entry expected, decodes, checks the digest: what this
// returns is the plaintext of expected.id.
Result<Bytes> open_entry(const PackEntry& expected, ByteView bytes);

class PackBuilder {
  public:
    // In the memory of `room`, as far as that goes.
    explicit PackBuilder(const PackHeader& header, Bytes room = {});
    // `encoded` by encode_entry. No id twice.
    void add(const PackEntry& entry, ByteView encoded);
    bool empty() const { return entries_.empty(); }
    std::size_t count() const { return entries_.size(); }
    std::size_t bytes() const { return bytes_.size(); }
    const PackHeader& header() const { return header_; }
    // Entries ordered by id afterwards. The builder is done then.
    Bytes finish();
    const std::vector<PackEntry>& entries() const { return entries_; }

  private:
    PackHeader header_;
    Bytes bytes_;
    std::vector<PackEntry> entries_;
};

Result<PackHeader> decode_pack_header(ByteView bytes);

struct PackFooter {
    PackHeader header;
    std::vector<PackEntry> entries;  // by ascending id
    std::array<std::uint32_t, 256> fence{};
    const PackEntry* find(const ChunkId& id) const;
};

// `tail` is the end of an object of `object_bytes`, kPackTailBytes of it or all.
Result<PackFooter> decode_pack_tail(ByteView tail, std::uint64_t object_bytes);

}  // namespace kiln::block
