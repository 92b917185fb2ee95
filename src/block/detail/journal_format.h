// SPDX-License-Identifier: Apache-2.0
// Bytes of the layer journal (docs/formats/layer.md): header, records, and the scan that finds
// where a journal ends and whether that end is torn by a crash or damaged. Parsers are bounded and
// take any bytes. Thread model: pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "block/detail/superblock.h"
#include "block/layer.h"
#include "block/limits.h"

namespace kiln::block {

inline constexpr std::size_t kJournalHeaderBytes = 4096;
inline constexpr std::size_t kRecordHeaderBytes = 24;
// u40 block, u24 count.
inline constexpr std::uint64_t kMaxRunBlocks = (1ULL << 24) - 1;

enum class RecordType : std::uint8_t {
    set = 1,
    zero = 2,
    flushed = 3,
    freeze = 4,
    ckpt = 5,
    boot = 6,
    logged = 7
};

struct JournalHeader {
    std::string store_uuid;
    std::string volume_id;
    std::string layer_id;
    std::uint64_t ring_bytes = 0;
    std::uint32_t chain_seed = 0;
};

// A block's data in a LOGGED record: in the bytes that were scanned, or of whoever encodes it.
struct LoggedBlock {
    std::uint64_t block = 0;
    ByteView data;
};
inline constexpr std::size_t kMaxLoggedBlocks = (kMaxRecordPayload - 16) / (8 + kBlockBytes);
inline constexpr std::size_t logged_payload(std::size_t blocks) {
    return 16 + blocks * (8 + kBlockBytes);
}

struct Record {
    std::uint64_t seq = 0;
    RecordType type = RecordType::set;
    std::vector<BlockRange> runs;       // set, zero
    std::uint64_t through_seq = 0;      // flushed, logged
    std::uint64_t synced_seq = 0;       // flushed, logged
    std::vector<LoggedBlock> logged{};  // logged: ascending by block; while it is visited
    Freeze freeze;                      // freeze
    std::string boot_id;                // boot
    std::uint64_t generation = 0;       // ckpt
};

Bytes encode_journal_header(const JournalHeader& header);
Result<JournalHeader> decode_journal_header(ByteView bytes);

// The record's payload. Runs longer than a run can hold must have been split.
Bytes encode_payload(const Record& record);
// Appends header and payload to `out`, and moves `at` behind the record.
void append_record(RecordType type, ByteView payload, JournalPosition& at, Bytes& out);
inline std::size_t record_bytes(std::size_t payload) {
    return kRecordHeaderBytes + payload;
}

// Whether these bytes of a guest, in a record, might be taken for a record themselves, or for the
// beginning of one: a reader that looks for what a crash left looks at each multiple of 8. A few
// other bytes are as well.
bool may_hold_record(ByteView data);

struct JournalEnd {
    JournalPosition next;  // where the next record goes
    std::uint64_t leftovers_end =
        0;  // position behind the last self-consistent later record; 0 = there is none
    bool synced_beyond = false;     // one of them says that records beyond the end had been durable
    std::uint64_t ckpt_beyond = 0;  // the highest generation of a CKPT among them
};

// Visits the chained records from `head` on; `unrolled` is the ring from there, or the first part
// of it. data_loss for a chained record that breaks a rule, or what `visit` returns.
Result<JournalEnd> scan_unrolled(ByteView unrolled, const JournalPosition& head,
                                 std::uint64_t layer_blocks,
                                 const std::function<Status(const Record&)>& visit);
// The same for a ring as it lies in its file; the head's position is its place there.
Result<JournalEnd> scan_journal(ByteView ring, const JournalPosition& head,
                                std::uint64_t layer_blocks,
                                const std::function<Status(const Record&)>& visit);

}  // namespace kiln::block
