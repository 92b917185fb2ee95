// SPDX-License-Identifier: Apache-2.0
// GuestApiDoor: the API for guests. Each instance has a unix socket, to which its network process
// leads what the guest sends to 169.254.169.80:80; what comes in there is answered by the same Door
// as a request from anywhere else, signature and all. Which instance asks gives it no rights: it is
// known for the log alone. Only the AWS services are there: not Kiln's own calls, the console,
// metrics.
//
// A guest is not trusted: bodies are short and of known length, an instance takes no more than its
// share of connections and requests at once, and the threads are not those of the API's address.
//
// Thread-safe. Sockets may be opened before there is a Door: requests are then answered 503.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/instance_networks.h"
#include "net/http_server.h"
#include "util/executor.h"
#include "util/mutex.h"

namespace kiln::api {

class Door;

class GuestApiDoor final : public control::GuestSockets {
  public:
    static Result<std::unique_ptr<GuestApiDoor>> create();
    ~GuestApiDoor() override;

    // `door` answers from here on, until pause().
    void serve(Door& door) EXCLUDES(mutex_);
    // Returns when no request is with the door any more; later ones are answered 503. Sockets stay.
    void pause() EXCLUDES(mutex_);

    // As MetadataDoor's.
    Status open(const model::InstanceId& instance, const std::string& path,
                std::optional<std::uint32_t> user) override;
    void close(const model::InstanceId& instance) override;
    void stop();

  private:
    GuestApiDoor();
    void handle(const net::HttpRequest& request, net::BodyReader& body,
                net::ResponseWriter& response) EXCLUDES(mutex_);
    Door* enter() EXCLUDES(mutex_);
    void leave() EXCLUDES(mutex_);

    Executor executor_;
    Mutex mutex_;
    CondVar left_;
    Door* door_ GUARDED_BY(mutex_) = nullptr;
    std::size_t inside_ GUARDED_BY(mutex_) = 0;
    std::unique_ptr<net::HttpServer> server_;  // the last: its handlers use the rest
};

}  // namespace kiln::api
