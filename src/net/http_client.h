// SPDX-License-Identifier: Apache-2.0
// HttpClient: the blocking HTTP/1.1 client of the `kiln` command line. One connection to one
// endpoint, kept open between requests and opened anew when the server has closed it; no redirects,
// no proxies, no retries: a request whose answer was lost may have been carried out, so repeating
// it is the caller's decision.
//
// Bodies stream both ways. Uploads of kExpectContinueBytes and more wait for the server's
// 100-continue, so that a refusal costs nothing; and when the server answers while the body is
// still being sent, sending stops and the answer is returned.
//
// Errors: unavailable (cannot connect, connection lost), deadline_exceeded, invalid_argument
// (malformed URL, header or answer), resource_exhausted (answer longer than the limit); whatever a
// body callback returned. Any HTTP status is a success. After an error the next request opens a new
// connection. Thread model: one owner thread. Name resolution is not under the deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/headers.h"
#include "net/limits.h"
#include "net/tunnel.h"
#include "util/bytes.h"
#include "util/deadline.h"
#include "util/result.h"

namespace kiln::net {

// "http://127.0.0.1:4566/base?x" in parts.
struct Url {
    std::string scheme;      // "http" or "https", lower case
    std::string host;        // without the brackets of an IPv6 address
    std::uint16_t port = 0;  // the scheme's default when none was given
    std::string path = "/";  // with the query, as written; at least "/"
    // "host" or "host:port", as the Host header and the signature need it.
    std::string host_header() const;
};
Result<Url> parse_url(std::string_view text);

// Fills `out` with the next bytes of the body, at least one; called until `length` bytes were
// given.
using BodySource = std::function<Result<std::size_t>(MutableByteView out)>;
// Takes the next bytes of the answer.
using BodySink = std::function<Status(ByteView data)>;

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";  // path and query, encoded
    Headers headers;           // Host and Content-Length are added
    ByteView body;             // must stay valid during the call
    // Instead of `body`: `length` bytes from `source`.
    BodySource source;
    std::uint64_t length = 0;
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;  // empty when a sink took it
};

class HttpClient {
  public:
    // Connects with the first request. The URL's path is ignored. A https server must prove its
    // name by a certificate of `ca_bundle` (PEM file; empty: what the system trusts).
    static Result<std::unique_ptr<HttpClient>> create(std::string_view endpoint_url,
                                                      const std::string& ca_bundle = "");
    virtual ~HttpClient() = default;
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // What goes into the Host header; needed for signing.
    virtual const std::string& host_header() const = 0;

    // `deadline` bounds the whole exchange.
    virtual Result<ClientResponse> send(const ClientRequest& request, Deadline deadline,
                                        std::size_t limit = kDefaultBodyLimit) = 0;
    // A body with a 2xx status goes to `sink` piece by piece; one with another status is collected,
    // up to kDefaultBodyLimit, because it is an error message.
    virtual Result<ClientResponse> send(const ClientRequest& request, Deadline deadline,
                                        const BodySink& sink) = 0;

    struct Upgraded {
        ClientResponse response;  // 101, or what the server answered instead
        std::unique_ptr<Tunnel>
            tunnel;  // null unless 101; owns the connection, the client may be used on
    };
    virtual Result<Upgraded> upgrade(const ClientRequest& request, std::string_view protocol,
                                     Deadline deadline) = 0;

  protected:
    HttpClient() = default;
};

}  // namespace kiln::net
