// SPDX-License-Identifier: Apache-2.0
#include "net/detail/connection.h"

#include "util/strings.h"

namespace kiln::net::detail {

namespace {

CannedResponse plain(int status, std::string text) {
    return {.status = status,
            .headers = {{"Content-Type", "text/plain"}},
            .body = std::move(text) + "\n"};
}

// The path and query of any form of request target: "/a?b", "http://host/a?b", "*", "host:port".
void split_target(HttpRequest& request) {
    std::string_view rest = request.target;
    if (const std::size_t scheme = rest.find("://");
        !rest.starts_with('/') && scheme != rest.npos) {
        const std::size_t slash = rest.find_first_of("/?", scheme + 3);
        rest = slash == rest.npos ? std::string_view() : rest.substr(slash);
    }
    const std::size_t question = rest.find('?');
    request.path = rest.substr(0, question);
    if (question != rest.npos) {
        request.query = rest.substr(question + 1);
    }
    if (request.path.empty()) {
        request.path = "/";
    }
}

}  // namespace

Connection::Connection(const ConnectionHost& host, std::shared_ptr<const Entrance> entrance,
                       std::shared_ptr<Stream> stream, std::unique_ptr<Reactor::Watch> watch,
                       std::string peer)
    : host_(host),
      entrance_(std::move(entrance)),
      stream_(std::move(stream)),
      watch_(std::move(watch)),
      timer_(host.reactor.timer()),
      peer_(std::move(peer)),
      input_(host.options.max_header_bytes + kSocketReadBytes) {}

void Connection::start() {
    set_timeout(host_.options.header_timeout);
    step_handshake();
}

void Connection::close_if_idle() {
    if (state_ == State::handshake || state_ == State::head || state_ == State::lingering) {
        close();
    }
}

void Connection::retire() {
    retired_ = true;
    close_if_idle();
}

void Connection::wait_for(Wait wait, void (Connection::*next)()) {
    watch_->wait(wait, [self = weak_from_this(), next] {
        if (const auto connection = self.lock()) {
            (connection.get()->*next)();
        }
    });
}

void Connection::set_timeout(std::chrono::milliseconds time) {
    timer_->start(time, [self = weak_from_this()] {
        if (const auto connection = self.lock()) {
            connection->on_timeout();
        }
    });
}

void Connection::step_handshake() {
    const Result<Step> step = stream_->handshake();
    if (!step) {
        close();
    } else if (step->wait != Wait::none) {
        wait_for(step->wait, &Connection::step_handshake);
    } else {
        start_head();
    }
}

void Connection::start_head() {
    state_ = State::head;
    head_begun_ = false;
    parser_ = MessageParser::for_request(host_.options.max_header_bytes);
    input_.release_if_empty();
    set_timeout(host_.options.idle_timeout);
    step_head();
}

void Connection::step_head() {
    while (true) {
        if (!input_.empty()) {
            if (!head_begun_) {
                head_begun_ = true;
                set_timeout(host_.options.header_timeout);
            }
            const Result<std::size_t> used = parser_->feed_head(input_.data());
            if (!used) {
                const bool too_large = used.error().code() == Code::resource_exhausted;
                answer(too_large ? plain(431, "The request header is larger than " +
                                                  std::to_string(host_.options.max_header_bytes) +
                                                  " bytes")
                                 : plain(400, used.error().message()),
                       true);
                return;
            }
            input_.consume(*used);
            if (parser_->head_done()) {
                on_head();
                return;
            }
        }
        if (!read_more()) {
            return;
        }
    }
}

bool Connection::read_more() {
    const MutableByteView room = input_.room(kSocketReadBytes);
    if (room.empty()) {
        answer(plain(431, "The request header is too large"), true);
        return false;
    }
    const Result<Step> step = stream_->try_read(room);
    if (!step || step->end) {
        close();
        return false;
    }
    if (step->wait != Wait::none) {
        input_.release_if_empty();
        wait_for(step->wait, &Connection::step_head);
        return false;
    }
    input_.added(step->bytes);
    return true;
}

HttpRequest Connection::make_request() const {
    HttpRequest request;
    request.method = parser_->method();
    request.target = parser_->target();
    split_target(request);
    request.headers = parser_->headers();
    request.content_length = parser_->content_length();
    if (!request.content_length && !parser_->chunked()) {
        request.content_length = 0;
    }
    request.peer = peer_;
    request.listener = entrance_->label;
    request.tls = entrance_->tls;
    return request;
}

std::optional<CannedResponse> Connection::refusal() const {
    const Headers& headers = request_.headers;
    // Two hosts, or none, make servers and proxies disagree about what is asked for.
    if (headers.count("Host") > 1 || (parser_->is_http_11() && !headers.has("Host"))) {
        return plain(400, "The request needs exactly one Host header");
    }
    // Anything under "chunked" would have to be undone before the end of the body is known.
    if (const auto coding = headers.get("Transfer-Encoding");
        coding && !equals_ignore_case(*coding, "chunked")) {
        return plain(501, "Transfer-Encoding other than chunked is not supported");
    }
    if (const auto expect = headers.get("Expect");
        expect && !equals_ignore_case(*expect, "100-continue")) {
        return plain(417, "Expect other than 100-continue is not supported");
    }
    return std::nullopt;
}

void Connection::on_head() {
    timer_->cancel();
    request_ = make_request();
    if (const std::optional<CannedResponse> refused = refusal()) {
        answer(*refused, true);
        return;
    }
    state_ = State::handling;
    if (!host_.run(*entrance_, [self = shared_from_this()] { self->run_handler(); })) {
        // The body, if there is one, is not waited for.
        const bool close = !parser_->done() || !parser_->keep_alive() || !parser_->is_http_11();
        answer(host_.options.overload ? host_.options.overload(request_)
                                      : plain(503, "The server is busy; try again"),
               close);
    }
}

void Connection::run_handler() {
    Outcome outcome = Outcome::close;
    {
        Exchange exchange(host_.options, request_, stream_, *parser_, input_, host_.stopping);
        host_.handler(request_, exchange, exchange);
        outcome = exchange.conclude();
    }
    host_.reactor.post([self = shared_from_this(), outcome] { self->on_handled(outcome); });
}

void Connection::on_handled(Outcome outcome) {
    if (outcome == Outcome::keep && !host_.stopping && !retired_) {
        start_head();
    } else if (outcome == Outcome::keep || outcome == Outcome::linger) {
        linger();
    } else {
        close();
    }
}

void Connection::answer(const CannedResponse& response, bool close) {
    state_ = State::answering;
    close_after_answer_ = close;
    out_ = format_canned(response, close, parser_->head_done() && request_.method == "HEAD");
    out_at_ = 0;
    set_timeout(host_.options.write_timeout);
    step_answer();
}

void Connection::step_answer() {
    while (out_at_ < out_.size()) {
        const Result<Step> step = stream_->try_write(as_bytes(out_).subspan(out_at_));
        if (!step) {
            close();
            return;
        }
        out_at_ += step->bytes;
        if (step->wait != Wait::none) {
            wait_for(step->wait, &Connection::step_answer);
            return;
        }
    }
    out_.clear();
    if (close_after_answer_ || host_.stopping || retired_) {
        linger();
    } else {
        start_head();
    }
}

void Connection::linger() {
    state_ = State::lingering;
    stream_->finish_writing();
    set_timeout(kLingerTimeout);
    step_linger();
}

void Connection::step_linger() {
    std::array<std::uint8_t, kSocketReadBytes> scratch;
    // A few reads at a time, so that one fast sender does not hold up the reactor.
    for (int i = 0; i < 8; ++i) {
        const Result<Step> step = stream_->try_read(scratch);
        if (!step || step->end || lingered_bytes_ > kLingerBytes) {
            close();
            return;
        }
        if (step->wait != Wait::none) {
            wait_for(step->wait, &Connection::step_linger);
            return;
        }
        lingered_bytes_ += step->bytes;
    }
    wait_for(Wait::readable, &Connection::step_linger);
}

void Connection::on_timeout() {
    if (state_ == State::head && head_begun_) {
        answer(plain(408, "The request header took too long"), true);
    } else if (state_ != State::handling) {
        close();
    }
}

void Connection::close() {
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closed;
    const auto self = shared_from_this();  // until the end of this function at least
    timer_.reset();
    watch_.reset();
    stream_.reset();
    host_.closed(this);
}

}  // namespace kiln::net::detail
