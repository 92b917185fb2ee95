// SPDX-License-Identifier: Apache-2.0
// InflightArea: the shared memory in which a device writes down which requests of its queues are in
// flight, and which the front end keeps for it: what a device that was killed had begun is begun
// again by its successor, in the order in which it was taken from the ring. Layout as the
// vhost-user standard has it (version 1, split rings), each queue at a multiple of 64 bytes.
//
// The numbers come back from a peer: none of them is trusted, and recover() finds only heads that
// the ring has. Thread model: one owner thread.
#pragma once

#include <memory>
#include <vector>

#include "block/export/guest_memory.h"
#include "block/export/split_ring.h"

namespace kiln::block::vhost {

// One queue's part. The view is of an InflightArea that lives longer.
class InflightQueue {
  public:
    InflightQueue(MutableByteView bytes, std::uint16_t queue_size)
        : bytes_(bytes), queue_size_(queue_size) {}
    std::uint16_t size() const { return queue_size_; }

    // What was in flight when nobody worked on the ring any more, oldest first. Also settles the
    // last entry that was shown to the guest, if its owner was killed in the middle of that.
    // Nothing, with the queue's part made ready, when it was never used.
    struct Recovered {
        bool used_before = false;
        std::vector<std::uint16_t> heads;
    };
    Recovered recover(const SplitRing& ring);

    // A request was taken from the ring.
    void begin(std::uint16_t head);
    // Its entry is to be shown to the guest, by ring.set_used(position), between these two.
    void prepare_end(std::uint16_t head);
    void end(std::uint16_t head, std::uint16_t position);

  private:
    std::uint8_t* entry(std::uint16_t head) const;
    void settle_last_batch(std::uint16_t used);

    MutableByteView bytes_;
    std::uint16_t queue_size_;
    std::uint64_t counter_ = 0;
};

class InflightArea {
  public:
    // A new one. invalid_argument for more than kMaxQueues or kMaxQueueSize.
    struct Made;
    static Result<Made> create(std::uint16_t queues, std::uint16_t queue_size);
    // One that the front end gives back.
    static Result<std::shared_ptr<const InflightArea>> map(const InflightPlace& place,
                                                           int descriptor);
    // Over memory of the caller's, which has bytes_for() of it, aligned to 8.
    InflightArea(MutableByteView bytes, std::uint16_t queues, std::uint16_t queue_size)
        : bytes_(bytes), queues_(queues), queue_size_(queue_size) {}
    static std::uint64_t bytes_for(std::uint16_t queues, std::uint16_t queue_size);

    std::uint16_t queues() const { return queues_; }
    std::uint16_t queue_size() const { return queue_size_; }
    InflightQueue queue(std::uint16_t index) const;

  private:
    SharedMapping mapping_;
    MutableByteView bytes_;
    std::uint16_t queues_;
    std::uint16_t queue_size_;
};

struct InflightArea::Made {
    UniqueFd file;
    InflightPlace place;
};

}  // namespace kiln::block::vhost
