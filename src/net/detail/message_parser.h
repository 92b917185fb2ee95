// SPDX-License-Identifier: Apache-2.0
// MessageParser: one HTTP/1.x message, fed with the bytes of a connection as they come. Wraps
// Boost.Beast's parser, which the rest of the library therefore need not include.
//
// First feed_head() until head_done(), then feed_body() until done(). Bytes that were not consumed
// must be offered again, with more behind them; when nothing was consumed or produced, more input
// is needed. Errors: resource_exhausted (header larger than the limit), invalid_argument
// (malformed). They are final. Thread model: one owner thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/headers.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::net::detail {

struct Fed {
    std::size_t consumed = 0;  // bytes of the input
    std::size_t produced = 0;  // bytes of the body
};

class MessageParser {
  public:
    static std::unique_ptr<MessageParser> for_request(std::size_t header_limit);
    // The answer to a HEAD request has no body whatever its headers say.
    static std::unique_ptr<MessageParser> for_response(std::size_t header_limit, bool to_head);
    virtual ~MessageParser() = default;

    // Returns the number of bytes consumed.
    virtual Result<std::size_t> feed_head(ByteView input) = 0;
    virtual bool head_done() const = 0;
    virtual Result<Fed> feed_body(ByteView input, MutableByteView out) = 0;
    // The peer closed: completes a response that has no length, else unavailable.
    virtual Status end_of_input() = 0;
    virtual bool done() const = 0;

    // Valid once head_done().
    virtual std::string method() const = 0;  // of a request
    virtual std::string target() const = 0;  // of a request
    virtual int status() const = 0;          // of a response
    virtual bool is_http_11() const = 0;
    virtual bool keep_alive() const = 0;
    virtual bool chunked() const = 0;
    virtual Headers headers() const = 0;
    virtual std::optional<std::uint64_t> content_length() const = 0;
    // Bytes of the body still to come; nothing when chunked or ended by closing.
    virtual std::optional<std::uint64_t> remaining() const = 0;
};

}  // namespace kiln::net::detail
