// SPDX-License-Identifier: Apache-2.0
// HttpServer: HTTP/1.1 on an address, on unix sockets, or both. It speaks the protocol (keep-alive,
// chunked bodies, Expect: 100-continue, HEAD, Upgrade, TLS when given a certificate) and knows
// nothing about what is asked for: every request goes to one handler.
//
// What it answers by itself: 400 malformed, 408 header too slow, 417 an expectation other than
// 100-continue, 431 header too large, 501 unknown transfer coding, 503 executor queue full (body
// from `HttpServerOptions::overload`), 500 a handler that returned without an answer. All close the
// connection, but for a 503 to a request without a body.
//
// Bodies are never buffered whole: a read takes from the socket only when the handler asks, a write
// returns when the kernel took the bytes. So a slow handler slows its client, and memory per
// connection stays below about 200 KiB.
//
// Pipelined requests are answered one after the other. Beyond `max_connections` connections wait in
// the kernel's backlog.
//
// Unix listeners share the server's one I/O thread and executor, so hundreds of them cost a
// descriptor each. Every request says by which it came, and none can take more than its share:
// connections and requests at once are bounded for each.
//
// Thread model: thread-safe. One I/O thread accepts, shakes hands and reads request headers; it
// never runs handlers and never waits. Handlers run on the caller's executor, where their reads and
// writes block: a streamed upload occupies one executor thread while it lasts. HttpRequest,
// BodyReader and ResponseWriter belong to the handler's thread and die when it returns; a Tunnel
// may live on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/headers.h"
#include "net/limits.h"
#include "net/tunnel.h"
#include "util/bytes.h"
#include "util/deadline.h"
#include "util/executor.h"
#include "util/result.h"

namespace kiln::net {

struct HttpRequest {
    std::string method;  // as sent: methods are case-sensitive
    std::string target;  // as sent: "/a%20b?x=1"
    std::string
        path;  // the part before '?', still percent-encoded; at least "/" for an origin-form target
    std::string query;  // the part after '?', still encoded; empty when there is none
    Headers headers;
    std::optional<std::uint64_t>
        content_length;    // absent for a chunked body; 0 when there is no body
    std::string peer;      // "127.0.0.1:40512", or "unix"
    std::string listener;  // UnixListenerOptions::label; empty for the address
    bool tls = false;
};

// The body of the request being handled.
class BodyReader {
  public:
    virtual ~BodyReader() = default;
    // Waits for at least one byte; 0 is the end of the body. The first call answers `Expect:
    // 100-continue`. Errors are final: deadline_exceeded (the deadline, or the server's body
    // timeout), unavailable (the client went away in the middle), invalid_argument (malformed
    // chunk).
    virtual Result<std::size_t> read(MutableByteView out, Deadline deadline) = 0;
    // The whole rest of the body; resource_exhausted when it is longer than `limit`, found early
    // where the length was sent.
    Result<Bytes> read_all(std::size_t limit, Deadline deadline);

  protected:
    // Bytes still to come, when known.
    virtual std::optional<std::uint64_t> remaining() const = 0;
};

// The answer to the request being handled. Either send(), or begin() write()* finish(), or
// upgrade(); once. Errors: unavailable (the client went away), deadline_exceeded;
// failed_precondition and invalid_argument for misuse.
class ResponseWriter {
  public:
    virtual ~ResponseWriter() = default;
    // 200 unless set. Headers are set before sending; Content-Length, Transfer-Encoding, Connection
    // and Date are ours.
    virtual void set_status(int status) = 0;
    virtual Headers& headers() = 0;

    // The whole answer at once.
    virtual Status send(ByteView body, Deadline deadline = Deadline::never()) = 0;
    // A streamed answer; without a length it is chunked. Writing more or less than `length` is an
    // error and closes.
    virtual Status begin(std::optional<std::uint64_t> length) = 0;
    virtual Status write(ByteView data, Deadline deadline = Deadline::never()) = 0;
    virtual Status finish(Deadline deadline = Deadline::never()) = 0;

    // Answers 101 with `Upgrade: protocol` and takes the connection out of HTTP.
    // failed_precondition unless the client asked for that protocol, sent no body, and nothing was
    // answered yet.
    virtual Result<std::unique_ptr<Tunnel>> upgrade(std::string_view protocol) = 0;

    // True once a status line went out: then the answer can no longer be replaced by an error.
    virtual bool started() const = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, BodyReader&, ResponseWriter&)>;

// An answer the server gives without a handler.
struct CannedResponse {
    int status = 503;
    Headers headers;
    std::string body;
};

// A unix socket to listen on besides.
struct UnixListenerOptions {
    std::string path;                    // at most 107 bytes; a socket file left there is replaced
    std::string label;                   // not empty, one of its own; stands in each HttpRequest
    unsigned mode = 0600;                // of the file
    std::optional<std::uint32_t> owner;  // user (and group) the file is given to
    std::size_t max_connections = 16;    // at once; further ones wait in the backlog
    std::size_t max_requests = 2;        // handled at once; further ones wait for their turn
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";  // numeric, IPv4 or IPv6; empty: unix listeners only
    std::uint16_t port = 0;             // 0: any free one, see port()
    // PEM files; both or neither. With them the port speaks TLS (1.2 or later) only.
    std::string tls_certificate_path;
    std::string tls_key_path;
    // Runs on the I/O thread when the executor refuses a request; must be quick. Empty: a plain
    // 503.
    std::function<CannedResponse(const HttpRequest&)> overload;

    std::size_t max_connections = kMaxConnections;
    std::size_t max_header_bytes = kMaxHeaderBytes;
    // A body that the handler left unread is skipped up to this length; else the connection closes.
    std::uint64_t max_drain_bytes = kDrainBytes;
    std::chrono::milliseconds header_timeout = kHeaderTimeout;
    std::chrono::milliseconds idle_timeout = kIdleTimeout;
    std::chrono::milliseconds body_read_timeout = kBodyReadTimeout;
    std::chrono::milliseconds write_timeout = kWriteTimeout;
};

class HttpServer {
  public:
    // Binds and listens; requests are served from here on. `executor` outlives the server.
    static Result<std::unique_ptr<HttpServer>> create(HttpServerOptions options, Executor& executor,
                                                      HttpHandler handler);
    virtual ~HttpServer() = default;  // stop() with no grace
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    virtual std::uint16_t port() const = 0;  // 0 without an address
    // Listens on one more socket; requests are served from here on. TLS is for the address alone.
    // already_exists for a label in use, invalid_argument for a path that is too long,
    // failed_precondition after stop(). Not from a handler.
    virtual Status listen_unix(UnixListenerOptions options) = 0;
    // Removes the socket file; then closes the listener's idle connections and, after the answer,
    // those with a request. An unknown label is no error.
    virtual void close_listener(const std::string& label) = 0;
    // Stops listening (unix sockets' files go), closes idle connections, lets requests in progress
    // finish for up to `grace`, then cuts them and all tunnels off and waits for the handlers.
    // Idempotent; not from a handler.
    virtual void stop(std::chrono::milliseconds grace) = 0;

  protected:
    HttpServer() = default;
};

}  // namespace kiln::net
