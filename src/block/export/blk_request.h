// SPDX-License-Identifier: Apache-2.0
// What a chain of descriptors asks of a block device (virtio 1.2, section 5.2.6), and the
// configuration space that says what may be asked.
//
// parse_request() copies the request's header, and the ranges of a discard, out of guest memory
// once, before anything is checked. Thread model: pure functions and plain values.
#pragma once

#include "block/export/split_ring.h"

namespace kiln::block::vhost {

inline constexpr std::uint64_t kSectorBytes = 512;
// Ranges in one discard or write-zeroes, and how long one may be.
inline constexpr std::size_t kMaxZeroRanges = 32;
inline constexpr std::uint32_t kMaxZeroSectors = (2U << 30) / kSectorBytes;
// Descriptors of data in a request: what a queue of 128, as QEMU makes it, has beside the header
// and the status.
inline constexpr std::uint32_t kMaxDataSegments = 126;
inline constexpr std::size_t kDiskNameBytes = 20;

enum class BlkStatus : std::uint8_t { ok = 0, io_error = 1, unsupported = 2 };

// Numbers as on the wire.
enum class BlkCommand : std::uint32_t {
    read = 0,
    write = 1,
    flush = 4,
    get_id = 8,
    discard = 11,
    write_zeroes = 13,
};

struct DeviceFacts {
    std::string name;  // at most kDiskNameBytes
    std::uint64_t size_bytes = 0;
    bool read_only = false;
};

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct BlkRequest {
    BlkCommand command{};  // any number
    // Of read and write: where; its bytes are those of `data`.
    std::uint64_t offset = 0;
    std::vector<MutableByteView> data;
    std::uint64_t data_bytes = 0;
    // Of discard and write_zeroes.
    std::vector<ByteRange> ranges;
    std::uint8_t* status = nullptr;  // in guest memory
    // What to answer without doing anything; ok: it may be done as it stands.
    BlkStatus refusal = BlkStatus::ok;
};
// data_loss when the chain has no room for a header or a status: then nothing can be answered.
Result<BlkRequest> parse_request(const Chain& chain, const DeviceFacts& facts);

// The request's data, which lies in pieces: how much was copied. `into` has room for all of it; of
// `from` as much goes in as there is room for.
std::size_t copy_out(const std::vector<MutableByteView>& parts, MutableByteView into);
std::size_t copy_in(const std::vector<MutableByteView>& parts, ByteView from);

// All kConfigBytes of it.
Bytes device_config(const DeviceFacts& facts, std::uint16_t queues);

}  // namespace kiln::block::vhost
