// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>

#include "net/detail/connection.h"
#include "net/detail/connections.h"
#include "net/detail/reactor.h"
#include "net/detail/tls_stream.h"
#include "util/check.h"
#include "util/log.h"
#include "util/mutex.h"

namespace kiln::net {

namespace {

using detail::Connection;
using detail::ConnectionTable;
using detail::Reactor;
using detail::Wait;

struct AddressListDeleter {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return Error(Code::invalid_argument, "not a numeric address: " + address);
    }
    const std::unique_ptr<addrinfo, AddressListDeleter> list(found);
    UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return Error::from_errno(errno, "socket");
    }
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
        ::listen(fd.get(), kListenBacklog) != 0) {
        return Error::from_errno(errno, "listen on " + address + ":" + std::to_string(port));
    }
    return fd;
}

std::string address_text(const sockaddr_storage& address, socklen_t size) {
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";
    if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof(host),
                      service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return "unknown";
    }
    const bool v6 = address.ss_family == AF_INET6;
    return (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + service;
}

Result<std::uint16_t> local_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return Error::from_errno(errno, "getsockname");
    }
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// Members: `options_` to `host_` are fixed; `connections_`, `listener_watch_`, `accept_timer_`,
// `accepting_` belong to the reactor's thread; the rest synchronises itself.
class Server : public HttpServer {
  public:
    Server(HttpServerOptions options, Executor& executor, HttpHandler handler, UniqueFd listener,
           std::uint16_t port, std::shared_ptr<const detail::TlsContext> tls)
        : options_(std::move(options)),
          executor_(executor),
          handler_(std::move(handler)),
          tls_(std::move(tls)),
          port_(port),
          listener_(std::move(listener)),
          reactor_(Reactor::create("kiln-http")),
          table_(std::make_shared<ConnectionTable>(
              [this] { reactor_->post([this] { accept_some(); }); })),
          host_{.options = options_,
                .reactor = *reactor_,
                .handler = handler_,
                .stopping = stopping_,
                .run = [this](std::function<void()> task) { return run(std::move(task)); },
                .closed = [this](Connection* gone) { forget(gone); }} {}
    ~Server() override { stop(std::chrono::milliseconds(0)); }

    void start() {
        reactor_->post([this] {
            Result<std::unique_ptr<Reactor::Watch>> watch = reactor_->watch(listener_.get());
            INVARIANT_MSG(watch.has_value(), "the listening socket cannot be watched");
            listener_watch_ = std::move(*watch);
            accept_timer_ = reactor_->timer();
            accept_some();
        });
    }

    std::uint16_t port() const override { return port_; }
    void stop(std::chrono::milliseconds grace) override;

  private:
    void accept_some();
    void admit(UniqueFd fd, std::string peer);
    void forget(Connection* gone);
    bool run(std::function<void()> task);
    void wait_for_handlers(Deadline deadline);

    const HttpServerOptions options_;
    Executor& executor_;
    const HttpHandler handler_;
    const std::shared_ptr<const detail::TlsContext> tls_;
    const std::uint16_t port_;
    UniqueFd listener_;
    std::atomic<bool> stopping_ = false;
    bool stopped_ = false;  // of the thread that calls stop()

    Mutex mutex_;
    CondVar idle_;
    std::size_t running_ GUARDED_BY(mutex_) = 0;  // handlers queued or running

    const std::unique_ptr<Reactor> reactor_;
    const std::shared_ptr<ConnectionTable> table_;
    const detail::ConnectionHost host_;
    std::unique_ptr<Reactor::Watch> listener_watch_;
    std::unique_ptr<Reactor::Timer> accept_timer_;
    std::map<Connection*, std::shared_ptr<Connection>> connections_;
};

void Server::accept_some() {
    constexpr int kAtOnce = 16;  // then established connections get their turn
    for (int i = 0; i < kAtOnce && !stopping_; ++i) {
        if (table_->size() >= options_.max_connections) {
            listener_watch_->cancel();  // the table calls again when one closes
            return;
        }
        sockaddr_storage address{};
        socklen_t size = sizeof(address);
        UniqueFd fd(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_warn("http", "cannot accept a connection: no descriptors or memory left");
                listener_watch_->cancel();
                accept_timer_->start(kAcceptRetry, [this] { accept_some(); });
                return;
            }
            break;  // none waiting, or that one is gone already
        }
        admit(std::move(fd), address_text(address, size));
    }
    if (!stopping_) {
        listener_watch_->wait(Wait::readable, [this] { accept_some(); });
    }
}

