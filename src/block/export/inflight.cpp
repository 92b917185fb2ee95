// SPDX-License-Identifier: Apache-2.0
#include "block/export/inflight.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "block/limits.h"

namespace kiln::block::vhost {
namespace {

// Of a queue's part: features u64, version u16, entries u16, head of the last batch u16, used index
// u16, then the entries: in flight u8, 5 bytes of nothing, next u16, counter u64.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kEntriesAt = 10;
constexpr std::size_t kLastBatchAt = 12;
constexpr std::size_t kUsedAt = 14;
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kEntryBytes = 16;
constexpr std::size_t kNextAt = 6;
constexpr std::size_t kCounterAt = 8;
constexpr std::uint16_t kVersion = 1;
constexpr std::uint64_t kPartAlignment = 64;

std::uint64_t part_bytes(std::uint16_t queue_size) {
    const std::uint64_t bytes = kHeadBytes + std::uint64_t{queue_size} * kEntryBytes;
    return (bytes + kPartAlignment - 1) / kPartAlignment * kPartAlignment;
}

Status check_size(std::uint16_t queues, std::uint16_t queue_size) {
    if (queues == 0 || queues > kMaxQueues || queue_size == 0 || queue_size > kMaxQueueSize) {
        return Error(Code::invalid_argument, "size of the area for requests in flight");
    }
    return ok();
}

}  // namespace

// --- a queue's part ---

std::uint8_t* InflightQueue::entry(std::uint16_t head) const {
    return bytes_.data() + kHeadBytes + head * kEntryBytes;
}

// A batch that its owner was killed in: shown to the guest, but still marked as in flight.
void InflightQueue::settle_last_batch(std::uint16_t used) {
    const auto noted = load_shared<std::uint16_t>(bytes_.data() + kUsedAt);
    auto head = load_shared<std::uint16_t>(bytes_.data() + kLastBatchAt);
    auto left = std::min<std::uint16_t>(static_cast<std::uint16_t>(used - noted), queue_size_);
    for (; left > 0 && head < queue_size_; --left) {
        store_shared<std::uint8_t>(entry(head), 0);
        head = load_shared<std::uint16_t>(entry(head) + kNextAt);
    }
    store_shared(bytes_.data() + kUsedAt, used);
}

InflightQueue::Recovered InflightQueue::recover(const SplitRing& ring) {
    const std::uint16_t used = ring.used();
    if (load_shared<std::uint16_t>(bytes_.data() + kVersionAt) != kVersion) {
        std::fill(bytes_.begin(), bytes_.end(), 0);
        store_shared(bytes_.data() + kEntriesAt, queue_size_);
        store_shared(bytes_.data() + kUsedAt, used);
        store_shared(bytes_.data() + kVersionAt, kVersion);
        return {};
    }
    settle_last_batch(used);
    struct Found {
        std::uint64_t counter;
        std::uint16_t head;
    };
    std::vector<Found> found;
    const std::uint16_t count = std::min(queue_size_, ring.size());
    for (std::uint16_t head = 0; head < count; ++head) {
        if (load_shared<std::uint8_t>(entry(head)) != 0) {
            found.push_back({load_shared<std::uint64_t>(entry(head) + kCounterAt), head});
        }
    }
    std::sort(found.begin(), found.end(),
              [](const Found& a, const Found& b) { return a.counter < b.counter; });
    Recovered recovered{.used_before = true};
    for (const Found& one : found) {
        recovered.heads.push_back(one.head);
        counter_ = one.counter + 1;
    }
    return recovered;
}

void InflightQueue::begin(std::uint16_t head) {
    store_shared(entry(head) + kCounterAt, counter_++);
    store_shared<std::uint8_t>(entry(head), 1);
}

void InflightQueue::prepare_end(std::uint16_t head) {
    store_shared(entry(head) + kNextAt, load_shared<std::uint16_t>(bytes_.data() + kLastBatchAt));
    store_shared(bytes_.data() + kLastBatchAt, head);
}

void InflightQueue::end(std::uint16_t head, std::uint16_t position) {
    store_shared<std::uint8_t>(entry(head), 0);
    store_shared(bytes_.data() + kUsedAt, position);
}

// --- the area ---

std::uint64_t InflightArea::bytes_for(std::uint16_t queues, std::uint16_t queue_size) {
    return queues * part_bytes(queue_size);
}

Result<InflightArea::Made> InflightArea::create(std::uint16_t queues, std::uint16_t queue_size) {
    TRY(check_size(queues, queue_size));
    const InflightPlace place{.bytes = bytes_for(queues, queue_size),
                              .file_offset = 0,
                              .queues = queues,
                              .queue_size = queue_size};
    UniqueFd file(::memfd_create("kiln-vhost-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(place.bytes)) != 0 ||
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return Error::from_errno(errno, "make memory for requests in flight");
    }
    return Made{std::move(file), place};
}

Result<std::shared_ptr<const InflightArea>> InflightArea::map(const InflightPlace& place,
                                                              int descriptor) {
    TRY(check_size(place.queues, place.queue_size));
    if (place.bytes < bytes_for(place.queues, place.queue_size) ||
        place.file_offset % kPartAlignment != 0) {
        return Error(Code::invalid_argument, "area for requests in flight");
    }
    TRY_ASSIGN(auto mapping, SharedMapping::map(descriptor, place.file_offset, place.bytes));
    auto area = std::make_shared<InflightArea>(mapping.view(), place.queues, place.queue_size);
    area->mapping_ = std::move(mapping);
    return std::shared_ptr<const InflightArea>(std::move(area));
}

InflightQueue InflightArea::queue(std::uint16_t index) const {
    INVARIANT(index < queues_);
    const std::uint64_t part = part_bytes(queue_size_);
    return {bytes_.subspan(index * part, part), queue_size_};
}

}  // namespace kiln::block::vhost
