// SPDX-License-Identifier: Apache-2.0
#include "api/health/health_door.h"

#include "util/log.h"

namespace kiln::api {
namespace {

constexpr std::chrono::seconds kAnswerTime{10};

void send(net::ResponseWriter& response, int status, std::string_view type,
          const std::string& body) {
    response.set_status(status);
    response.headers().set("Content-Type", type);
    response.headers().set("Cache-Control", "no-store");
    const Status sent = response.send(as_bytes(body), Deadline::after(kAnswerTime));
    if (!sent) {
        log_debug("health", "an answer was not delivered: " + sent.error().to_string());
    }
}

constexpr std::string_view kText = "text/plain; charset=utf-8";

}  // namespace

bool HealthDoor::is_for_health(const net::HttpRequest& request) {
    return request.path == "/healthz" || request.path == "/readyz" || request.path == "/metrics";
}

void HealthDoor::handle(const net::HttpRequest& request, net::ResponseWriter& response) const {
    if (request.method != "GET" && request.method != "HEAD") {
        response.headers().set("Allow", "GET, HEAD");
        send(response, 405, kText, "This is read with GET.\n");
    } else if (request.path == "/metrics") {
        send(response, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text(gauges_()));
    } else if (request.path == "/healthz") {
        send(response, 200, kText, "ok\n");
    } else if (const Status ready = ready_(); ready) {
        send(response, 200, kText, "ok\n");
    } else {
        send(response, 503, kText, ready.error().message() + "\n");
    }
}

}  // namespace kiln::api