void Server::admit(UniqueFd fd, std::string peer) {
    const int on = 1;  // answers are written whole; waiting for more only delays them
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int raw = fd.get();
    Result<std::unique_ptr<detail::Stream>> stream =
        tls_ ? tls_->accept(std::move(fd)) : detail::make_plain_stream(std::move(fd));
    if (!stream) {
        log_warn("http", stream.error().to_string());
        return;
    }
    std::shared_ptr<detail::Stream> shared = table_->adopt(std::move(*stream));
    Result<std::unique_ptr<Reactor::Watch>> watch = reactor_->watch(raw);
    if (!watch) {
        log_warn("http", watch.error().to_string());
        return;
    }
    const auto connection =
        std::make_shared<Connection>(host_, std::move(shared), std::move(*watch), std::move(peer));
    connections_.emplace(connection.get(), connection);
    connection->start();
}

void Server::forget(Connection* gone) {
    connections_.erase(gone);
}

bool Server::run(std::function<void()> task) {
    {
        MutexLock lock(mutex_);
        ++running_;
    }
    const auto done = [this] {
        MutexLock lock(mutex_);
        --running_;
        idle_.notify_all();  // under the lock: the server may be gone right after it
    };
    if (executor_.submit([task = std::move(task), done]() mutable {
            task();
            task = nullptr;  // its connection must not outlive the server, which may be gone after
                             // done()
            done();
        })) {
        return true;
    }
    done();
    return false;
}

void Server::wait_for_handlers(Deadline deadline) {
    MutexLock lock(mutex_);
    while (running_ > 0) {
        if (deadline.at() == Deadline::never().at()) {
            idle_.wait(lock);
        } else if (!idle_.wait_until(lock, deadline.at())) {
            return;
        }
    }
}

void Server::stop(std::chrono::milliseconds grace) {
    if (std::exchange(stopped_, true)) {
        return;
    }
    stopping_ = true;
    reactor_->post([this] {
        listener_watch_.reset();
        accept_timer_.reset();
        listener_.reset();
        const auto connections = connections_;  // closing removes them from the map
        for (const auto& [raw, connection] : connections) {
            connection->close_if_idle();
        }
    });
    wait_for_handlers(Deadline::after(grace));
    table_->cut_off_all();
    wait_for_handlers(Deadline::never());
    table_->forget_owner();
    reactor_->stop();
    connections_.clear();
    listener_watch_.reset();
    accept_timer_.reset();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpServerOptions options,
                                                       Executor& executor, HttpHandler handler) {
    if (options.tls_certificate_path.empty() != options.tls_key_path.empty()) {
        return Error(Code::invalid_argument, "TLS needs a certificate and a key");
    }
    std::shared_ptr<const detail::TlsContext> tls;
    if (!options.tls_certificate_path.empty()) {
        TRY_ASSIGN(tls,
                   detail::TlsContext::create(options.tls_certificate_path, options.tls_key_path));
    }
    TRY_ASSIGN(UniqueFd listener, listen_on(options.address, options.port));
    TRY_ASSIGN(const std::uint16_t port, local_port(listener.get()));
    auto server = std::make_unique<Server>(std::move(options), executor, std::move(handler),
                                           std::move(listener), port, std::move(tls));
    server->start();
    return std::unique_ptr<HttpServer>(std::move(server));
}

Result<Bytes> BodyReader::read_all(std::size_t limit, Deadline deadline) {
    constexpr std::size_t kFirstStep = 16U << 10;
    const auto too_long = [&] {
        return Error(Code::resource_exhausted,
                     "the body is longer than " + std::to_string(limit) + " bytes");
    };
    const std::optional<std::uint64_t> announced = remaining();
    if (announced && *announced > limit) {
        return too_long();
    }
    // One byte more than allowed is asked for, so that "too long" shows.
    Bytes body(announced ? static_cast<std::size_t>(*announced) + 1
                         : std::min(limit + 1, kFirstStep));
    std::size_t size = 0;
    while (true) {
        TRY_ASSIGN(const std::size_t count, read(MutableByteView(body).subspan(size), deadline));
        size += count;
        if (size > limit) {
            return too_long();
        }
        if (count == 0) {
            body.resize(size);
            return body;
        }
        if (size == body.size()) {
            body.resize(std::min(limit + 1, body.size() * 2));
        }
    }
}

}  // namespace kiln::net
