// SPDX-License-Identifier: Apache-2.0
#include "block/detail/journal_format.h"

#include "block/detail/text_field.h"
#include "block/ids.h"
#include "block/limits.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::string_view kMagic = "KILNJRNL";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kHeaderFieldsEnd = 196;

std::uint32_t header_crc(ByteView bytes) {
    const std::uint8_t zeros[4] = {};
    return crc32c(bytes.subspan(16), crc32c(zeros, crc32c(bytes.first(12))));
}

std::uint64_t encode_run(BlockRange run) {
    INVARIANT(run.count > 0 && run.count <= kMaxRunBlocks && run.first < 1ULL << 40);
    return run.first | run.count << 40;
}

Error damaged(std::uint64_t seq, const char* what) {
    return Error(Code::data_loss, "journal record " + std::to_string(seq) + ": " + what);
}

// A record that is consistent in itself; whether it belongs to the chain is the caller's question.
struct RawRecord {
    std::uint64_t seq = 0;
    std::uint8_t type = 0;
    std::uint32_t prev_crc = 0;
    std::uint32_t crc = 0;
    ByteView payload;
    std::size_t bytes() const { return record_bytes(payload.size()); }
};

std::optional<RawRecord> parse_raw(ByteView at) {
    if (at.size() < kRecordHeaderBytes) {
        return std::nullopt;
    }
    const auto length = get_le<std::uint32_t>(&at[8]);
    if (length > kMaxRecordPayload || length % 8 != 0 || length > at.size() - kRecordHeaderBytes) {
        return std::nullopt;
    }
    RawRecord record{.seq = get_le<std::uint64_t>(&at[0]),
                     .type = at[12],
                     .prev_crc = get_le<std::uint32_t>(&at[16]),
                     .crc = get_le<std::uint32_t>(&at[20]),
                     .payload = at.subspan(kRecordHeaderBytes, length)};
    // The cheap checks first: the search for leftovers tries every 8 bytes.
    if (record.seq == 0 || record.type == 0 || record.type > 7 || !all_zero(at.subspan(13, 3)) ||
        record.crc != crc32c(record.payload, crc32c(at.first(20)))) {
        return std::nullopt;
    }
    return record;
}

Status decode_runs(const RawRecord& raw, std::uint64_t layer_blocks, Record& out) {
    if (raw.payload.empty()) {
        return damaged(raw.seq, "no runs");
    }
    for (std::size_t i = 0; i < raw.payload.size(); i += 8) {
        const auto word = get_le<std::uint64_t>(&raw.payload[i]);
        const BlockRange run{word & ((1ULL << 40) - 1), word >> 40};
        if (run.count == 0 || run.end() > layer_blocks) {
            return damaged(raw.seq, "a run outside the layer");
        }
        out.runs.push_back(run);
    }
    return ok();
}

Status check_length(const RawRecord& raw, std::size_t length) {
    if (raw.payload.size() != length) {
        return damaged(raw.seq, "wrong length for its type");
    }
    return ok();
}

Status decode_through(const RawRecord& raw, Record& out) {
    out.through_seq = get_le<std::uint64_t>(&raw.payload[0]);
    out.synced_seq = get_le<std::uint64_t>(&raw.payload[8]);
    if (out.through_seq >= raw.seq || out.synced_seq >= raw.seq) {
        return damaged(raw.seq, "it covers itself");
    }
    return ok();
}

Status decode_logged(const RawRecord& raw, std::uint64_t layer_blocks, Record& out) {
    constexpr std::size_t kOne = logged_payload(1) - logged_payload(0);
    if (raw.payload.size() < logged_payload(1) ||
        (raw.payload.size() - logged_payload(0)) % kOne != 0) {
        return damaged(raw.seq, "wrong length for its type");
    }
    TRY(decode_through(raw, out));
    for (ByteView rest = raw.payload.subspan(logged_payload(0)); !rest.empty();
         rest = rest.subspan(kOne)) {
        const auto block = get_le<std::uint64_t>(&rest[0]);
        if (block >= layer_blocks || (!out.logged.empty() && block <= out.logged.back().block)) {
            return damaged(raw.seq, "a block outside the layer, or out of order");
        }
        out.logged.push_back({block, rest.subspan(8, kBlockBytes)});
    }
    return ok();
}

