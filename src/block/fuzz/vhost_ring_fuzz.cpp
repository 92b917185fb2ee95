// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a guest's memory with a ring and the marks of requests in flight in it. Whatever a
// walk finds lies in the guest's memory, in bounded numbers; a request that is let through lies in
// the volume; and answering leaves marks that recover() reads. Thread model: pure function.
#include <algorithm>

#include "block/export/blk_request.h"
#include "block/export/inflight.h"
#include "block/limits.h"
#include "io/buffer.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::block::vhost;

constexpr std::size_t kBytes = 16384;
constexpr std::uint16_t kSize = 16;
// Two regions, the second of which follows in user addresses and not in the guest's.
constexpr std::uint64_t kHalf = kBytes / 2;
constexpr std::uint64_t kSecondGuest = 0xffffffffffffe000;

bool inside(const io::Buffer& memory, MutableByteView view) {
    return view.data() >= memory.data() &&
           view.data() + view.size() <= memory.data() + memory.size();
}

void check_request(const BlkRequest& request, const DeviceFacts& facts, const io::Buffer& memory) {
    std::uint64_t bytes = 0;
    for (const MutableByteView part : request.data) {
        INVARIANT(!part.empty() && inside(memory, part));
        bytes += part.size();
    }
    INVARIANT(inside(memory, {request.status, 1}));
    if (request.refusal != BlkStatus::ok) {
        return;
    }
    if (request.command == BlkCommand::read || request.command == BlkCommand::write) {
        INVARIANT(bytes == request.data_bytes && bytes > 0 && bytes <= block::kMaxRequestBytes);
        INVARIANT(request.offset < facts.size_bytes && bytes <= facts.size_bytes - request.offset);
    }
    INVARIANT(request.ranges.size() <= kMaxZeroRanges);
    for (const ByteRange& range : request.ranges) {
        INVARIANT(range.bytes > 0 && range.offset < facts.size_bytes &&
                  range.bytes <= facts.size_bytes - range.offset);
    }
    INVARIANT(!facts.read_only || request.command == BlkCommand::read ||
              request.command == BlkCommand::flush || request.command == BlkCommand::get_id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::uint8_t choice = data[0];
    io::Buffer memory(kBytes);
    std::fill_n(memory.data(), memory.size(), 0);
    std::copy_n(data + 1, std::min<std::size_t>(size - 1, memory.size()), memory.data());
    const auto guest = std::make_shared<GuestMemory>(std::vector<GuestMemory::Region>{
        {0x1000, 0x100000, memory.mutable_view().first(kHalf)},
        {kSecondGuest, 0x100000 + kHalf, memory.mutable_view().subspan(kHalf)}});
    const VringAddress address{
        .descriptors = 0x100000, .used = 0x100000 + 0x140, .available = 0x100000 + 0x100};
    auto ring = SplitRing::map(guest, address, kSize, (choice & 1) != 0);
    INVARIANT(ring.has_value());
    const DeviceFacts facts{
        .name = "disk", .size_bytes = 4096ULL << (choice >> 4), .read_only = (choice & 2) != 0};

    // The marks as well as the ring are what was given.
    const InflightArea area(memory.mutable_view().subspan(0x400, InflightArea::bytes_for(1, kSize)),
                            1, kSize);
    InflightQueue marks = area.queue(0);
    for (const std::uint16_t head : marks.recover(*ring).heads) {
        INVARIANT(head < kSize);
    }

    auto used = ring->used();
    auto next = used;
    for (int turn = 0; turn < kSize && next != ring->available(); ++turn) {
        const auto head = ring->head_at(next++);
        if (!head) {
            break;
        }
        marks.begin(*head);
        const auto chain = ring->chain(*head);
        const auto request =
            chain ? parse_request(*chain, facts) : Result<BlkRequest>(chain.error());
        if (!request) {
            break;
        }
        check_request(*request, facts, memory);
        if (request->refusal == BlkStatus::ok && !request->data.empty() && (choice & 4) != 0) {
            // What a read would do: it may hit the ring itself.
            std::fill(request->data[0].begin(), request->data[0].end(), choice);
        }
        store_shared(request->status, std::uint8_t{0});
        ring->put_used(used, *head, 1);
        marks.prepare_end(*head);
        (void)ring->wants_call(used, static_cast<std::uint16_t>(used + 1));
        ring->set_used(++used);
        marks.end(*head, used);
        ring->want_kick_at(next);
    }
    InflightQueue again = area.queue(0);
    INVARIANT(again.recover(*ring).heads.size() <= kSize);
    return 0;
}
