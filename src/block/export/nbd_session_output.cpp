// SPDX-License-Identifier: Apache-2.0
// Session: what goes to the client, and the end.
#include "block/export/nbd_session.h"

namespace kiln::block::nbd {

// --- output ---

void Session::send(Reply reply) {
    if (dropped_) {
        in_flight_bytes_ -= reply.counted;
        return;
    }
    output_.push_back(std::move(reply));
    if (sending_ || flush_posted_) {
        return;
    }
    // Not at once: the other answers of this round go in the same call.
    flush_posted_ = true;
    scheduler_.post([self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush_output();
    });
}

void Session::flush_output() {
    if (dropped_ || output_.empty()) {
        maybe_end();
        return;
    }
    sending_replies_ = std::move(output_);
    output_.clear();
    std::vector<ByteView> parts;
    parts.reserve(2 * sending_replies_.size());
    for (const Reply& reply : sending_replies_) {
        parts.push_back(reply.head);
        if (!reply.data.empty()) {
            parts.push_back(reply.data.view());
        }
    }
    sending_ = true;
    sockets_.send(socket_, parts, [self = shared_from_this()](Status status) {
        self->sending_ = false;
        for (Reply& reply : self->sending_replies_) {
            self->in_flight_bytes_ -= reply.counted;
            self->buffers_.give(std::move(reply.data));
        }
        self->sending_replies_.clear();
        if (!status) {
            self->drop();
            return;
        }
        self->flush_output();
        self->process();
    });
}

// --- the end ---

// A request whose payload will never be whole is not in flight.
void Session::abandon_payload() {
    if (phase_ == Phase::payload || phase_ == Phase::discard) {
        --in_flight_;
        in_flight_bytes_ -= phase_ == Phase::payload ? payload_.size() : 0;
    }
    phase_ = Phase::finishing;
}

void Session::finish() {
    abandon_payload();
    maybe_end();
}

void Session::drop() {
    if (!dropped_) {
        dropped_ = true;
        abandon_payload();
        for (const Reply& reply : output_) {
            in_flight_bytes_ -= reply.counted;
        }
        output_.clear();
        scheduler_.cancel(handshake_timer_);
        sockets_.close(socket_);
        if (Throttle* throttle = volume_.throttle()) {
            throttle->release(this);
        }
    }
    maybe_end();
}

void Session::maybe_end() {
    if (phase_ != Phase::finishing || in_flight_ > 0 || sending_ || flush_posted_ ||
        !output_.empty()) {
        return;
    }
    if (!dropped_) {
        drop();  // everything is answered
        return;
    }
    if (!receiving_ && ended_) {
        auto ended = std::exchange(ended_, {});
        scheduler_.post(
            [self = shared_from_this(), ended = std::move(ended)]() mutable { ended(); });
    }
}

}  // namespace kiln::block::nbd
