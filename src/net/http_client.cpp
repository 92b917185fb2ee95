// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/detail/client_exchange.h"
#include "net/detail/tls_stream.h"
#include "util/strings.h"

namespace kiln::net {

namespace {

using detail::ClientExchange;
using detail::InputBuffer;
using detail::Stream;

struct AddressListDeleter {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<UniqueFd> connect_to(const addrinfo& address, Deadline deadline) {
    UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return Error::from_errno(errno, "socket");
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int err = 0;
    if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
        err = errno;
    }
    if (err == EINPROGRESS) {
        TRY(detail::wait_ready(fd.get(), detail::Wait::writable, deadline));
        socklen_t size = sizeof(err);
        ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &err, &size);
    }
    if (err != 0) {
        return Error(Code::unavailable, std::strerror(err));
    }
    return fd;
}

Result<UniqueFd> connect_to(const Url& url, Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int err =
        ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
    if (err != 0) {
        return Error(Code::unavailable, "cannot resolve " + url.host + ": " + ::gai_strerror(err));
    }
    const std::unique_ptr<addrinfo, AddressListDeleter> list(found);
    Error last(Code::unavailable, "no address for " + url.host);
    for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
        Result<UniqueFd> fd = connect_to(*address, deadline);
        if (fd) {
            return fd;
        }
        last = std::move(fd).error();
    }
    return std::move(last).with("connect to " + url.host_header());
}

Status shake_hands(Stream& stream, Deadline deadline) {
    while (true) {
        TRY_ASSIGN(const detail::Step step, stream.handshake());
        if (step.wait == detail::Wait::none) {
            return ok();
        }
        TRY(detail::wait_ready(stream.fd(), step.wait, deadline));
    }
}

// The server sends nothing between requests: what can be read then is its farewell.
bool went_away(int fd) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) != 0;
}

class Client : public HttpClient {
  public:
    Client(Url url, std::shared_ptr<const detail::TlsContext> tls)
        : url_(std::move(url)), host_header_(url_.host_header()), tls_(std::move(tls)) {}

    const std::string& host_header() const override { return host_header_; }

    Result<ClientResponse> send(const ClientRequest& request, Deadline deadline,
                                std::size_t limit) override {
        return exchange(request, deadline, limit, nullptr);
    }
    Result<ClientResponse> send(const ClientRequest& request, Deadline deadline,
                                const BodySink& sink) override {
        return exchange(request, deadline, kDefaultBodyLimit, &sink);
    }
    Result<Upgraded> upgrade(const ClientRequest& request, std::string_view protocol,
                             Deadline deadline) override;

  private:
    Status connect(Deadline deadline);
    void disconnect() { stream_.reset(); }
    Result<std::string> format_head(const ClientRequest& request, bool expect_continue) const;
    Result<ClientResponse> exchange(const ClientRequest& request, Deadline deadline,
                                    std::size_t limit, const BodySink* sink);
    Status read_answer(ClientExchange& exchange, std::size_t limit, const BodySink* sink,
                       ClientResponse& response);

    const Url url_;
    const std::string host_header_;
    const std::shared_ptr<const detail::TlsContext> tls_;  // with https://
    std::shared_ptr<Stream> stream_;
    std::unique_ptr<InputBuffer> input_;
};

Status Client::connect(Deadline deadline) {
    if (stream_ != nullptr && !went_away(stream_->fd())) {
        return ok();
    }
    disconnect();
    TRY_ASSIGN(UniqueFd fd, connect_to(url_, deadline));
    if (tls_) {
        TRY_ASSIGN(stream_, tls_->connect(std::move(fd), url_.host));
        if (Status shaken = shake_hands(*stream_, deadline); !shaken) {
            disconnect();
            return std::move(shaken).error().with("TLS with " + host_header_);
        }
    } else {
        stream_ = detail::make_plain_stream(std::move(fd));
    }
    input_ = std::make_unique<InputBuffer>(kMaxHeaderBytes + kSocketReadBytes);
    return ok();
}

bool is_visible(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c != 0x7f; });
}

