// SPDX-License-Identifier: Apache-2.0
// MetadataDoor: the metadata service of all instances of this host. Each instance has a unix
// socket, which only its network process may connect to; who asks is known by the socket, so no
// header or source address has to be believed.
//
// All sockets share one I/O thread and a few handler threads; an open one costs a descriptor and no
// thread. An instance takes no more than its share: kMetadataConnections, two requests at a time,
// and a rate (IMDS-14).
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/metadata/metadata_handler.h"
#include "control/instance_networks.h"
#include "io/clock.h"
#include "net/http_server.h"
#include "util/executor.h"
#include "util/mutex.h"

namespace kiln::api {

inline constexpr std::size_t kMetadataConnections = 8;
// EC2 lets 1,024 packets a second through, some hundred requests. cloud-init makes about 70 at a
// start.
inline constexpr double kMetadataBurst = 500;
inline constexpr double kMetadataPerSecond = 100;

class MetadataDoor final : public control::GuestSockets {
  public:
    static Result<std::unique_ptr<MetadataDoor>> create(control::Metadata& metadata,
                                                        io::Clock& clock);
    ~MetadataDoor() override;

    // Serves the instance on a socket at `path`, whose file `user` gets if one is named (as root
    // the network process has a user of its own). An instance that is open is opened anew. Errors
    // as HttpServer::listen_unix.
    Status open(const model::InstanceId& instance, const std::string& path,
                std::optional<std::uint32_t> user) override EXCLUDES(mutex_);
    // The socket file goes, connections end. No error when it is not open.
    void close(const model::InstanceId& instance) override EXCLUDES(mutex_);
    void stop();

  private:
    struct Bucket {
        double tokens = kMetadataBurst;
        std::chrono::nanoseconds filled{0};
    };

    MetadataDoor(control::Metadata& metadata, io::Clock& clock);
    void handle(const net::HttpRequest& request, net::ResponseWriter& response);
    bool admit(const std::string& instance) EXCLUDES(mutex_);

    MetadataHandler handler_;
    io::Clock& clock_;
    Executor executor_;
    Mutex mutex_;
    std::map<std::string, Bucket> buckets_ GUARDED_BY(mutex_);
    std::unique_ptr<net::HttpServer> server_;  // the last: its handlers use the rest
};

}  // namespace kiln::api
