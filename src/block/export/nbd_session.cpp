// SPDX-License-Identifier: Apache-2.0
#include "block/export/nbd_session.h"

#include "block/limits.h"

namespace kiln::block::nbd {
namespace {

Bytes block_status_reply(std::uint64_t cookie, const std::vector<Extent>& extents) {
    Bytes head = structured_reply(cookie, Chunk::block_status,
                                  static_cast<std::uint32_t>(4 + 8 * extents.size()));
    put(head, kBaseAllocationId);
    for (const Extent& extent : extents) {
        put(head, static_cast<std::uint32_t>(extent.bytes));
        put<std::uint32_t>(head, extent.zero ? kStateHole | kStateZero : 0);
    }
    return head;
}

// Holds the largest handshake message, and dozens of requests in one receive.
constexpr std::size_t kInputBytes = 128U << 10;
static_assert(kInputBytes >= Handshake::kMaxMessageBytes);

}  // namespace

Session::Session(io::Sockets& sockets, io::Scheduler& scheduler, Volume& volume, ExportInfo info,
                 io::SocketId socket, io::Callback<> ended)
    : sockets_(sockets),
      scheduler_(scheduler),
      volume_(volume),
      info_(std::move(info)),
      socket_(socket),
      ended_(std::move(ended)),
      handshake_(info_),
      input_(kInputBytes),
      buffers_(scheduler) {}

void Session::start() {
    handshake_timer_ = scheduler_.after(kHandshakeTimeout, [weak = weak_from_this()] {
        if (auto self = weak.lock()) {
            self->drop();
        }
    });
    send({.head = Handshake::greeting(), .data = {}});
    receive();
}

void Session::close() {
    drop();
}

void Session::retire() {
    retired_ = true;
    if (phase_ != Phase::handshake && phase_ != Phase::finishing) {
        finish();
    }
}

// --- input ---

void Session::receive() {
    if (receiving_ || dropped_ || phase_ == Phase::finishing || busy()) {
        return;
    }
    MutableByteView into;
    if (phase_ == Phase::payload) {
        into = payload_.mutable_view().subspan(payload_got_);  // without a copy
    } else {
        std::copy(input().begin(), input().end(), input_.data());
        input_end_ -= input_begin_;
        input_begin_ = 0;
        // After a large payload the next one is likely to be large, and what of it came with its
        // header would have to be copied.
        const std::size_t most =
            large_payloads_ && phase_ == Phase::header ? kRequestBytes : kInputBytes;
        into = input_.mutable_view().subspan(input_end_);
        if (input_end_ < most) {
            into = into.first(most - input_end_);
        }
    }
    receiving_ = true;
    sockets_.receive(socket_, into, [self = shared_from_this()](Result<std::size_t> got) {
        self->received(std::move(got));
    });
}

void Session::received(Result<std::size_t> got) {
    receiving_ = false;
    if (dropped_) {
        maybe_end();
        return;
    }
    if (!got || *got == 0 || phase_ == Phase::finishing) {
        finish();
        return;
    }
    if (phase_ == Phase::payload) {
        payload_got_ += *got;
    } else {
        input_end_ += *got;
    }
    process();
}

void Session::process() {
    while (!dropped_ && step()) {
    }
    receive();
    maybe_end();
}

bool Session::busy() const {
    return in_flight_ >= kMaxRequestsInFlight || in_flight_bytes_ >= kMaxPayloadInFlight;
}

bool Session::step() {
    switch (phase_) {
        case Phase::handshake:
            return step_handshake();
        case Phase::header:
            return step_header();
        case Phase::payload:
            return step_payload();
        case Phase::discard:
            return step_discard();
        case Phase::finishing:
            return false;
    }
    return false;
}

bool Session::step_handshake() {
    Bytes answer;
    take(handshake_.feed(input(), answer));
    if (!answer.empty()) {
        send({.head = std::move(answer), .data = {}});
    }
    switch (handshake_.state()) {
        case Handshake::State::more:
            return false;
        case Handshake::State::closed:
            finish();
            return false;
        case Handshake::State::transmission:
            break;
    }
    scheduler_.cancel(handshake_timer_);
    phase_ = Phase::header;
    if (retired_) {
        finish();
        return false;
    }
    return true;
}

bool Session::step_header() {
    if (busy() || input().size() < kRequestBytes) {
        return false;
    }
    const auto request = decode_request(input().first(kRequestBytes));
    take(kRequestBytes);
    if (!request) {
        drop();  // out of step; nothing that follows can be trusted
        return false;
    }
    if (request->command == Command::disc) {
        finish();
        return false;
    }
    request_ = *request;
    refusal_ = check_request(*request, info_, handshake_.negotiated());
    payload_got_ = 0;
    ++in_flight_;
    if (refusal_ != NbdError::none) {
        phase_ = Phase::discard;
        return true;
    }
    large_payloads_ = payload_bytes(*request) >= kInputBytes / 2;
    if (payload_bytes(*request) > 0) {
        payload_ = buffers_.take(request->length);
        in_flight_bytes_ += request->length;
        phase_ = Phase::payload;
        return true;
    }
    dispatch(*request, {});
    return true;
}

bool Session::step_payload() {
    const std::size_t part = std::min(input().size(), payload_.size() - payload_got_);
    std::copy_n(input().begin(), part, payload_.data() + payload_got_);
    take(part);
    payload_got_ += part;
    if (payload_got_ < payload_.size()) {
        return false;
    }
    phase_ = Phase::header;
    dispatch(request_, std::move(payload_));
    return true;
}

bool Session::step_discard() {
    const std::size_t part =
        std::min<std::size_t>(input().size(), payload_bytes(request_) - payload_got_);
    take(part);
    payload_got_ += part;
    if (payload_got_ < payload_bytes(request_)) {
        return false;
    }
    phase_ = Phase::header;
    --in_flight_;
    send({.head = status_reply(request_, handshake_.negotiated(), refusal_), .data = {}});
    return true;
}

// --- requests ---

void Session::dispatch(const Request& request, io::Buffer payload) {
    Throttle* throttle = volume_.throttle();
    const bool moves = request.command == Command::read || request.command == Command::write;
    if (throttle == nullptr ||
        (!moves && request.command != Command::trim && request.command != Command::write_zeroes)) {
        perform(request, std::move(payload));
        return;
    }
    throttle->admit(this, moves ? request.length : 0,
                    [self = shared_from_this(), request, payload = std::move(payload)]() mutable {
                        if (!self->dropped_) {
                            self->perform(request, std::move(payload));
                            return;
                        }
                        --self->in_flight_;
                        self->in_flight_bytes_ -= payload.size();
                        self->maybe_end();
                    });
}

void Session::perform(const Request& request, io::Buffer payload) {
    const bool durable = (request.flags & kCmdFua) != 0;
    switch (request.command) {
        case Command::read:
            return do_read(request);
        case Command::write: {
            const ByteView from = payload.view();
            return volume_.write(request.offset, from, durable,
                                 [self = shared_from_this(), request,
                                  payload = std::move(payload)](Status status) mutable {
                                     const std::size_t counted = payload.size();
                                     self->buffers_.give(std::move(payload));
                                     self->answered(request, counted, status);
                                 });
        }
        case Command::flush:
            return volume_.flush(answer(request));
        // A trimmed range reads as zeros here, so both are one thing. NO_HOLE is a wish about space
        // that sparse files cannot keep; zeroing is always fast.
        case Command::trim:
        case Command::write_zeroes:
            return volume_.zero(request.offset, request.length, durable, answer(request));
        case Command::block_status:
            return do_block_status(request);
        case Command::disc:
        case Command::cache:
            break;
    }
    INVARIANT_MSG(false, "check_request let a command through that has no work");
}

Done Session::answer(const Request& request) {
    return
        [self = shared_from_this(), request](Status status) { self->answered(request, 0, status); };
}

void Session::answered(const Request& request, std::size_t counted, const Status& status) {
    in_flight_bytes_ -= counted;
    --in_flight_;
    const NbdError error = status ? NbdError::none : to_nbd(status.error());
    send({.head = status_reply(request, handshake_.negotiated(), error), .data = {}});
    process();
}

void Session::do_read(const Request& request) {
    io::Buffer buffer = buffers_.take(request.length);
    const MutableByteView into = buffer.mutable_view();
    in_flight_bytes_ += request.length;
    volume_.read(
        request.offset, into,
        [self = shared_from_this(), request, buffer = std::move(buffer)](Status status) mutable {
            --self->in_flight_;
            if (status && request.length > 0) {
                self->send({.head = read_reply(request, self->handshake_.negotiated()),
                            .data = std::move(buffer),
                            .counted = request.length});
            } else {
                self->in_flight_bytes_ -= request.length;
                self->buffers_.give(std::move(buffer));
                const NbdError error = status ? NbdError::none : to_nbd(status.error());
                self->send({.head = status_reply(request, self->handshake_.negotiated(), error),
                            .data = {}});
            }
            self->process();
        });
}

void Session::do_block_status(const Request& request) {
    const std::size_t most = (request.flags & kCmdReqOne) != 0 ? 1 : kMaxExtents;
    volume_.status(
        request.offset, request.length, most,
        [self = shared_from_this(), cookie = request.cookie](const std::vector<Extent>& extents) {
            --self->in_flight_;
            self->send({.head = block_status_reply(cookie, extents), .data = {}});
            self->process();
        });
}

}  // namespace kiln::block::nbd
