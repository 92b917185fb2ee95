// SPDX-License-Identifier: Apache-2.0
// SplitRing: one split virtqueue in guest memory: what is available, the chains of descriptors, the
// used ring, and when the guest wants to be notified (virtio 1.2, section 2.7).
//
// Everything in it is the guest's to change. Each descriptor is copied once; a chain that loops, is
// longer than kMaxChainDescriptors, leaves the memory or breaks a rule of the ring is data_loss:
// the queue is broken then, until the guest resets it. Thread model: one owner thread.
#pragma once

#include <memory>
#include <vector>

#include "block/export/guest_memory.h"

namespace kiln::block::vhost {

inline constexpr std::uint16_t kMaxQueueSize = 1024;
// A table of indirect descriptors may be longer than the queue in drivers that we know.
inline constexpr std::size_t kMaxChainDescriptors = 1024;

// What a head of descriptors stands for: bytes for the device to read, then room for its answer.
struct Chain {
    std::vector<MutableByteView> readable;
    std::vector<MutableByteView> writable;
};

class SplitRing {
  public:
    // `size`: entries, a power of two. invalid_argument when it does not lie in the memory.
    static Result<SplitRing> map(std::shared_ptr<const GuestMemory> memory,
                                 const VringAddress& address, std::uint16_t size, bool event_index);
    std::uint16_t size() const { return size_; }
    const std::shared_ptr<const GuestMemory>& memory() const { return memory_; }

    // Positions count without end, modulo 2^16.
    std::uint16_t available() const { return load_shared<std::uint16_t>(available_ + 2); }
    std::uint16_t used() const { return load_shared<std::uint16_t>(used_ + 2); }
    // data_loss: no such descriptor.
    Result<std::uint16_t> head_at(std::uint16_t position) const;
    Result<Chain> chain(std::uint16_t head) const;
    // Writes the entry alone; set_used() shows it.
    void put_used(std::uint16_t position, std::uint16_t head, std::uint32_t written);
    void set_used(std::uint16_t position) { store_shared(used_ + 2, position); }

    // Asks for a notification of what becomes available at `position`. Look at available() again
    // after it: what came before the guest saw this is not notified.
    void want_kick_at(std::uint16_t position);
    // Whether the guest wants to hear of the entries from `before` to `now`.
    bool wants_call(std::uint16_t before, std::uint16_t now) const;

  private:
    struct Descriptor {
        std::uint64_t address = 0;
        std::uint32_t bytes = 0;
        std::uint16_t flags = 0;
        std::uint16_t next = 0;
    };
    class Walk;
    static Descriptor decode(const std::uint8_t* at);

    std::shared_ptr<const GuestMemory> memory_;
    std::uint16_t size_ = 0;
    bool event_index_ = false;
    std::uint8_t* descriptors_ = nullptr;
    std::uint8_t* available_ = nullptr;
    std::uint8_t* used_ = nullptr;
};

}  // namespace kiln::block::vhost
