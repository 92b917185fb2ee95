// SPDX-License-Identifier: Apache-2.0
#include "block/export/vhost_session.h"

#include "block/limits.h"
#include "util/log.h"

namespace kiln::block::vhost {
namespace {

// Refused messages that one connection may fill the log with.
constexpr int kMaxComplaints = 20;

}  // namespace

Session::Session(io::Sockets& sockets_in, io::Scheduler& scheduler_in, Volume& volume_in,
                 DeviceFacts facts_in, io::SocketId socket, io::Callback<> ended)
    : Device(sockets_in, scheduler_in, volume_in, std::move(facts_in)),
      socket_(socket),
      ended_(std::move(ended)) {
    facts.size_bytes = volume.size_bytes();
}

std::uint64_t Session::offered() const {
    return kFeatureProtocol | kFeatureIndirect | kFeatureEventIndex | kFeatureVersion1 |
           kBlkSegMax | kBlkBlockSize | kBlkFlush | kBlkTopology | kBlkQueues | kBlkDiscard |
           kBlkWriteZeroes | (facts.read_only ? kBlkReadOnly : 0);
}

void Session::start() {
    receive();
}

// --- messages in ---

void Session::receive() {
    if (receiving_ || sending_ || stopping_queue_ || stopping || gone) {
        return;
    }
    // The first message has to come, and one that has begun to become whole.
    if (!timed_ && (got_ > 0 || !spoke_)) {
        timed_ = true;
        message_timer_ = scheduler.after(kMessageTimeout, [weak = weak_from_this()] {
            if (const auto session = weak.lock()) {
                session->drop();
            }
        });
    }
    const std::size_t whole = kHeaderBytes + (header_ ? header_->bytes : 0);
    receiving_ = true;
    sockets.receive_with_descriptors(socket_, MutableByteView(input_).subspan(got_, whole - got_),
                                     [session = shared_from_this()](Result<io::Received> got) {
                                         session->received(std::move(got));
                                     });
}

void Session::received(Result<io::Received> got) {
    receiving_ = false;
    if (gone || stopping) {
        maybe_end();
        return;
    }
    if (!got || got->bytes == 0) {
        drop();
        return;
    }
    got_ += got->bytes;
    for (UniqueFd& descriptor : got->descriptors) {
        if (descriptors_.size() == io::kMaxDescriptors) {
            drop();
            return;
        }
        descriptors_.push_back(std::move(descriptor));
    }
    if (!header_ && got_ == kHeaderBytes) {
        header_ = decode_header(ByteView(input_).first(kHeaderBytes));
        if (!header_) {
            drop();  // out of step; nothing that follows can be trusted
            return;
        }
    }
    if (header_ && got_ == kHeaderBytes + header_->bytes) {
        take_message();
    }
    receive();
}

void Session::take_message() {
    if (timed_) {
        timed_ = false;
        scheduler.cancel(message_timer_);
    }
    spoke_ = true;
    auto message = decode_message(*header_, ByteView(input_).subspan(kHeaderBytes, header_->bytes));
    if (message && descriptors_.size() != descriptors_of(*message)) {
        message = Error(Code::invalid_argument, "descriptors of a vhost-user message");
    }
    if (message) {
        handle(*message);
    } else {
        acknowledge({.type = header_->type, .need_reply = header_->need_reply}, message.error());
    }
    got_ = 0;
    header_.reset();
    descriptors_.clear();
}

void Session::handle(const Message& message) {
    switch (message.type) {
        case MessageType::get_features:
            return reply(encode_reply(message.type, offered()));
        case MessageType::get_protocol_features:
            return reply(encode_reply(message.type, kOfferedProtocol));
        case MessageType::get_queue_num:
            return reply(encode_reply(message.type, std::uint64_t{kMaxQueues}));
        case MessageType::get_config: {
            facts.size_bytes = volume.size_bytes();
            const Bytes config = device_config(facts, kMaxQueues);
            const auto& range = message.as<ConfigRange>();
            return reply(encode_reply(message.type, range,
                                      ByteView(config).subspan(range.offset, range.bytes)));
        }
        case MessageType::get_vring_base:
            return stop_queue(message);
        case MessageType::get_inflight_fd:
            return give_inflight(message);
        default:
            return acknowledge(message, change(message));
    }
}

Status Session::change(const Message& message) {
    switch (message.type) {
        case MessageType::set_features:
            return set_features(message.as<std::uint64_t>());
        case MessageType::set_protocol_features:
            return set_protocol_features(message.as<std::uint64_t>());
        case MessageType::set_mem_table:
            return set_memory(message.as<MemoryTable>());
        case MessageType::set_inflight_fd:
            return set_inflight(message.as<InflightPlace>());
        case MessageType::set_vring_num:
            return set_size(message.as<VringState>());
        case MessageType::set_vring_base:
            return set_base(message.as<VringState>());
        case MessageType::set_vring_addr:
            return set_address(message.as<VringAddress>());
        case MessageType::set_vring_kick:
        case MessageType::set_vring_call:
        case MessageType::set_vring_err:
            return set_event(message.type, message.as<VringDescriptor>());
        case MessageType::set_vring_enable:
            return set_enabled(message.as<VringState>());
        default:
            return ok();  // SET_OWNER and the like ask for nothing
    }
}

// --- answers ---

void Session::acknowledge(const Message& message, const Status& done) {
    if (!done && complaints_ < kMaxComplaints) {
        ++complaints_;
        log_warn("block", "vhost-user disk of " + volume.id().str() + ": message " +
                              std::to_string(static_cast<std::uint32_t>(message.type)) + ": " +
                              done.error().message());
    }
    if (message.need_reply && (protocol_features_ & kProtocolReplyAck) != 0) {
        reply(encode_reply(message.type, std::uint64_t{done ? 0U : 1U}));
    } else if (!done) {
        drop();
    }
}

void Session::reply(Bytes bytes) {
    INVARIANT(!sending_);
    if (gone || stopping) {
        return;
    }
    sending_ = true;
    output_ = std::move(bytes);
    const ByteView part = output_;
    sockets.send_with_descriptor(socket_, {&part, 1}, output_descriptor_.get(),
                                 [session = shared_from_this()](const Status& sent) {
                                     session->sending_ = false;
                                     session->output_descriptor_.reset();
                                     if (!sent) {
                                         session->drop();
                                     }
                                     session->receive();
                                     session->maybe_end();
                                 });
}

// --- requests ---

void Session::request_ended() {
    if (starved && !busy() && !std::exchange(run_posted_, true)) {
        scheduler.post([session = shared_from_this()] {
            session->run_posted_ = false;
            session->starved = false;
            session->run_all();
            session->maybe_end();
        });
    }
    if (in_flight == 0 && (stopping || gone)) {
        scheduler.post([session = shared_from_this()] { session->maybe_end(); });
    }
}

void Session::run_all() {
    for (const auto& [index, queue] : queues_) {
        queue->run();
    }
}

void Session::request_held() {
    if (retrying_ || stopping || gone) {
        return;
    }
    retrying_ = true;
    retry_timer_ = scheduler.after(kFullRetry, [weak = weak_from_this()] {
        if (const auto session = weak.lock()) {
            session->retrying_ = false;
            for (const auto& [index, queue] : session->queues_) {
                queue->retry_held();
            }
        }
    });
}

// --- the end ---

void Session::close() {
    stopping = true;
    for (const auto& [index, queue] : queues_) {
        queue->let_go_of_held();
    }
    maybe_end();
}

void Session::drop() {
    if (gone) {
        return;
    }
    gone = true;
    scheduler.cancel(message_timer_);
    for (const auto& [index, queue] : queues_) {
        queue->let_go_of_held();
        queue->close_events();
    }
    sockets.close(socket_);
    scheduler.post([session = shared_from_this()] { session->maybe_end(); });
}

void Session::maybe_end() {
    if ((!stopping && !gone) || in_flight > 0) {
        return;
    }
    if (!gone) {
        for (const auto& [index, queue] : queues_) {
            queue->flush_call();
        }
        drop();
        return;
    }
    if (!receiving_ && !sending_ && waits_ == 0 && ended_) {
        scheduler.cancel(retry_timer_);
        scheduler.post(
            [session = shared_from_this(), ended = std::move(ended_)]() mutable { ended(); });
    }
}

}  // namespace kiln::block::vhost
