// SPDX-License-Identifier: Apache-2.0
#include "net/detail/exchange.h"

#include "util/log.h"

namespace kiln::net::detail {

namespace {

// Up to here head, chunk frame and data are copied together to save a packet; beyond, a copy costs
// more.
constexpr std::size_t kJoinBytes = 16U << 10;

Error misuse(const char* what) {
    return Error(Code::failed_precondition, what);
}

std::string chunk_prefix(std::size_t size) {
    char text[32];
    std::snprintf(text, sizeof(text), "%zx\r\n", size);
    return text;
}

}  // namespace

Exchange::Exchange(const HttpServerOptions& options, const HttpRequest& request,
                   std::shared_ptr<Stream> stream, MessageParser& parser, InputBuffer& input,
                   const std::atomic<bool>& stopping)
    : options_(options),
      request_(request),
      stream_(std::move(stream)),
      parser_(parser),
      input_(input),
      stopping_(stopping),
      // A client of HTTP/1.0 does not know the interim answer.
      continue_expected_(parser.is_http_11() && request.headers.has("Expect") && !parser.done()) {}

Result<std::size_t> Exchange::read(MutableByteView out, Deadline deadline) {
    if (read_error_) {
        return *read_error_;
    }
    Result<std::size_t> count = read_body(out, deadline);
    if (!count) {
        read_error_ = count.error();
    }
    return count;
}

Result<std::size_t> Exchange::read_body(MutableByteView out, Deadline deadline) {
    if (out.empty()) {
        return Error(Code::invalid_argument, "a read of no bytes");
    }
    if (continue_expected_) {
        TRY(send_continue());
    }
    while (!parser_.done()) {
        TRY_ASSIGN(const Fed fed, parser_.feed_body(input_.data(), out));
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
        const Deadline patience = earlier(deadline, Deadline::after(options_.body_read_timeout));
        TRY_ASSIGN(const std::size_t count, read_some(*stream_, room, patience));
        if (count == 0) {
            TRY(parser_.end_of_input());
        }
        input_.added(count);
    }
    return 0;
}

Status Exchange::send_continue() {
    continue_expected_ = false;
    if (started()) {
        return ok();  // the client has its answer already
    }
    return write_all(*stream_, as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), options_.write_timeout,
                     Deadline::never());
}

bool Exchange::must_close() const {
    if (!parser_.keep_alive() || !parser_.is_http_11() || stopping_ || read_error_) {
        return true;
    }
    if (parser_.done()) {
        return false;
    }
    // What is left of the body will be skipped if that is cheap, and if it is certain to come.
    const std::optional<std::uint64_t> left = parser_.remaining();
    return continue_expected_ || !left || *left > options_.max_drain_bytes;
}

bool Exchange::bodyless_answer() const {
    return request_.method == "HEAD" || status_ == 204 || status_ == 304;
}

Status Exchange::transmit(std::string head, ByteView body, Deadline deadline) {
    if (body.size() <= kJoinBytes) {
        head.append(as_text(body));
        body = {};
    }
    Status sent = write_all(*stream_, as_bytes(head), options_.write_timeout, deadline);
    if (sent && !body.empty()) {
        sent = write_all(*stream_, body, options_.write_timeout, deadline);
    }
    if (!sent) {
        state_ = State::broken;
    }
    return sent;
}

Status Exchange::send(ByteView body, Deadline deadline) {
    if (started()) {
        return misuse("the request was answered already");
    }
    state_ = State::complete;
    close_announced_ = must_close();
    const bool no_length = status_ == 204 || status_ == 304;
    const ResponseHead head{.status = status_,
                            .framing = no_length ? Framing::none : Framing::length,
                            .length = body.size(),
                            .close = close_announced_};
    return transmit(format_response_head(head, headers_), bodyless_answer() ? ByteView{} : body,
                    deadline);
}

