// SPDX-License-Identifier: Apache-2.0
// Session: one vhost-user connection: a front end (QEMU) that sets up memory and queues, and the
// queues at work. Messages are answered one after the other, in their order.
//
// Keeps itself alive while anything of it is under way; `ended` runs once, as the last thing.
// close() takes nothing new, answers what is in flight, then disconnects. A peer that goes leaves
// what was in flight unanswered, marked for the next connection. One that breaks the protocol is
// refused where it asked for an answer, and else cut off; nothing is changed by what is refused.
// The volume outlives the session's end. Thread model: one owner thread.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "block/export/vhost_queue.h"

namespace kiln::block::vhost {

class Session final : public Device, public std::enable_shared_from_this<Session> {
  public:
    // `facts.size_bytes` is the volume's, whatever is given.
    Session(io::Sockets& sockets, io::Scheduler& scheduler, Volume& volume, DeviceFacts facts,
            io::SocketId socket, io::Callback<> ended);
    void start();
    void close();

    std::shared_ptr<Device> self() override { return shared_from_this(); }
    void request_ended() override;
    void request_held() override;

  private:
    static constexpr std::uint64_t kOfferedProtocol =
        kProtocolQueues | kProtocolReplyAck | kProtocolConfig | kProtocolInflight;

    void receive();
    void received(Result<io::Received> got);
    void take_message();
    void handle(const Message& message);
    void reply(Bytes bytes);
    // For messages without an answer of their own.
    void acknowledge(const Message& message, const Status& done);

    Status set_features(std::uint64_t value);
    Status set_protocol_features(std::uint64_t value);
    Status set_memory(const MemoryTable& table);
    Status set_inflight(const InflightPlace& place);
    void give_inflight(const Message& message);
    Status set_size(const VringState& state);
    Status set_base(const VringState& state);
    Status set_address(const VringAddress& address);
    Status set_event(MessageType type, const VringDescriptor& vring);
    Status set_enabled(const VringState& state);
    Status change(const Message& message);
    void stop_queue(const Message& message);
    Status start_if_ready(Queue& queue);
    void wait_for_kick(Queue& queue);
    std::uint64_t offered() const;
    Queue& queue(std::uint32_t index);
    bool anything_runs() const;

    void run_all();
    void drop();
    void maybe_end();

    const io::SocketId socket_;
    io::Callback<> ended_;
    io::TimerId message_timer_{};
    io::TimerId retry_timer_{};
    bool retrying_ = false;
    bool receiving_ = false;
    bool sending_ = false;
    bool stopping_queue_ = false;
    bool run_posted_ = false;
    bool timed_ = false;
    int complaints_ = 0;
    bool spoke_ = false;
    std::size_t waits_ = 0;  // for kicks

    std::array<std::uint8_t, kHeaderBytes + kMaxMessageBytes> input_{};
    std::size_t got_ = 0;
    std::optional<MessageHeader> header_;
    std::vector<UniqueFd> descriptors_;  // that came with the message
    Bytes output_;
    UniqueFd output_descriptor_;  // goes with it

    std::uint64_t protocol_features_ = 0;
    std::shared_ptr<const GuestMemory> memory_;
    std::shared_ptr<const InflightArea> inflight_;
    std::map<std::uint32_t, std::unique_ptr<Queue>> queues_;
};

}  // namespace kiln::block::vhost
