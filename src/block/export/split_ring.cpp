// SPDX-License-Identifier: Apache-2.0
#include "block/export/split_ring.h"

#include <array>
#include <bit>
#include <limits>

namespace kiln::block::vhost {
namespace {

constexpr std::size_t kDescriptorBytes = 16;
constexpr std::uint16_t kNext = 1;
constexpr std::uint16_t kWrite = 2;
constexpr std::uint16_t kIndirect = 4;
constexpr std::uint16_t kNoInterrupt = 1;
// flags, index, entries, and the event index behind them.
constexpr std::size_t kRingHeadBytes = 4;
constexpr std::size_t kEventBytes = 2;

Error broken(const char* what) {
    return Error(Code::data_loss, std::string("broken ring: ") + what);
}

}  // namespace

Result<SplitRing> SplitRing::map(std::shared_ptr<const GuestMemory> memory,
                                 const VringAddress& address, std::uint16_t size,
                                 bool event_index) {
    if (size == 0 || size > kMaxQueueSize || !std::has_single_bit(size)) {
        return Error(Code::invalid_argument, "size of a queue: " + std::to_string(size));
    }
    const std::size_t event = event_index ? kEventBytes : 0;
    const auto descriptors = memory->at_user(address.descriptors, size * kDescriptorBytes);
    const auto available = memory->at_user(address.available, kRingHeadBytes + 2U * size + event);
    const auto used = memory->at_user(address.used, kRingHeadBytes + 8U * size + event);
    const auto aligned = [](MutableByteView view, std::uintptr_t to) {
        return !view.empty() && reinterpret_cast<std::uintptr_t>(view.data()) % to == 0;
    };
    if (!aligned(descriptors, 16) || !aligned(available, 2) || !aligned(used, 4)) {
        return Error(Code::invalid_argument, "a ring lies outside of the guest's memory");
    }
    SplitRing ring;
    ring.memory_ = std::move(memory);
    ring.size_ = size;
    ring.event_index_ = event_index;
    ring.descriptors_ = descriptors.data();
    ring.available_ = available.data();
    ring.used_ = used.data();
    return ring;
}

SplitRing::Descriptor SplitRing::decode(const std::uint8_t* at) {
    std::array<std::uint8_t, kDescriptorBytes> raw;
    read_shared(raw.data(), at, raw.size());
    return {.address = get_le<std::uint64_t>(raw.data()),
            .bytes = get_le<std::uint32_t>(&raw[8]),
            .flags = get_le<std::uint16_t>(&raw[12]),
            .next = get_le<std::uint16_t>(&raw[14])};
}

Result<std::uint16_t> SplitRing::head_at(std::uint16_t position) const {
    const auto head =
        load_shared<std::uint16_t>(available_ + kRingHeadBytes + 2U * (position % size_));
    if (head >= size_) {
        return broken("no such descriptor");
    }
    return head;
}

// Follows one chain. The first table is the queue's, the second an indirect one.
class SplitRing::Walk {
  public:
    explicit Walk(const SplitRing& ring) : ring_(ring) {}

    Result<Chain> run(std::uint16_t head) {
        std::uint16_t at = head;
        while (true) {
            const Descriptor found = decode(ring_.descriptors_ + at * kDescriptorBytes);
            if ((found.flags & kIndirect) != 0) {
                if ((found.flags & kNext) != 0) {
                    return broken("an indirect descriptor that goes on");
                }
                TRY(indirect(found));
                return finish();
            }
            TRY(add(found));
            if ((found.flags & kNext) == 0) {
                return finish();
            }
            if (found.next >= ring_.size_) {
                return broken("no such descriptor");
            }
            at = found.next;
        }
    }

  private:
    Result<Chain> finish() {
        if (bytes_ > std::numeric_limits<std::uint32_t>::max()) {
            return broken("a chain of more than 4 GiB");
        }
        return std::move(chain_);
    }

    Status indirect(const Descriptor& table) {
        const std::size_t count = table.bytes / kDescriptorBytes;
        if (table.bytes % kDescriptorBytes != 0 || count == 0 || count > kMaxChainDescriptors) {
            return broken("length of an indirect table");
        }
        const auto bytes = ring_.memory_->at(table.address, table.bytes);
        if (bytes.size() != table.bytes) {
            return broken("an indirect table outside of the memory");
        }
        std::size_t at = 0;
        while (true) {
            const Descriptor found = decode(bytes.data() + at * kDescriptorBytes);
            if ((found.flags & kIndirect) != 0) {
                return broken("an indirect table in an indirect table");
            }
            TRY(add(found));
            if ((found.flags & kNext) == 0) {
                return ok();
            }
            if (found.next >= count) {
                return broken("no such indirect descriptor");
            }
            at = found.next;
        }
    }

    Status add(const Descriptor& found) {
        if (++seen_ > kMaxChainDescriptors) {
            return broken("a chain that loops");
        }
        const bool writable = (found.flags & kWrite) != 0;
        if (!writable && !chain_.writable.empty()) {
            return broken("bytes to read behind room to write");
        }
        auto& parts = writable ? chain_.writable : chain_.readable;
        std::uint64_t address = found.address;
        std::uint64_t left = found.bytes;
        bytes_ += left;
        while (left > 0) {
            const MutableByteView part = ring_.memory_->at(address, left);
            if (part.empty()) {
                return broken("a descriptor outside of the memory");
            }
            // Neighbours in our memory too: one piece, which may need no copy.
            if (!parts.empty() && parts.back().data() + parts.back().size() == part.data()) {
                parts.back() = {parts.back().data(), parts.back().size() + part.size()};
            } else {
                parts.push_back(part);
            }
            left -= part.size();
            if (left > 0 && !checked_add(address, part.size(), address)) {
                return broken("a descriptor that wraps");
            }
        }
        return ok();
    }

    const SplitRing& ring_;
    Chain chain_;
    std::size_t seen_ = 0;
    std::uint64_t bytes_ = 0;
};

Result<Chain> SplitRing::chain(std::uint16_t head) const {
    INVARIANT(head < size_);
    return Walk(*this).run(head);
}

void SplitRing::put_used(std::uint16_t position, std::uint16_t head, std::uint32_t written) {
    std::uint8_t* entry = used_ + kRingHeadBytes + 8U * (position % size_);
    store_shared<std::uint32_t>(entry, head);
    store_shared<std::uint32_t>(entry + 4, written);
}

void SplitRing::want_kick_at(std::uint16_t position) {
    if (event_index_) {
        store_shared(used_ + kRingHeadBytes + 8U * size_, position);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool SplitRing::wants_call(std::uint16_t before, std::uint16_t now) const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!event_index_) {
        return (load_shared<std::uint16_t>(available_) & kNoInterrupt) == 0;
    }
    const auto event = load_shared<std::uint16_t>(available_ + kRingHeadBytes + 2U * size_);
    return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - before);
}

}  // namespace kiln::block::vhost
