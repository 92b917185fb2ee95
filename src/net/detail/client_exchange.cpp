// SPDX-License-Identifier: Apache-2.0
#include "net/detail/client_exchange.h"

#include <poll.h>

#include <cerrno>

namespace kiln::net::detail {

namespace {

constexpr std::size_t kUploadPiece = 256U << 10;

// How many interim answers (1xx) are taken before the server counts as broken.
constexpr int kMaxInterim = 16;

Status wait_either(int fd, Deadline deadline) {
    pollfd entry{.fd = fd, .events = POLLIN | POLLOUT, .revents = 0};
    while (true) {
        const int ready = ::poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (ready > 0) {
            return ok();
        }
        if (ready < 0 && errno != EINTR) {
            return Error::from_errno(errno, "poll");
        }
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, "the server does not take the request in time");
        }
    }
}

}  // namespace

ClientExchange::ClientExchange(Stream& stream, InputBuffer& input, const ClientRequest& request,
                               Deadline deadline)
    : stream_(stream),
      input_(input),
      request_(request),
      deadline_(deadline),
      parser_(MessageParser::for_response(kMaxHeaderBytes, request.method == "HEAD")) {}

Result<ClientResponse> ClientExchange::run(const std::string& head, bool expect_continue) {
    if (Status sent = send_piece(as_bytes(head)); !sent) {
        TRY(answer_or(std::move(sent).error()));
    }
    if (!answered() && expect_continue) {
        const Deadline patience = earlier(deadline_, Deadline::after(kExpectContinueWait));
        const Status waited = wait_for_head(patience);
        const bool silent = !waited && waited.error().code() == Code::deadline_exceeded;
        if (!waited && (!silent || deadline_.passed())) {
            return waited.error();
        }
    }
    if (!answered()) {
        if (Status sent = send_body(); !sent) {
            TRY(answer_or(std::move(sent).error()));
        }
    }
    while (!answered()) {
        continue_seen_ = false;  // an interim answer is not what is waited for here
        TRY(wait_for_head(deadline_));
    }
    return ClientResponse{.status = parser_->status(), .headers = parser_->headers(), .body = {}};
}

Status ClientExchange::send_body() {
    if (!request_.source) {
        TRY(send_piece(request_.body));
        body_sent_ = !answered();
        return ok();
    }
    Bytes piece(kUploadPiece);
    std::uint64_t left = request_.length;
    while (left > 0 && !answered()) {
        const std::size_t wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
        TRY_ASSIGN(const std::size_t count, request_.source(MutableByteView(piece).first(wanted)));
        if (count == 0 || count > wanted) {
            return Error(Code::invalid_argument, "the body ended before its announced length");
        }
        TRY(send_piece(ByteView(piece).first(count)));
        left -= count;
    }
    body_sent_ = left == 0;
    return ok();
}

Status ClientExchange::send_piece(ByteView data) {
    while (!data.empty()) {
        TRY(poll_answer());
        if (answered()) {
            return ok();
        }
        TRY_ASSIGN(const Step step, stream_.try_write(data));
        data = data.subspan(step.bytes);
        if (step.wait != Wait::none) {
            TRY(wait_either(stream_.fd(), deadline_));
        }
    }
    return ok();
}

Status ClientExchange::poll_answer() {
    while (!answered()) {
        const MutableByteView room = input_.room(kSocketReadBytes);
        TRY_ASSIGN(const Step step, stream_.try_read(room));
        if (step.wait != Wait::none) {
            return ok();
        }
        if (step.end) {
            return Error(Code::unavailable, "the server closed the connection");
        }
        input_.added(step.bytes);
        TRY(parse_head());
    }
    return ok();
}

Status ClientExchange::parse_head() {
    for (int i = 0; i < kMaxInterim; ++i) {
        TRY_ASSIGN(const std::size_t used, parser_->feed_head(input_.data()));
        input_.consume(used);
        if (!parser_->head_done() || parser_->status() / 100 != 1 || parser_->status() == 101) {
            return ok();
        }
        continue_seen_ = continue_seen_ || parser_->status() == 100;
        parser_ = MessageParser::for_response(kMaxHeaderBytes, request_.method == "HEAD");
        if (input_.empty()) {
            return ok();
        }
    }
    return Error(Code::invalid_argument, "the server sends interim answers without end");
}

Status ClientExchange::wait_for_head(Deadline deadline) {
    while (true) {
        TRY(poll_answer());
        if (answered() || continue_seen_) {
            return ok();
        }
        TRY(wait_ready(stream_.fd(), Wait::readable, deadline));
    }
}

Status ClientExchange::answer_or(Error error) {
    if (error.code() == Code::unavailable && !answered()) {
        const Status read = poll_answer();
        if (!read || !answered()) {
            return error;
        }
    }
    return answered() ? ok() : Status(std::move(error));
}

Result<std::size_t> ClientExchange::read_body(MutableByteView out) {
    while (!parser_->done()) {
        TRY_ASSIGN(const Fed fed, parser_->feed_body(input_.data(), out));
        input_.consume(fed.consumed);
        if (fed.produced > 0) {
            return fed.produced;
        }
        if (fed.consumed > 0) {
            continue;
        }
        const MutableByteView room = input_.room(kSocketReadBytes);
        if (room.empty()) {
            return Error(Code::invalid_argument, "malformed HTTP message: endless chunk header");
        }
        TRY_ASSIGN(const std::size_t count, read_some(stream_, room, deadline_));
        if (count == 0) {
            TRY(parser_->end_of_input());
        }
        input_.added(count);
    }
    return 0;
}

}  // namespace kiln::net::detail
