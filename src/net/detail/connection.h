// SPDX-License-Identifier: Apache-2.0
// Connection: the life of one accepted connection between the reactor (handshake, request header,
// canned answers, lingering close) and the executor (one handler call at a time).
//
//   handshake -> head -> handling -> head ...        keep-alive
//                 |         |-> lingering -> closed   last answer sent
//                 |         `-> closed                the stream went to a tunnel, or broke
//                 `-> answering -> head | lingering   400, 408, 417, 431, 501, 503
//
// Thread model: all methods on the reactor's thread. While `handling`, the handler's thread owns
// parser, input and request and the reactor touches none of them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "net/detail/exchange.h"
#include "net/detail/input_buffer.h"
#include "net/detail/message_parser.h"
#include "net/detail/reactor.h"
#include "net/detail/stream.h"
#include "net/detail/turns.h"
#include "net/http_server.h"

namespace kiln::net::detail {

// Where a connection came in. Shared by its connections, immutable.
struct Entrance {
    std::string label;             // HttpRequest::listener
    std::shared_ptr<Turns> turns;  // null: every request goes to the executor at once
    bool tls = false;
};

// What a connection needs of its server. Outlives it.
struct ConnectionHost {
    const HttpServerOptions& options;
    Reactor& reactor;
    const HttpHandler& handler;
    const std::atomic<bool>& stopping;
    // Runs the task on the executor and counts it while it runs; false when the executor refuses
    // it.
    std::function<bool(const Entrance& entrance, std::function<void()> task)> run;
    // Forgets the connection.
    std::function<void(class Connection*)> closed;
};

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(const ConnectionHost& host, std::shared_ptr<const Entrance> entrance,
               std::shared_ptr<Stream> stream, std::unique_ptr<Reactor::Watch> watch,
               std::string peer);

    void start();
    // Closes unless a request is being handled or answered.
    void close_if_idle();
    // Closes at once, or after the answer that is being made.
    void retire();

  private:
    enum class State { handshake, head, handling, answering, lingering, closed };

    void step_handshake();
    void start_head();
    void step_head();
    // False when the connection must wait for more input, or ended.
    bool read_more();
    void on_head();
    // An answer for what the server refuses by itself, or nothing.
    std::optional<CannedResponse> refusal() const;
    HttpRequest make_request() const;
    void run_handler();
    void on_handled(Outcome outcome);
    void answer(const CannedResponse& response, bool close);
    void step_answer();
    void linger();
    void step_linger();
    void close();
    void wait_for(Wait wait, void (Connection::*next)());
    void set_timeout(std::chrono::milliseconds time);
    void on_timeout();

    const ConnectionHost& host_;
    const std::shared_ptr<const Entrance> entrance_;
    std::shared_ptr<Stream> stream_;
    std::unique_ptr<Reactor::Watch> watch_;
    std::unique_ptr<Reactor::Timer> timer_;
    const std::string peer_;

    State state_ = State::handshake;
    InputBuffer input_;
    std::unique_ptr<MessageParser> parser_;
    HttpRequest request_;
    bool head_begun_ = false;  // a byte of the header has come
    std::string out_;          // the canned answer being sent
    std::size_t out_at_ = 0;
    bool close_after_answer_ = false;
    bool retired_ = false;
    std::uint64_t lingered_bytes_ = 0;
};

}  // namespace kiln::net::detail
