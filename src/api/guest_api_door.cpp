// SPDX-License-Identifier: Apache-2.0
#include "api/guest_api_door.h"

#include "api/door.h"

namespace kiln::api {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kThreads = 8;
constexpr std::size_t kMaxConnections = 1'024;
constexpr std::size_t kConnectionsOfInstance = 16;
constexpr std::size_t kRequestsAtOnce = 2;
// Far above what a client sends: user data of 16 KiB, filters of some hundred values.
constexpr std::uint64_t kMaxBody = 1U << 20;

net::HttpServerOptions server_options() {
    net::HttpServerOptions options;
    options.address.clear();
    options.max_connections = kMaxConnections;
    options.max_header_bytes = 16U << 10;
    options.max_drain_bytes = 0;
    options.header_timeout = milliseconds(5'000);
    options.idle_timeout = milliseconds(20'000);
    options.body_read_timeout = milliseconds(2'000);
    options.write_timeout = milliseconds(5'000);
    options.overload = Door::overloaded;
    return options;
}

void refuse(net::ResponseWriter& response, int status, std::string_view text) {
    response.set_status(status);
    response.headers().set("Content-Type", "text/plain");
    const Status sent = response.send(as_bytes(text));
    static_cast<void>(sent);  // the guest went away
}

}  // namespace

GuestApiDoor::GuestApiDoor() : executor_("guest-api", kThreads, kMaxConnections) {}

GuestApiDoor::~GuestApiDoor() {
    stop();
}

Result<std::unique_ptr<GuestApiDoor>> GuestApiDoor::create() {
    std::unique_ptr<GuestApiDoor> door(new GuestApiDoor());
    TRY_ASSIGN(door->server_,
               net::HttpServer::create(
                   server_options(), door->executor_,
                   [raw = door.get()](const net::HttpRequest& request, net::BodyReader& body,
                                      net::ResponseWriter& response) {
                       raw->handle(request, body, response);
                   }));
    return door;
}

void GuestApiDoor::serve(Door& door) {
    MutexLock lock(mutex_);
    door_ = &door;
}

void GuestApiDoor::pause() {
    MutexLock lock(mutex_);
    door_ = nullptr;
    while (inside_ != 0) {
        left_.wait(lock);
    }
}

Door* GuestApiDoor::enter() {
    MutexLock lock(mutex_);
    inside_ += door_ != nullptr ? 1 : 0;
    return door_;
}

void GuestApiDoor::leave() {
    MutexLock lock(mutex_);
    --inside_;
    left_.notify_all();
}

Status GuestApiDoor::open(const model::InstanceId& instance, const std::string& path,
                          std::optional<std::uint32_t> user) {
    close(instance);
    net::UnixListenerOptions listener;
    listener.path = path;
    listener.label = instance.str();
    listener.owner = user;
    listener.max_connections = kConnectionsOfInstance;
    listener.max_requests = kRequestsAtOnce;
    return server_->listen_unix(std::move(listener));
}

void GuestApiDoor::close(const model::InstanceId& instance) {
    server_->close_listener(instance.str());
}

void GuestApiDoor::stop() {
    if (server_) {
        server_->stop(milliseconds(500));
    }
}

void GuestApiDoor::handle(const net::HttpRequest& request, net::BodyReader& body,
                          net::ResponseWriter& response) {
    if (request.path.starts_with(KilnApi::kPrefix)) {
        return refuse(response, 404, "Kiln's own calls are not served to guests.\n");
    }
    if (!request.content_length) {
        return refuse(response, 411, "A request needs a Content-Length here.\n");
    }
    if (*request.content_length > kMaxBody) {
        return refuse(response, 413, "A request has at most 1 MiB here.\n");
    }
    Door* door = enter();
    if (door == nullptr) {
        return refuse(response, 503, "The service starts or ends.\n");
    }
    door->handle(request, body, response);
    leave();
}

}  // namespace kiln::api
