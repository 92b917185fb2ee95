// SPDX-License-Identifier: Apache-2.0
#include "api/metadata/metadata_door.h"

#include <algorithm>

namespace kiln::api {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kThreads = 4;
// Every connection has at most one request under way, so this cannot fill up.
constexpr std::size_t kMaxConnections = 1024;
constexpr std::size_t kRequestsAtOnce = 2;

net::HttpServerOptions server_options() {
    net::HttpServerOptions options;
    options.address.clear();
    options.max_connections = kMaxConnections;
    options.max_header_bytes = 8U << 10;  // a token and a path: some 300 bytes
    // A guest is not trusted: what it leaves unfinished must not hold a thread or a descriptor
    // long.
    options.max_drain_bytes = 0;
    options.header_timeout = milliseconds(5'000);
    options.idle_timeout = milliseconds(20'000);
    options.body_read_timeout = milliseconds(1'000);
    options.write_timeout = milliseconds(2'000);
    return options;
}

}  // namespace

MetadataDoor::MetadataDoor(control::Metadata& metadata, io::Clock& clock)
    : handler_(metadata), clock_(clock), executor_("metadata", kThreads, kMaxConnections) {}

MetadataDoor::~MetadataDoor() {
    stop();
}

Result<std::unique_ptr<MetadataDoor>> MetadataDoor::create(control::Metadata& metadata,
                                                           io::Clock& clock) {
    std::unique_ptr<MetadataDoor> door(new MetadataDoor(metadata, clock));
    net::HttpServerOptions options = server_options();
    options.overload = [](const net::HttpRequest&) { return MetadataHandler::error_page(503); };
    TRY_ASSIGN(
        door->server_,
        net::HttpServer::create(
            std::move(options), door->executor_,
            [raw = door.get()](const net::HttpRequest& request, net::BodyReader&,
                               net::ResponseWriter& response) { raw->handle(request, response); }));
    return door;
}

Status MetadataDoor::open(const model::InstanceId& instance, const std::string& path,
                          std::optional<std::uint32_t> user) {
    close(instance);
    {
        MutexLock lock(mutex_);
        buckets_[instance.str()] = Bucket{kMetadataBurst, clock_.monotonic()};
    }
    net::UnixListenerOptions listener;
    listener.path = path;
    listener.label = instance.str();
    listener.owner = user;
    listener.max_connections = kMetadataConnections;
    listener.max_requests = kRequestsAtOnce;
    return server_->listen_unix(std::move(listener));
}

void MetadataDoor::close(const model::InstanceId& instance) {
    server_->close_listener(instance.str());
    MutexLock lock(mutex_);
    buckets_.erase(instance.str());
}

void MetadataDoor::stop() {
    if (server_) {
        server_->stop(milliseconds(500));
    }
}

bool MetadataDoor::admit(const std::string& instance) {
    MutexLock lock(mutex_);
    const auto found = buckets_.find(instance);
    if (found == buckets_.end()) {
        return true;  // closed meanwhile: its last request
    }
    Bucket& bucket = found->second;
    const std::chrono::nanoseconds now = clock_.monotonic();
    const std::chrono::duration<double> passed = now - bucket.filled;
    bucket.tokens = std::min(kMetadataBurst, bucket.tokens + passed.count() * kMetadataPerSecond);
    bucket.filled = now;
    if (bucket.tokens < 1) {
        return false;
    }
    bucket.tokens -= 1;
    return true;
}

void MetadataDoor::handle(const net::HttpRequest& request, net::ResponseWriter& response) {
    if (admit(request.listener)) {
        handler_.handle(request, response);
        return;
    }
    net::CannedResponse page = MetadataHandler::error_page(503);
    response.set_status(page.status);
    response.headers() = std::move(page.headers);
    response.headers().set("Retry-After", "1");
    const Status sent = response.send(as_bytes(page.body));
    static_cast<void>(sent);  // the guest went away
}

}  // namespace kiln::api