Result<std::string> Client::format_head(const ClientRequest& request, bool expect_continue) const {
    if (!is_visible(request.method) || !is_visible(request.target)) {
        return Error(Code::invalid_argument, "the method or target of the request is malformed");
    }
    std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
    const auto field = [&](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    if (!request.headers.has("Host")) {
        field("Host", host_header_);
    }
    for (const Header& header : request.headers) {
        if (!is_valid_header(header.name, header.value)) {
            return Error(Code::invalid_argument,
                         "the request header " + header.name + " is malformed");
        }
        if (!equals_ignore_case(header.name, "Content-Length")) {
            field(header.name, header.value);
        }
    }
    const std::uint64_t length = request.source ? request.length : request.body.size();
    if (length > 0 || request.method == "POST" || request.method == "PUT") {
        field("Content-Length", std::to_string(length));
    }
    if (expect_continue) {
        field("Expect", "100-continue");
    }
    return out.append("\r\n");
}

Result<ClientResponse> Client::exchange(const ClientRequest& request, Deadline deadline,
                                        std::size_t limit, const BodySink* sink) {
    const std::uint64_t length = request.source ? request.length : request.body.size();
    const bool expect_continue = length >= kExpectContinueBytes;
    TRY_ASSIGN(const std::string head, format_head(request, expect_continue));
    TRY(connect(deadline));
    ClientExchange exchange(*stream_, *input_, request, deadline);
    Result<ClientResponse> response = exchange.run(head, expect_continue);
    Status read =
        response ? read_answer(exchange, limit, sink, *response) : Status(response.error());
    if (!read || !exchange.reusable()) {
        disconnect();
    }
    TRY(std::move(read));
    return response;
}

Status Client::read_answer(ClientExchange& exchange, std::size_t limit, const BodySink* sink,
                           ClientResponse& response) {
    const bool to_sink = sink != nullptr && response.status / 100 == 2;
    Bytes piece(kSocketReadBytes);
    while (true) {
        TRY_ASSIGN(const std::size_t count, exchange.read_body(piece));
        if (count == 0) {
            return ok();
        }
        const ByteView data = ByteView(piece).first(count);
        if (to_sink) {
            TRY((*sink)(data));
        } else if (count > limit - response.body.size()) {
            return Error(Code::resource_exhausted,
                         "the answer is longer than " + std::to_string(limit) + " bytes");
        } else {
            response.body.append(as_text(data));
        }
    }
}

Result<HttpClient::Upgraded> Client::upgrade(const ClientRequest& request,
                                             std::string_view protocol, Deadline deadline) {
    if (request.source || !request.body.empty()) {
        return Error(Code::invalid_argument, "an upgrade request has no body");
    }
    ClientRequest asking = request;
    asking.headers.set("Connection", "Upgrade");
    asking.headers.set("Upgrade", protocol);
    TRY_ASSIGN(const std::string head, format_head(asking, false));
    TRY(connect(deadline));
    ClientExchange exchange(*stream_, *input_, asking, deadline);
    Result<ClientResponse> response = exchange.run(head, false);
    Upgraded out;
    if (response && response->status == 101) {
        out.tunnel = detail::make_tunnel(stream_, input_->data());
        disconnect();
    } else {
        Status read = response ? read_answer(exchange, kDefaultBodyLimit, nullptr, *response)
                               : Status(response.error());
        disconnect();
        TRY(std::move(read));
    }
    out.response = std::move(*response);
    return out;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view url) {
    const std::optional<std::uint16_t> port = parse_int<std::uint16_t>(text);
    if (!port || *port == 0) {
        return Error(Code::invalid_argument, "the URL has a malformed port: " + std::string(url));
    }
    return *port;
}

}  // namespace

std::string Url::host_header() const {
    const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
    const bool standard = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
    return standard ? name : name + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
    const auto malformed = [&](const char* what) {
        return Error(Code::invalid_argument, std::string(what) + ": '" + std::string(text) + "'");
    };
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == text.npos || !is_visible(text)) {
        return malformed("not a URL of the form http://HOST:PORT");
    }
    Url url;
    url.scheme = to_lower(text.substr(0, scheme_end));
    if (url.scheme != "http" && url.scheme != "https") {
        return malformed("the URL's scheme is neither http nor https");
    }
    const std::string_view rest = text.substr(scheme_end + 3);
    const std::size_t path_at = std::min(rest.find_first_of("/?#"), rest.size());
    const std::string_view authority = rest.substr(0, path_at);
    if (authority.find('@') != authority.npos) {
        return malformed("a URL with a user name is not supported");
    }
    const bool bracketed = authority.starts_with('[');
    const std::size_t host_end = bracketed ? authority.find(']') : authority.rfind(':');
    if (bracketed && host_end == authority.npos) {
        return malformed("the URL's IPv6 address has no end");
    }
    url.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
    const std::string_view tail =
        host_end == authority.npos ? "" : authority.substr(host_end + (bracketed ? 1 : 0));
    if (url.host.empty() || (!bracketed && url.host.find(':') != url.host.npos)) {
        return malformed("the URL has no proper host");
    }
    url.port = url.scheme == "https" ? 443 : 80;
    if (!tail.empty()) {
        if (tail.front() != ':') {
            return malformed("the URL has no proper host");
        }
        TRY_ASSIGN(url.port, parse_port(tail.substr(1), text));
    }
    const std::string_view path = rest.substr(path_at, rest.find('#', path_at) - path_at);
    url.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
    return url;
}

Result<std::unique_ptr<HttpClient>> HttpClient::create(std::string_view endpoint_url,
                                                       const std::string& ca_bundle) {
    TRY_ASSIGN(Url url, parse_url(endpoint_url));
    std::shared_ptr<const detail::TlsContext> tls;
    if (url.scheme == "https") {
        TRY_ASSIGN(tls, detail::TlsContext::create_client(ca_bundle));
    }
    return std::unique_ptr<HttpClient>(std::make_unique<Client>(std::move(url), std::move(tls)));
}

}  // namespace kiln::net
