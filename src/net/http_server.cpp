// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "net/detail/connection.h"
#include "net/detail/connections.h"
#include "net/detail/listen.h"
#include "net/detail/reactor.h"
#include "net/detail/tls_stream.h"
#include "util/check.h"
#include "util/log.h"
#include "util/mutex.h"

namespace kiln::net {

namespace {

using detail::Connection;
using detail::ConnectionTable;
using detail::Entrance;
using detail::Reactor;
using detail::Wait;

// One listening socket. Of the reactor's thread, once it is watched there.
struct Listener {
    UniqueFd fd;
    std::shared_ptr<const Entrance> entrance;
    std::size_t max_connections = 0;
    std::shared_ptr<const detail::TlsContext> tls;

    std::size_t connections = 0;
    bool wants_room = false;  // connections may be waiting; there was no room for more
    std::unique_ptr<Reactor::Watch> watch;
    std::unique_ptr<Reactor::Timer> retry;
};
using ListenerPtr = std::shared_ptr<Listener>;

// Members: `options_` to `host_` are fixed; `listeners_`, `connections_` belong to the reactor's
// thread; the rest synchronises itself.
class Server : public HttpServer {
  public:
    Server(HttpServerOptions options, Executor& executor, HttpHandler handler)
        : options_(std::move(options)),
          executor_(executor),
          handler_(std::move(handler)),
          reactor_(Reactor::create("kiln-http")),
          table_(std::make_shared<ConnectionTable>(
              [this] { reactor_->post([this] { use_room(); }); })),
          host_{
              .options = options_,
              .reactor = *reactor_,
              .handler = handler_,
              .stopping = stopping_,
              .run = [this](const Entrance& entrance,
                            std::function<void()> task) { return run(entrance, std::move(task)); },
              .closed = [this](Connection* gone) { forget(gone); }} {}
    ~Server() override { stop(std::chrono::milliseconds(0)); }

    bool has_address() const { return !options_.address.empty(); }
    Status listen_address();
    Status listen_unix(UnixListenerOptions options) override EXCLUDES(mutex_);
    void close_listener(const std::string& label) override EXCLUDES(mutex_);
    std::uint16_t port() const override { return port_; }
    void stop(std::chrono::milliseconds grace) override;

  private:
    struct Admitted {
        std::shared_ptr<Connection> connection;
        ListenerPtr listener;
    };

    void start(ListenerPtr listener);
    void accept_some(const ListenerPtr& listener);
    void use_room();
    void admit(const ListenerPtr& listener, UniqueFd fd, std::string peer);
    void forget(Connection* gone);
    bool run(const Entrance& entrance, std::function<void()> task);
    void wait_for_handlers(Deadline deadline);
    void unlink_all() EXCLUDES(mutex_);

    const HttpServerOptions options_;
    Executor& executor_;
    const HttpHandler handler_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    bool stopped_ = false;  // of the thread that calls stop()

    Mutex mutex_;
    CondVar idle_;
    std::size_t running_ GUARDED_BY(mutex_) = 0;                   // handlers queued or running
    std::map<std::string, std::string> paths_ GUARDED_BY(mutex_);  // of unix listeners, by label

