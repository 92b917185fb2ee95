// SPDX-License-Identifier: Apache-2.0
#include "block/image/pack_format.h"

#include <algorithm>

#include "block/detail/text_field.h"
#include "block/image/image_limits.h"
#include "util/check.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::string_view kMagic = "KILNPACK";
constexpr std::string_view kEndMagic = "KILNPEND";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kFenceBytes = 1024;
constexpr std::size_t kTrailerBytes = 64;
constexpr std::size_t kUuidField = 40;

static_assert(kPackHeaderBytes + kMaxPackEntries * kFooterEntryBytes + kFenceBytes +
                  kTrailerBytes <=
              kPackTailBytes);

Error damaged(const char* what) {
    return Error(Code::data_loss, std::string("a pack is damaged: ") + what);
}

std::uint32_t crc_without(ByteView bytes, std::size_t field) {
    const std::uint8_t zeros[4] = {};
    return crc32c(bytes.subspan(field + 4), crc32c(zeros, crc32c(bytes.first(field))));
}

Bytes encode_header(const PackHeader& header) {
    Bytes bytes(kPackHeaderBytes, 0);
    std::uint8_t* at = bytes.data();
    std::memcpy(at, kMagic.data(), kMagic.size());
    put_le(at + 8, kVersion);
    put_text(at + 16, kUuidField, header.store_uuid);
    at[56] = static_cast<std::uint8_t>(header.kind);
    at[57] = static_cast<std::uint8_t>(header.digest);
    std::memcpy(at + 64, header.domain.bytes.data(), DomainId::kBytes);
    std::memcpy(at + 80, header.pack.bytes.data(), PackId::kBytes);
    put_le(at + 96, header.epoch);
    put_le(at + 12, crc_without(bytes, 12));
    return bytes;
}

// Codec, encryption, lengths and type, as header and footer say them.
Status check_entry(const PackEntry& entry, std::uint8_t codec, std::uint8_t encryption,
                   std::uint8_t type) {
    if (codec > static_cast<std::uint8_t>(Codec::zstd)) {
        return Error(Code::unsupported, "codec " + std::to_string(codec));
    }
    if (encryption != 0) {
        return Error(Code::unsupported, "an encrypted entry");
    }
    if (type < 1 || type > 3) {
        return Error(Code::unsupported, "entry type " + std::to_string(type));
    }
    if (entry.stored_bytes == 0 || entry.plain_bytes == 0 || entry.plain_bytes > kMaxPlainBytes ||
        entry.stored_bytes > entry.plain_bytes) {
        return damaged("the lengths of an entry");
    }
    return ok();
}

// Digest of the footer before the trailer and the trailer's first 16 bytes.
crypto::Digest256 footer_digest(ByteView footer) {
    return crypto::sha256(footer.first(footer.size() - kTrailerBytes + 16));
}

void append_fence(const std::vector<PackEntry>& entries, ByteWriter& writer) {
    std::size_t below = 0;
    for (unsigned first = 0; first < 256; ++first) {
        while (below < entries.size() && entries[below].id.bytes[0] <= first) {
            ++below;
        }
        writer.le(static_cast<std::uint32_t>(below));
    }
}

Status decode_array(ByteView array, std::uint64_t footer_offset, PackFooter& footer) {
    ByteReader reader(array);
    while (reader.remaining() > 0) {
        PackEntry entry;
        entry.id = ChunkId::from(reader.bytes(ChunkId::kBytes));
        entry.offset = reader.le<std::uint32_t>();
        entry.stored_bytes = reader.le<std::uint32_t>();
        entry.plain_bytes = reader.le<std::uint32_t>();
        const auto type = reader.le<std::uint8_t>();
        const auto codec = reader.le<std::uint8_t>();
        const auto encryption = reader.le<std::uint8_t>();
        if (reader.le<std::uint8_t>() != 0) {
            return damaged("reserved bytes of the footer");
        }
        TRY(check_entry(entry, codec, encryption, type));
        entry.type = static_cast<EntryType>(type);
        entry.codec = static_cast<Codec>(codec);
        const std::uint64_t end = entry.offset + entry_bytes(entry);
        if (entry.offset < kPackHeaderBytes || end > footer_offset) {
            return damaged("an entry outside the pack");
        }
        if ((entry.type == EntryType::chunk) != (footer.header.kind == PackKind::data)) {
            return damaged("an entry of the wrong kind");
        }
        if (!footer.entries.empty() && !(footer.entries.back().id < entry.id)) {
            return damaged("the order of the footer");
        }
        footer.entries.push_back(entry);
    }
    return ok();
}