Result<Record> decode_record(const RawRecord& raw, std::uint64_t layer_blocks) {
    Record out{.seq = raw.seq, .type = static_cast<RecordType>(raw.type)};
    const std::uint8_t* at = raw.payload.data();
    switch (out.type) {
        case RecordType::set:
        case RecordType::zero: {
            TRY(decode_runs(raw, layer_blocks, out));
            break;
        }
        case RecordType::flushed: {
            TRY(check_length(raw, 16));
            TRY(decode_through(raw, out));
            break;
        }
        case RecordType::logged: {
            TRY(decode_logged(raw, layer_blocks, out));
            break;
        }
        case RecordType::freeze: {
            TRY(check_length(raw, 2 * kIdField));
            TRY_ASSIGN(out.freeze.set_id, get_text(at, kIdField));
            TRY_ASSIGN(out.freeze.successor, get_text(at + kIdField, kIdField));
            break;
        }
        case RecordType::ckpt: {
            TRY(check_length(raw, 8));
            out.generation = get_le<std::uint64_t>(at);
            break;
        }
        case RecordType::boot: {
            TRY(check_length(raw, kBootIdField));
            TRY_ASSIGN(out.boot_id, get_text(at, kBootIdField));
            break;
        }
    }
    return out;
}

void find_leftovers(ByteView ring, std::uint64_t start, JournalEnd& end) {
    std::size_t at = end.next.position - start;
    while (at + kRecordHeaderBytes <= ring.size()) {
        if (get_le<std::uint64_t>(&ring[at]) < end.next.seq) {  // zeros, nearly always
            at += 8;
            continue;
        }
        const auto raw = parse_raw(ring.subspan(at));
        if (!raw) {
            at += 8;
            continue;
        }
        at += raw->bytes();
        end.leftovers_end = start + at;
        if (static_cast<RecordType>(raw->type) == RecordType::ckpt && raw->payload.size() == 8) {
            end.ckpt_beyond = std::max(end.ckpt_beyond, get_le<std::uint64_t>(&raw->payload[0]));
        }
        const auto type = static_cast<RecordType>(raw->type);
        if ((type == RecordType::flushed || type == RecordType::logged) &&
            raw->payload.size() >= 16 && get_le<std::uint64_t>(&raw->payload[8]) >= end.next.seq) {
            end.synced_beyond = true;
        }
    }
}

}  // namespace

Bytes encode_journal_header(const JournalHeader& header) {
    Bytes bytes(kJournalHeaderBytes, 0);
    std::uint8_t* at = bytes.data();
    std::memcpy(at, kMagic.data(), kMagic.size());
    put_le<std::uint16_t>(at + 8, kVersion);
    put_text(at + 16, kStoreUuidField, header.store_uuid);
    put_text(at + 56, kIdField, header.volume_id);
    put_text(at + 120, kIdField, header.layer_id);
    put_le(at + 184, header.ring_bytes);
    put_le(at + 192, header.chain_seed);
    put_le(at + 12, header_crc(bytes));
    return bytes;
}

Result<JournalHeader> decode_journal_header(ByteView bytes) {
    if (bytes.size() != kJournalHeaderBytes || as_text(bytes.first(8)) != kMagic) {
        return Error(Code::data_loss, "not a layer journal");
    }
    if (get_le<std::uint32_t>(&bytes[12]) != header_crc(bytes)) {
        return Error(Code::data_loss, "the checksum of the journal header is wrong");
    }
    if (get_le<std::uint16_t>(&bytes[8]) != kVersion || get_le<std::uint16_t>(&bytes[10]) != 0) {
        return Error(Code::unsupported, "another version of the journal");
    }
    JournalHeader header;
    TRY_ASSIGN(header.store_uuid, get_text(&bytes[16], kStoreUuidField));
    TRY_ASSIGN(header.volume_id, get_text(&bytes[56], kIdField));
    TRY_ASSIGN(header.layer_id, get_text(&bytes[120], kIdField));
    header.ring_bytes = get_le<std::uint64_t>(&bytes[184]);
    header.chain_seed = get_le<std::uint32_t>(&bytes[192]);
    if (!all_zero(bytes.subspan(kHeaderFieldsEnd))) {
        return Error(Code::data_loss, "reserved bytes of the journal header are not zero");
    }
    return header;
}