    const std::unique_ptr<Reactor> reactor_;
    const std::shared_ptr<ConnectionTable> table_;
    const detail::ConnectionHost host_;
    std::map<std::string, ListenerPtr> listeners_;  // by label
    std::map<Connection*, Admitted> connections_;
};

Status Server::listen_address() {
    auto listener = std::make_shared<Listener>();
    if (!options_.tls_certificate_path.empty()) {
        TRY_ASSIGN(listener->tls, detail::TlsContext::create(options_.tls_certificate_path,
                                                             options_.tls_key_path));
    }
    TRY_ASSIGN(listener->fd, detail::listen_on(options_.address, options_.port));
    TRY_ASSIGN(port_, detail::local_port(listener->fd.get()));
    listener->entrance =
        std::make_shared<Entrance>(Entrance{.tls = static_cast<bool>(listener->tls)});
    listener->max_connections = options_.max_connections;
    start(std::move(listener));
    return ok();
}

Status Server::listen_unix(UnixListenerOptions options) {
    INVARIANT(!options.label.empty() && options.max_connections > 0 && options.max_requests > 0);
    MutexLock lock(mutex_);  // over bind(): quick, and the file must belong to its label
    if (stopping_) {
        return Error(Code::failed_precondition, "the server has stopped");
    }
    if (paths_.contains(options.label)) {
        return Error(Code::already_exists, "a listener '" + options.label + "' is open");
    }
    auto listener = std::make_shared<Listener>();
    TRY_ASSIGN(listener->fd, detail::listen_on(options));
    listener->entrance = std::make_shared<Entrance>(
        Entrance{.label = options.label,
                 .turns = std::make_shared<detail::Turns>(executor_, options.max_requests)});
    listener->max_connections = options.max_connections;
    paths_.emplace(options.label, options.path);
    start(std::move(listener));
    return ok();
}

void Server::close_listener(const std::string& label) {
    MutexLock lock(mutex_);
    const auto path = paths_.find(label);
    if (path == paths_.end()) {
        return;
    }
    ::unlink(path->second.c_str());
    paths_.erase(path);
    reactor_->post([this, label] {
        const auto found = listeners_.find(label);
        if (found == listeners_.end()) {
            return;
        }
        const ListenerPtr gone = found->second;
        listeners_.erase(found);
        gone->watch.reset();
        gone->retry.reset();
        gone->fd.reset();
        const auto connections = connections_;  // closing removes them from the map
        for (const auto& [raw, admitted] : connections) {
            if (admitted.listener == gone) {
                admitted.connection->retire();
            }
        }
    });
}

void Server::start(ListenerPtr listener) {
    reactor_->post([this, listener = std::move(listener)] {
        Result<std::unique_ptr<Reactor::Watch>> watch = reactor_->watch(listener->fd.get());
        INVARIANT_MSG(watch.has_value(), "the listening socket cannot be watched");
        listener->watch = std::move(*watch);
        listener->retry = reactor_->timer();
        listeners_[listener->entrance->label] = listener;
        accept_some(listener);
    });
}

void Server::accept_some(const ListenerPtr& listener) {
    if (!listener->fd) {
        return;  // closed
    }
    constexpr int kAtOnce = 16;  // then established connections get their turn
    for (int i = 0; i < kAtOnce && !stopping_; ++i) {
        if (table_->size() >= options_.max_connections ||
            listener->connections >= listener->max_connections) {
            listener->watch->cancel();  // use_room() goes on when one closes
            listener->wants_room = true;
            return;
        }
        detail::Accepted accepted = detail::accept_from(listener->fd.get());
        if (!accepted.fd) {
            const int error = accepted.error;
            if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
                log_warn("http", "cannot accept a connection: no descriptors or memory left");
                listener->watch->cancel();
                listener->retry->start(kAcceptRetry, [this, listener] { accept_some(listener); });
                return;
            }
            break;  // none waiting, or that one is gone already
        }
        admit(listener, std::move(accepted.fd), std::move(accepted.peer));
    }
    if (!stopping_) {
        listener->watch->wait(Wait::readable, [this, listener] { accept_some(listener); });
    }
}

void Server::use_room() {
    const auto listeners = listeners_;
    for (const auto& [label, listener] : listeners) {
        if (std::exchange(listener->wants_room, false)) {
            accept_some(listener);
        }
    }
}

void Server::admit(const ListenerPtr& listener, UniqueFd fd, std::string peer) {
    const int on = 1;  // answers are written whole; waiting for more only delays them
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int raw = fd.get();
    Result<std::unique_ptr<detail::Stream>> stream = listener->tls
                                                         ? listener->tls->accept(std::move(fd))
                                                         : detail::make_plain_stream(std::move(fd));
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
    const auto connection = std::make_shared<Connection>(
        host_, listener->entrance, std::move(shared), std::move(*watch), std::move(peer));
    connections_.emplace(connection.get(), Admitted{connection, listener});
    ++listener->connections;
    connection->start();
}

void Server::forget(Connection* gone) {
    const auto found = connections_.find(gone);
    if (found == connections_.end()) {
        return;
    }
    --found->second.listener->connections;
    if (found->second.listener->wants_room) {
        reactor_->post([this] { use_room(); });  // the table says nothing when a tunnel lives on
    }
    connections_.erase(found);
}

bool Server::run(const Entrance& entrance, std::function<void()> task) {
    {
        MutexLock lock(mutex_);
        ++running_;
    }
    const auto done = [this] {
        MutexLock lock(mutex_);
        --running_;
        idle_.notify_all();  // under the lock: the server may be gone right after it
    };
    auto counted = [task = std::move(task), done]() mutable {
        task();
        task = nullptr;  // its connection must not outlive the server, which may be gone after
                         // done()
        done();
    };
    if (entrance.turns ? entrance.turns->run(std::move(counted))
                       : executor_.submit(std::move(counted)).has_value()) {
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
    unlink_all();
    reactor_->post([this] {
        for (const auto& [label, listener] : listeners_) {
            listener->watch.reset();
            listener->retry.reset();
            listener->fd.reset();
        }
        const auto connections = connections_;  // closing removes them from the map
        for (const auto& [raw, admitted] : connections) {
            admitted.connection->close_if_idle();
        }
    });
    wait_for_handlers(Deadline::after(grace));
    table_->cut_off_all();
    wait_for_handlers(Deadline::never());
    table_->forget_owner();
    reactor_->stop();
    connections_.clear();
    for (const auto& [label, listener] : listeners_) {
        listener->watch.reset();
        listener->retry.reset();
    }
    listeners_.clear();
}

void Server::unlink_all() {
    MutexLock lock(mutex_);
    for (const auto& [label, path] : paths_) {
        ::unlink(path.c_str());
    }
    paths_.clear();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpServerOptions options,
                                                       Executor& executor, HttpHandler handler) {
    if (options.tls_certificate_path.empty() != options.tls_key_path.empty()) {
        return Error(Code::invalid_argument, "TLS needs a certificate and a key");
    }
    auto server = std::make_unique<Server>(std::move(options), executor, std::move(handler));
    if (!server->has_address()) {
        return std::unique_ptr<HttpServer>(std::move(server));
    }
    TRY(server->listen_address());
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