Status Exchange::begin(std::optional<std::uint64_t> length) {
    if (started()) {
        return misuse("the request was answered already");
    }
    state_ = State::streaming;
    framing_ = length                 ? Framing::length
               : parser_.is_http_11() ? Framing::chunked
                                      : Framing::until_close;
    length_left_ = length.value_or(0);
    close_announced_ = must_close();
    const ResponseHead head{.status = status_,
                            .framing = status_ == 204 || status_ == 304 ? Framing::none : framing_,
                            .length = length_left_,
                            .close = close_announced_};
    return transmit(format_response_head(head, headers_), {}, Deadline::never());
}

Status Exchange::write(ByteView data, Deadline deadline) {
    if (state_ != State::streaming) {
        return misuse("write() without begin(), or after an error");
    }
    if (framing_ == Framing::length) {
        if (data.size() > length_left_) {
            state_ = State::broken;
            return Error(Code::invalid_argument, "more data than the announced length");
        }
        length_left_ -= data.size();
    }
    if (bodyless_answer() || data.empty()) {
        return ok();  // an empty chunk would end the body
    }
    if (framing_ != Framing::chunked) {
        return transmit({}, data, deadline);
    }
    if (data.size() <= kJoinBytes) {
        return transmit(chunk_prefix(data.size()).append(as_text(data)).append("\r\n"), {},
                        deadline);
    }
    TRY(transmit(chunk_prefix(data.size()), data, deadline));
    return transmit("\r\n", {}, deadline);
}

Status Exchange::finish(Deadline deadline) {
    if (state_ != State::streaming) {
        return misuse("finish() without begin(), or after an error");
    }
    if (framing_ == Framing::length && length_left_ > 0 && !bodyless_answer()) {
        state_ = State::broken;
        return Error(Code::invalid_argument, "less data than the announced length");
    }
    state_ = State::complete;
    if (framing_ == Framing::chunked && !bodyless_answer()) {
        return transmit("0\r\n\r\n", {}, deadline);
    }
    return ok();
}

Result<std::unique_ptr<Tunnel>> Exchange::upgrade(std::string_view protocol) {
    if (started()) {
        return misuse("the request was answered already");
    }
    const bool asked = parser_.is_http_11() &&
                       request_.headers.has_token("Connection", "upgrade") &&
                       request_.headers.has_token("Upgrade", protocol);
    if (!asked || !parser_.done()) {
        return Error(Code::failed_precondition, "the request does not ask to upgrade to " +
                                                    std::string(protocol) + ", or has a body");
    }
    state_ = State::upgraded;
    status_ = 101;
    headers_.set("Upgrade", protocol);
    const ResponseHead head{.status = 101, .framing = Framing::none};
    TRY(transmit(format_response_head(head, headers_), {}, Deadline::never()));
    return make_tunnel(stream_, input_.data());
}

bool Exchange::drain() {
    const Deadline deadline = Deadline::after(kDrainTimeout);
    Bytes scratch(kSocketReadBytes);
    while (!parser_.done()) {
        if (const Result<std::size_t> count = read(scratch, deadline); !count) {
            return false;
        }
    }
    return true;
}

Outcome Exchange::conclude() {
    switch (state_) {
        case State::fresh: {
            log_error("http",
                      "no answer from the handler for " + request_.method + " " + request_.path);
            const CannedResponse answer{.status = 500, .headers = {}, .body = {}};
            const bool sent = transmit(format_canned(answer, true, request_.method == "HEAD"), {},
                                       Deadline::never())
                                  .has_value();
            return sent ? Outcome::linger : Outcome::close;
        }
        case State::streaming:
        case State::broken:
            // Only a cut connection tells the client that what it has is not the whole answer.
            return Outcome::close;
        case State::upgraded:
            return Outcome::tunnel;
        case State::complete:
            break;
    }
    if (close_announced_ || stopping_ || continue_expected_) {
        return Outcome::linger;
    }
    return drain() ? Outcome::keep : Outcome::linger;
}

}  // namespace kiln::net::detail