Bytes encode_payload(const Record& record) {
    Bytes payload;
    ByteWriter out(payload);
    switch (record.type) {
        case RecordType::set:
        case RecordType::zero:
            for (const BlockRange run : record.runs) {
                out.le<std::uint64_t>(encode_run(run));
            }
            break;
        case RecordType::flushed:
            out.le(record.through_seq).le(record.synced_seq);
            break;
        case RecordType::logged:
            out.le(record.through_seq).le(record.synced_seq);
            for (const LoggedBlock& one : record.logged) {
                out.le(one.block).bytes(one.data);
            }
            break;
        case RecordType::freeze:
            payload.resize(2 * kIdField);
            put_text(payload.data(), kIdField, record.freeze.set_id);
            put_text(payload.data() + kIdField, kIdField, record.freeze.successor);
            break;
        case RecordType::ckpt:
            out.le(record.generation);
            break;
        case RecordType::boot:
            payload.resize(kBootIdField);
            put_text(payload.data(), kBootIdField, record.boot_id);
            break;
    }
    return payload;
}

void append_record(RecordType type, ByteView payload, JournalPosition& at, Bytes& out) {
    INVARIANT(payload.size() <= kMaxRecordPayload && payload.size() % 8 == 0);
    const std::size_t start = out.size();
    out.resize(start + record_bytes(payload.size()));
    std::uint8_t* header = out.data() + start;
    put_le(header, at.seq);
    put_le(header + 8, static_cast<std::uint32_t>(payload.size()));
    header[12] = static_cast<std::uint8_t>(type);
    put_le(header + 16, at.prev_crc);
    std::copy(payload.begin(), payload.end(), header + kRecordHeaderBytes);
    const std::uint32_t crc = crc32c(payload, crc32c(ByteView(header, 20)));
    put_le(header + 20, crc);
    at.position += record_bytes(payload.size());
    at.seq += 1;
    at.prev_crc = crc;
}

bool may_hold_record(ByteView data) {
    int alike = 0;
    for (std::size_t at = 0; at + 16 <= data.size(); at += 8) {
        const auto payload = get_le<std::uint32_t>(&data[at + 8]);
        const auto type = get_le<std::uint32_t>(&data[at + 12]);  // and what is reserved
        if (type == 0 || type > static_cast<std::uint32_t>(RecordType::logged) ||
            payload % 8 != 0 || payload > kMaxRecordPayload ||
            get_le<std::uint64_t>(&data[at]) == 0) {
            continue;
        }
        const ByteView rest = data.subspan(at);
        // Check sums of many would take long.
        if (record_bytes(payload) > rest.size() || ++alike > 8 || parse_raw(rest)) {
            return true;
        }
    }
    return false;
}

Result<JournalEnd> scan_journal(ByteView ring, const JournalPosition& head,
                                std::uint64_t layer_blocks,
                                const std::function<Status(const Record&)>& visit) {
    if (head.position > ring.size()) {
        return Error(Code::data_loss, "the journal is shorter than its head");
    }
    Bytes unrolled(ring.begin(), ring.end());
    std::rotate(unrolled.begin(), unrolled.begin() + static_cast<std::ptrdiff_t>(head.position),
                unrolled.end());
    return scan_unrolled(unrolled, head, layer_blocks, visit);
}

Result<JournalEnd> scan_unrolled(ByteView ring, const JournalPosition& head,
                                 std::uint64_t layer_blocks,
                                 const std::function<Status(const Record&)>& visit) {
    JournalEnd end{.next = head};
    while (true) {
        const auto raw = parse_raw(ring.subspan(end.next.position - head.position));
        if (!raw || raw->seq != end.next.seq || raw->prev_crc != end.next.prev_crc) {
            break;
        }
        TRY_ASSIGN(const Record record, decode_record(*raw, layer_blocks));
        TRY(visit(record));
        end.next = {end.next.position + raw->bytes(), raw->seq + 1, raw->crc};
    }
    find_leftovers(ring, head.position, end);
    return end;
}

}  // namespace kiln::block
