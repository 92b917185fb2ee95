// SPDX-License-Identifier: Apache-2.0
// Session: what messages of the front end set, start and stop.
#include "block/export/vhost_session.h"
#include "block/limits.h"

namespace kiln::block::vhost {

Queue& Session::queue(std::uint32_t index) {
    auto& found = queues_[index];
    if (!found) {
        found = std::make_unique<Queue>(*this, static_cast<std::uint16_t>(index));
        found->enabled = (features & kFeatureProtocol) == 0;
    }
    return *found;
}

bool Session::anything_runs() const {
    for (const auto& [index, queue] : queues_) {
        if (queue->running()) {
            return true;
        }
    }
    return false;
}

Status Session::set_features(std::uint64_t value) {
    if ((value & (kFeatureLogAll | kFeatureAccessPlatform | kFeaturePackedRing)) != 0) {
        return Error(Code::invalid_argument, "a feature that was not offered");
    }
    // QEMU also passes on what it offered the guest by itself, which is no matter of ours.
    const std::uint64_t taken = value & offered();
    if (taken != features && anything_runs()) {
        return Error(Code::failed_precondition, "features of a queue at work");
    }
    features = taken;
    if ((features & kFeatureProtocol) == 0) {
        for (const auto& [index, queue] : queues_) {
            queue->enabled = true;
        }
    }
    return ok();
}

Status Session::set_protocol_features(std::uint64_t value) {
    if ((value & ~kOfferedProtocol) != 0) {
        return Error(Code::invalid_argument, "a protocol feature that was not offered");
    }
    protocol_features_ = value;
    return ok();
}

// While the guest runs as well: its firmware, for one, moves memory about.
Status Session::set_memory(const MemoryTable& table) {
    TRY_ASSIGN(auto memory, GuestMemory::map(table, descriptors_));
    std::vector<std::pair<Queue*, SplitRing>> moved;
    for (const auto& [index, queue] : queues_) {
        if (queue->running()) {
            TRY_ASSIGN(auto ring, queue->ring_in(memory));
            moved.emplace_back(queue.get(), std::move(ring));
        }
    }
    memory_ = std::move(memory);
    for (auto& [queue, ring] : moved) {
        queue->move_to(std::move(ring));
    }
    return ok();
}

Status Session::set_inflight(const InflightPlace& place) {
    if (anything_runs()) {
        return Error(Code::failed_precondition, "marks of a queue at work");
    }
    TRY_ASSIGN(inflight_, InflightArea::map(place, descriptors_[0].get()));
    return ok();
}

void Session::give_inflight(const Message& message) {
    const auto& asked = message.as<InflightPlace>();
    auto made = InflightArea::create(asked.queues, asked.queue_size);
    if (!made) {
        // Nothing there: the answer has no other way to say it.
        acknowledge({.type = message.type}, made.error());
        return;
    }
    output_descriptor_ = std::move(made->file);
    reply(encode_reply(message.type, made->place, message.payload_bytes));
}

Status Session::set_size(const VringState& state) {
    if (state.index >= kMaxQueues || state.value == 0 || state.value > kMaxQueueSize) {
        return Error(Code::invalid_argument, "size or number of a queue");
    }
    Queue& changed = queue(state.index);
    if (changed.running() && state.value != changed.size) {
        return Error(Code::failed_precondition, "size of a queue at work");
    }
    changed.size = static_cast<std::uint16_t>(state.value);
    return ok();
}

Status Session::set_base(const VringState& state) {
    if (state.index >= kMaxQueues || state.value > 0xffff) {
        return Error(Code::invalid_argument, "place in a queue or its number");
    }
    Queue& changed = queue(state.index);
    if (changed.running()) {
        return Error(Code::failed_precondition, "place in a queue at work");
    }
    changed.base = static_cast<std::uint16_t>(state.value);
    return ok();
}

Status Session::set_address(const VringAddress& address) {
    if (address.index >= kMaxQueues) {
        return Error(Code::invalid_argument, "number of a queue");
    }
    Queue& changed = queue(address.index);
    if (changed.running()) {
        return Error(Code::failed_precondition, "address of a queue at work");
    }
    changed.address = address;
    return ok();
}

Status Session::set_event(MessageType type, const VringDescriptor& vring) {
    static_assert(kMaxQueues == 256, "every number that a message can have is a queue's");
    const bool kick = type == MessageType::set_vring_kick;
    if (kick && !vring.present) {
        return Error(Code::unsupported, "a queue that has to be polled");
    }
    Queue& changed = queue(vring.index);
    io::SocketId& event = kick                                  ? changed.kick
                          : type == MessageType::set_vring_call ? changed.call
                                                                : changed.error;
    io::SocketId adopted;
    if (vring.present) {
        TRY_ASSIGN(adopted, sockets.adopt_event(std::move(descriptors_[0])));
    }
    if (const io::SocketId before = std::exchange(event, adopted); before.valid()) {
        sockets.close(before);
    }
    if (!kick) {
        return ok();
    }
    ++changed.kick_turn;
    if (Status started = start_if_ready(changed); !started) {
        sockets.close(std::exchange(changed.kick, {}));
        return started;
    }
    wait_for_kick(changed);
    return ok();
}

Status Session::set_enabled(const VringState& state) {
    if (state.index >= kMaxQueues || state.value > 1) {
        return Error(Code::invalid_argument, "number of a queue");
    }
    Queue& changed = queue(state.index);
    changed.enabled = state.value == 1;
    Status started = start_if_ready(changed);
    changed.enabled = changed.enabled && started;
    return started;
}

Status Session::start_if_ready(Queue& ready) {
    if (!ready.enabled || !ready.kick.valid()) {
        return ok();
    }
    if (!ready.running()) {
        if (!memory_ || !ready.address || ready.size == 0) {
            return Error(Code::failed_precondition, "a queue without memory, address or size");
        }
        TRY(ready.start(memory_, inflight_));
    }
    ready.run();
    return ok();
}

// What cannot be waited for makes a queue that nobody hears: the session ends, for a new one. A
// kick may be on its way to us when its event is closed or replaced, by one of the same number
// even.
void Session::wait_for_kick(Queue& waiting) {
    ++waits_;
    sockets.wait_event(waiting.kick, [session = shared_from_this(), &waiting,
                                      turn = waiting.kick_turn](const Status& kicked) {
        --session->waits_;
        const bool current = waiting.kick.valid() && waiting.kick_turn == turn;
        if (kicked && current) {
            session->wait_for_kick(waiting);
            waiting.run();
        } else if (!kicked && kicked.error().code() != Code::cancelled) {
            session->drop();
        }
        session->maybe_end();
    });
}

void Session::stop_queue(const Message& message) {
    const auto index = message.as<VringState>().index;
    if (index >= kMaxQueues) {
        acknowledge({.type = message.type}, Error(Code::invalid_argument, "number of a queue"));
        return;
    }
    Queue& stopped = queue(index);
    if (stopped.kick.valid()) {
        sockets.close(std::exchange(stopped.kick, {}));
    }
    stopping_queue_ = true;
    stopped.stop([session = shared_from_this(), type = message.type, index](std::uint16_t base) {
        session->stopping_queue_ = false;
        session->reply(encode_reply(type, VringState{.index = index, .value = base}));
        session->receive();
        session->maybe_end();
    });
}

}  // namespace kiln::block::vhost
