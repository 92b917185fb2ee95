// SPDX-License-Identifier: Apache-2.0
// Queue: one virtqueue of a vhost-user device at work: takes requests from the ring, gives them to
// the volume, many at a time, and answers them in the order they complete.
//
// Data goes between the guest's memory and the volume without a copy where it is one piece of whole
// blocks at whole pages, else through a buffer. Writes that find the store full are held and tried
// again, so that the guest waits instead of seeing an error; a queue that stops leaves them marked
// as in flight, or answers them with an error where nothing keeps such marks.
//
// A queue whose ring makes no sense is broken: it takes nothing more, says so by its error event
// and the log, and works again after the guest has reset it. Thread model: one owner thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "block/export/blk_request.h"
#include "block/export/inflight.h"
#include "block/volume.h"
#include "io/buffer_pool.h"
#include "io/scheduler.h"
#include "io/sockets.h"

namespace kiln::block::vhost {

// What the queues of one connection share.
class Device {
  public:
    Device(io::Sockets& sockets_in, io::Scheduler& scheduler_in, Volume& volume_in,
           DeviceFacts facts_in)
        : sockets(sockets_in),
          scheduler(scheduler_in),
          volume(volume_in),
          facts(std::move(facts_in)) {}
    virtual ~Device() = default;
    // Held while anything of it is under way.
    virtual std::shared_ptr<Device> self() = 0;
    // A request is over: there is room for another, or nothing is in flight. Begins nothing itself.
    virtual void request_ended() = 0;
    // A request waits for space: retry_held() is due after a while.
    virtual void request_held() = 0;
    bool busy() const;

    io::Sockets& sockets;
    io::Scheduler& scheduler;
    Volume& volume;
    DeviceFacts facts;
    std::uint64_t features = 0;  // as the front end took them
    bool stopping = false;       // nothing new is begun
    bool gone = false;           // and nothing answered: the memory is not ours to change any more
    bool starved = false;        // a queue found it busy
    std::size_t in_flight = 0;
    std::size_t bytes_in_flight = 0;  // of buffers; the guest's own memory does not count
    io::BufferPool buffers{scheduler};
};

class Queue {
  public:
    Queue(Device& device, std::uint16_t index) : device_(device), index_(index) {}

    // --- as the front end sets it up; anything but `enabled` and the events only while it rests
    // ---
    std::uint16_t size = 0;
    std::uint16_t base = 0;  // where to go on in the ring when nobody kept marks
    std::optional<VringAddress> address;
    bool enabled = false;
    io::SocketId kick{};
    std::uint64_t kick_turn = 0;  // which of those there were, one after the other
    io::SocketId call{};
    io::SocketId error{};

    bool running() const { return ring_.has_value(); }
    // Goes on where the ring was left: what was in flight then is begun again, in its order.
    Status start(std::shared_ptr<const GuestMemory> memory,
                 const std::shared_ptr<const InflightArea>& area);
    // Its ring as `memory` has it, and to go on with that one.
    Result<SplitRing> ring_in(std::shared_ptr<const GuestMemory> memory) const;
    void move_to(SplitRing ring) { ring_ = std::move(ring); }
    // Takes what is in the ring, as far as limits allow.
    void run();
    // No more is taken; `stopped` is called with the place to go on at when nothing is in flight.
    void stop(io::Callback<std::uint16_t> stopped);
    // Those that wait for space are not waited for, nor the volume's limits by those that have
    // begun.
    void let_go_of_held();
    void retry_held();
    // Tells the guest of what was answered, now.
    void flush_call();
    // Its events are closed.
    void close_events();

  private:
    struct Work {
        std::uint16_t head = 0;
        BlkRequest request;
        std::shared_ptr<const GuestMemory> memory;  // keeps the request's parts mapped
        io::Buffer buffer;
        std::size_t counted = 0;
    };
    using WorkRef = std::shared_ptr<Work>;

    bool takes() const;
    std::optional<std::uint16_t> next_head();
    bool begin(std::uint16_t head);
    void admit(WorkRef work);
    void dispatch(WorkRef work);
    void transfer(WorkRef work);
    void name_disk(Work& work);
    void zero(WorkRef work);
    Done done_of(WorkRef work);
    void completed(const WorkRef& work, const Status& status);
    void hold(const WorkRef& work);
    void answer(const WorkRef& work, BlkStatus status);
    void forget(Work& work);
    void note_call();
    void maybe_stopped();
    void break_off(const Error& why);

    Device& device_;
    const std::uint16_t index_;
    std::optional<SplitRing> ring_;
    std::shared_ptr<const InflightArea> area_;  // whose memory marks_ is
    std::optional<InflightQueue> marks_;
    std::deque<std::uint16_t> resubmit_;
    std::vector<bool> taken_;  // by head: in flight
    std::uint16_t next_ = 0;   // position in the available ring
    std::uint16_t used_ = 0;   // position in the used ring
    std::uint16_t told_ = 0;   // up to where the guest was told
    bool tell_anyway_ = false;
    bool call_posted_ = false;
    bool run_posted_ = false;
    bool broken_ = false;
    bool complained_ = false;
    std::size_t in_flight_ = 0;  // with those that are held
    std::vector<WorkRef> held_;
    bool told_of_full_store_ = false;
    io::Callback<std::uint16_t> stopped_;
};

}  // namespace kiln::block::vhost