Status decode_fence(ByteView fence, PackFooter& footer) {
    Bytes right;
    ByteWriter writer(right);
    append_fence(footer.entries, writer);
    if (!std::equal(fence.begin(), fence.end(), right.begin(), right.end())) {
        return damaged("the fence");
    }
    for (std::size_t i = 0; i < footer.fence.size(); ++i) {
        footer.fence[i] = get_le<std::uint32_t>(&fence[4 * i]);
    }
    return ok();
}

// The footer's bytes out of the tail.
Result<ByteView> find_footer(ByteView tail, std::uint64_t object_bytes) {
    if (object_bytes > kMaxPackBytes || tail.size() < kTrailerBytes + kPackHeaderBytes ||
        tail.size() > object_bytes) {
        return damaged("its length");
    }
    const ByteView trailer = tail.last(kTrailerBytes);
    if (as_text(trailer.last(8)) != kEndMagic) {
        return damaged("no footer");
    }
    if (get_le<std::uint16_t>(&trailer[48]) != kVersion) {
        return Error(Code::unsupported, "a newer footer");
    }
    const auto count = get_le<std::uint32_t>(&trailer[0]);
    const auto length = get_le<std::uint32_t>(&trailer[4]);
    if (count == 0 || count > kMaxPackEntries || length > tail.size() ||
        length != kPackHeaderBytes + count * kFooterEntryBytes + kFenceBytes + kTrailerBytes ||
        get_le<std::uint64_t>(&trailer[8]) != object_bytes - length) {
        return damaged("the lengths of its footer");
    }
    return tail.last(length);
}

}  // namespace

std::string pack_name(const std::string& store_uuid, const PackId& pack) {
    return "pack-" + store_uuid + "-" + pack.hex();
}

Bytes encode_entry(const PackEntry& entry, ByteView stored) {
    Bytes bytes;
    bytes.reserve(kEntryHeaderBytes + stored.size());
    append_entry(entry, stored, bytes);
    return bytes;
}

void append_entry(const PackEntry& entry, ByteView stored, Bytes& to) {
    INVARIANT(stored.size() == entry.stored_bytes && entry.encryption == Encryption::none);
    const std::size_t start = to.size();
    to.resize(start + kEntryHeaderBytes);
    std::uint8_t* const header = &to[start];
    std::memcpy(header, entry.id.bytes.data(), ChunkId::kBytes);
    header[32] = static_cast<std::uint8_t>(entry.type);
    header[33] = static_cast<std::uint8_t>(entry.codec);
    put_le(header + 36, entry.stored_bytes);
    put_le(header + 40, entry.plain_bytes);
    to.insert(to.end(), stored.begin(), stored.end());
    put_le(&to[start + 56], crc_without(ByteView(to).subspan(start), 56));
}

Result<Bytes> open_entry(const PackEntry& expected, ByteView bytes) {
    if (bytes.size() != entry_bytes(expected)) {
        return damaged("an entry is cut");
    }
    if (get_le<std::uint32_t>(&bytes[56]) != crc_without(bytes, 56)) {
        return damaged("the checksum of an entry");
    }
    PackEntry found;
    found.id = ChunkId::from(bytes.first(ChunkId::kBytes));
    found.offset = expected.offset;
    found.stored_bytes = get_le<std::uint32_t>(&bytes[36]);
    found.plain_bytes = get_le<std::uint32_t>(&bytes[40]);
    TRY(check_entry(found, bytes[33], bytes[34], bytes[32]));
    found.type = static_cast<EntryType>(bytes[32]);
    found.codec = static_cast<Codec>(bytes[33]);
    if (found != expected || bytes[35] != 0 || !all_zero(bytes.subspan(44, 12)) ||
        !all_zero(bytes.subspan(60, 4))) {
        return damaged("an entry is not what the index says");
    }
    TRY_ASSIGN(Bytes plain,
               decode(found.codec, bytes.subspan(kEntryHeaderBytes), found.plain_bytes));
    if (plain_id(plain) != expected.id) {
        return damaged("the bytes of an entry do not match its id");
    }
    return plain;
}

PackBuilder::PackBuilder(const PackHeader& header, Bytes room)
    : header_(header), bytes_(std::move(room)) {
    const Bytes encoded = encode_header(header);
    bytes_.assign(encoded.begin(), encoded.end());
}

