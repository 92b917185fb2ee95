// SPDX-License-Identifier: Apache-2.0
// Exchange: one request and its answer, driven by the handler's thread with blocking I/O on the
// connection's stream.
//
// Afterwards conclude() says what becomes of the connection. The connection is kept only if the
// request was read to its end and the answer was sent whole; whoever is told `Connection: close` is
// told in the header already, if it was known. Thread model: one owner thread, the handler's.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "net/detail/input_buffer.h"
#include "net/detail/message_parser.h"
#include "net/detail/response_head.h"
#include "net/detail/stream.h"
#include "net/http_server.h"

namespace kiln::net::detail {

enum class Outcome {
    keep,    // ready for the next request
    linger,  // finish the answer, let the client read it, close
    close,   // nothing more to say
    tunnel,  // the stream belongs to a Tunnel now
};

class Exchange final : public BodyReader, public ResponseWriter {
  public:
    // All references outlive the exchange. `stopping` asks for no further request on this
    // connection.
    Exchange(const HttpServerOptions& options, const HttpRequest& request,
             std::shared_ptr<Stream> stream, MessageParser& parser, InputBuffer& input,
             const std::atomic<bool>& stopping);

    Outcome conclude();

    Result<std::size_t> read(MutableByteView out, Deadline deadline) override;

    void set_status(int status) override { status_ = status; }
    Headers& headers() override { return headers_; }
    Status send(ByteView body, Deadline deadline) override;
    Status begin(std::optional<std::uint64_t> length) override;
    Status write(ByteView data, Deadline deadline) override;
    Status finish(Deadline deadline) override;
    Result<std::unique_ptr<Tunnel>> upgrade(std::string_view protocol) override;
    bool started() const override { return state_ != State::fresh; }

  private:
    enum class State { fresh, streaming, complete, upgraded, broken };

    std::optional<std::uint64_t> remaining() const override { return parser_.remaining(); }
    Result<std::size_t> read_body(MutableByteView out, Deadline deadline);
    Status send_continue();
    bool must_close() const;
    bool bodyless_answer() const;
    // Sends `head` and `body` and notes a failure.
    Status transmit(std::string head, ByteView body, Deadline deadline);
    bool drain();

    const HttpServerOptions& options_;
    const HttpRequest& request_;
    const std::shared_ptr<Stream> stream_;
    MessageParser& parser_;
    InputBuffer& input_;
    const std::atomic<bool>& stopping_;

    bool continue_expected_ = false;
    std::optional<Error> read_error_;

    State state_ = State::fresh;
    int status_ = 200;
    Headers headers_;
    bool close_announced_ = false;
    Framing framing_ = Framing::length;
    std::uint64_t length_left_ = 0;  // with Framing::length, of a streamed answer
};

}  // namespace kiln::net::detail
