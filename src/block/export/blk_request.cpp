// SPDX-License-Identifier: Apache-2.0
#include "block/export/blk_request.h"

#include <algorithm>
#include <array>

#include "block/geometry.h"
#include "block/limits.h"

namespace kiln::block::vhost {
namespace {

constexpr std::size_t kRequestHeadBytes = 16;
constexpr std::size_t kZeroRangeBytes = 16;
constexpr std::uint32_t kUnmap = 1;

std::uint64_t total(const std::vector<MutableByteView>& parts) {
    std::uint64_t bytes = 0;
    for (const MutableByteView part : parts) {
        bytes += part.size();
    }
    return bytes;
}

// Copies the first bytes of `parts` out and takes them off; they are there.
void take_front(std::vector<MutableByteView>& parts, MutableByteView into) {
    auto part = parts.begin();
    while (!into.empty()) {
        const std::size_t n = std::min(into.size(), part->size());
        read_shared(into.data(), part->data(), n);
        into = into.subspan(n);
        *part = part->subspan(n);
        if (part->empty()) {
            ++part;
        }
    }
    parts.erase(parts.begin(), part);
}

std::uint8_t* take_last_byte(std::vector<MutableByteView>& parts) {
    MutableByteView& last = parts.back();
    std::uint8_t* byte = &last.back();
    last = last.first(last.size() - 1);
    if (last.empty()) {
        parts.pop_back();
    }
    return byte;
}

bool inside(const DeviceFacts& facts, std::uint64_t sector, std::uint64_t bytes) {
    std::uint64_t offset = 0;
    std::uint64_t end = 0;
    return checked_mul(sector, kSectorBytes, offset) && checked_add(offset, bytes, end) &&
           end <= facts.size_bytes;
}

BlkStatus check_transfer(const BlkRequest& request, const DeviceFacts& facts,
                         std::uint64_t sector) {
    const bool write = request.command == BlkCommand::write;
    if (request.data_bytes == 0 || request.data_bytes % kSectorBytes != 0 ||
        request.data_bytes > kMaxRequestBytes || !inside(facts, sector, request.data_bytes) ||
        (write && facts.read_only)) {
        return BlkStatus::io_error;
    }
    return BlkStatus::ok;
}

BlkStatus parse_ranges(BlkRequest& request, const DeviceFacts& facts) {
    if (facts.read_only || request.data_bytes == 0 || request.data_bytes % kZeroRangeBytes != 0 ||
        request.data_bytes > kMaxZeroRanges * kZeroRangeBytes) {
        return BlkStatus::io_error;
    }
    Bytes copy(request.data_bytes);
    take_front(request.data, copy);
    ByteReader in(copy);
    const std::uint32_t known = request.command == BlkCommand::write_zeroes ? kUnmap : 0;
    while (in.remaining() > 0) {
        const auto sector = in.le<std::uint64_t>();
        const auto sectors = in.le<std::uint32_t>();
        const auto flags = in.le<std::uint32_t>();
        if ((flags & ~known) != 0) {
            return BlkStatus::unsupported;  // as the standard says
        }
        const std::uint64_t bytes = sectors * kSectorBytes;
        if (sectors > kMaxZeroSectors || !inside(facts, sector, bytes)) {
            return BlkStatus::io_error;
        }
        if (bytes > 0) {
            request.ranges.push_back({sector * kSectorBytes, bytes});
        }
    }
    return BlkStatus::ok;
}

BlkStatus check(BlkRequest& request, const DeviceFacts& facts, std::uint64_t sector,
                bool has_input) {
    switch (request.command) {
        case BlkCommand::read:
        case BlkCommand::write:
            if (has_input != (request.command == BlkCommand::write)) {
                return BlkStatus::io_error;
            }
            request.offset = sector * kSectorBytes;  // wraps for what is refused
            return check_transfer(request, facts, sector);
        case BlkCommand::flush:
            return BlkStatus::ok;
        case BlkCommand::get_id:
            return has_input || request.data_bytes == 0 ? BlkStatus::io_error : BlkStatus::ok;
        case BlkCommand::discard:
        case BlkCommand::write_zeroes:
            return has_input ? parse_ranges(request, facts) : BlkStatus::io_error;
    }
    return BlkStatus::unsupported;
}

}  // namespace

Result<BlkRequest> parse_request(const Chain& chain, const DeviceFacts& facts) {
    std::vector<MutableByteView> input = chain.readable;
    std::vector<MutableByteView> output = chain.writable;
    if (total(input) < kRequestHeadBytes || output.empty()) {
        return Error(Code::data_loss, "broken ring: no room for a header or a status");
    }
    std::array<std::uint8_t, kRequestHeadBytes> head;
    take_front(input, head);
    BlkRequest request;
    request.command = static_cast<BlkCommand>(get_le<std::uint32_t>(head.data()));
    request.status = take_last_byte(output);
    const bool has_input = !input.empty();
    // One of both: no request has data in both directions.
    const bool both = has_input && !output.empty();
    request.data = has_input ? std::move(input) : std::move(output);
    request.data_bytes = total(request.data);
    request.refusal = both ? BlkStatus::io_error
                           : check(request, facts, get_le<std::uint64_t>(&head[8]), has_input);
    return request;
}

Bytes device_config(const DeviceFacts& facts, std::uint16_t queues) {
    constexpr std::uint8_t kPhysicalExponent = 3;
    static_assert(kSectorBytes << kPhysicalExponent == kBlockBytes);
    constexpr std::uint32_t kSectorsPerBlock = kBlockBytes / kSectorBytes;
    Bytes out;
    ByteWriter(out)
        .le(facts.size_bytes / kSectorBytes)
        .le(std::uint32_t{0})  // size_max: not offered
        .le(kMaxDataSegments)
        .le(std::uint32_t{0})  // geometry: not offered
        .le(static_cast<std::uint32_t>(kSectorBytes))
        .le(kPhysicalExponent)
        .le(std::uint8_t{0})   // alignment offset
        .le(std::uint16_t{0})  // least and
        .le(std::uint32_t{0})  // best size of a request: no wish
        .le(std::uint8_t{1})   // a write cache, as flushes are offered
        .le(std::uint8_t{0})
        .le(queues)
        .le(kMaxZeroSectors)
        .le(static_cast<std::uint32_t>(kMaxZeroRanges))
        .le(kSectorsPerBlock)
        .le(kMaxZeroSectors)
        .le(static_cast<std::uint32_t>(kMaxZeroRanges))
        .le(std::uint8_t{1});  // zeroing may give space back
    out.resize(kConfigBytes, 0);
    return out;
}

std::size_t copy_out(const std::vector<MutableByteView>& parts, MutableByteView into) {
    std::size_t at = 0;
    for (const MutableByteView part : parts) {
        read_shared(&into[at], part.data(), part.size());
        at += part.size();
    }
    return at;
}

std::size_t copy_in(const std::vector<MutableByteView>& parts, ByteView from) {
    std::size_t at = 0;
    for (const MutableByteView part : parts) {
        const std::size_t n = std::min(part.size(), from.size() - at);
        std::copy_n(from.data() + at, n, part.data());
        at += n;
    }
    return at;
}

}  // namespace kiln::block::vhost