void PackBuilder::add(const PackEntry& entry, ByteView encoded) {
    INVARIANT(entries_.size() < kMaxPackEntries && bytes_.size() + encoded.size() < kMaxPackBytes);
    entries_.push_back(entry);
    entries_.back().offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_.insert(bytes_.end(), encoded.begin(), encoded.end());
}

Bytes PackBuilder::finish() {
    INVARIANT(!entries_.empty());
    std::sort(entries_.begin(), entries_.end(),
              [](const PackEntry& a, const PackEntry& b) { return a.id < b.id; });
    const std::size_t start = bytes_.size();
    const Bytes header(bytes_.begin(), bytes_.begin() + kPackHeaderBytes);
    ByteWriter writer(bytes_);
    writer.bytes(header);
    for (const PackEntry& entry : entries_) {
        writer.bytes(entry.id.view())
            .le(entry.offset)
            .le(entry.stored_bytes)
            .le(entry.plain_bytes)
            .le(static_cast<std::uint8_t>(entry.type))
            .le(static_cast<std::uint8_t>(entry.codec))
            .le(static_cast<std::uint8_t>(entry.encryption))
            .le(std::uint8_t{0});
    }
    append_fence(entries_, writer);
    const std::size_t trailer = bytes_.size();
    writer.le(static_cast<std::uint32_t>(entries_.size()))
        .le(static_cast<std::uint32_t>(trailer + kTrailerBytes - start))
        .le(static_cast<std::uint64_t>(start))
        .zeros(32)
        .le(kVersion)
        .zeros(6)
        .bytes(as_bytes(kEndMagic));
    const auto digest = footer_digest(ByteView(bytes_).subspan(start));
    std::memcpy(&bytes_[trailer + 16], digest.data(), digest.size());
    return std::move(bytes_);
}

Result<PackHeader> decode_pack_header(ByteView bytes) {
    if (bytes.size() != kPackHeaderBytes || as_text(bytes.first(8)) != kMagic ||
        get_le<std::uint32_t>(&bytes[12]) != crc_without(bytes, 12)) {
        return damaged("its header");
    }
    if (get_le<std::uint16_t>(&bytes[8]) != kVersion || get_le<std::uint16_t>(&bytes[10]) != 0) {
        return Error(Code::unsupported, "a pack of a newer version");
    }
    PackHeader header;
    TRY_ASSIGN(header.store_uuid, get_text(&bytes[16], kUuidField));
    if (bytes[56] < 1 || bytes[56] > 2 || !all_zero(bytes.subspan(58, 6)) ||
        !all_zero(bytes.subspan(104))) {
        return damaged("the fields of its header");
    }
    if (bytes[57] != static_cast<std::uint8_t>(DigestKind::sha256)) {
        return Error(Code::unsupported, "a pack of a keyed domain");
    }
    header.kind = static_cast<PackKind>(bytes[56]);
    header.domain = DomainId::from(bytes.subspan(64, DomainId::kBytes));
    header.pack = PackId::from(bytes.subspan(80, PackId::kBytes));
    header.epoch = get_le<std::uint64_t>(&bytes[96]);
    return header;
}

const PackEntry* PackFooter::find(const ChunkId& id) const {
    const std::uint8_t first = id.bytes[0];
    const auto begin = entries.begin() + (first == 0 ? 0 : fence[first - 1U]);
    const auto end = entries.begin() + fence[first];
    const auto at = std::lower_bound(
        begin, end, id, [](const PackEntry& entry, const ChunkId& key) { return entry.id < key; });
    return at != end && at->id == id ? &*at : nullptr;
}

Result<PackFooter> decode_pack_tail(ByteView tail, std::uint64_t object_bytes) {
    TRY_ASSIGN(const ByteView bytes, find_footer(tail, object_bytes));
    const ByteView trailer = bytes.last(kTrailerBytes);
    const auto digest = footer_digest(bytes);
    if (!std::equal(digest.begin(), digest.end(), &trailer[16]) ||
        !all_zero(trailer.subspan(50, 6))) {
        return damaged("the digest of its footer");
    }
    PackFooter footer;
    TRY_ASSIGN(footer.header, decode_pack_header(bytes.first(kPackHeaderBytes)));
    const std::size_t array_bytes = bytes.size() - kPackHeaderBytes - kFenceBytes - kTrailerBytes;
    TRY(decode_array(bytes.subspan(kPackHeaderBytes, array_bytes), object_bytes - bytes.size(),
                     footer));
    TRY(decode_fence(bytes.subspan(kPackHeaderBytes + array_bytes, kFenceBytes), footer));
    return footer;
}

}  // namespace kiln::block
