// SPDX-License-Identifier: Apache-2.0
// ClientExchange: one request over a connected stream and its answer, blocking, watching for an
// early answer while the body is still being sent.
//
// Thread model: one owner thread.
#pragma once

#include <memory>
#include <string>

#include "net/detail/input_buffer.h"
#include "net/detail/message_parser.h"
#include "net/detail/stream.h"
#include "net/http_client.h"

namespace kiln::net::detail {

class ClientExchange {
  public:
    // `input` holds what was read behind the last answer: nothing, from a well-behaved server.
    ClientExchange(Stream& stream, InputBuffer& input, const ClientRequest& request,
                   Deadline deadline);

    // Sends the request, waits for the answer's header.
    Result<ClientResponse> run(const std::string& head, bool expect_continue);
    // The next piece of the answer's body; 0 at its end.
    Result<std::size_t> read_body(MutableByteView out);
    // The connection can carry another request.
    bool reusable() const { return body_sent_ && parser_->done() && parser_->keep_alive(); }

  private:
    Status send_body();
    Status send_piece(ByteView data);
    // Reads what has come, without waiting. Afterwards answered() tells whether the final header is
    // there.
    Status poll_answer();
    Status parse_head();
    Status wait_for_head(Deadline deadline);
    bool answered() const { return parser_->head_done(); }
    // A failed send may be the server closing after an early answer: then the answer counts.
    Status answer_or(Error error);

    Stream& stream_;
    InputBuffer& input_;
    const ClientRequest& request_;
    const Deadline deadline_;
    std::unique_ptr<MessageParser> parser_;
    bool continue_seen_ = false;
    bool body_sent_ = false;
};

}  // namespace kiln::net::detail
