// SPDX-License-Identifier: Apache-2.0
// HealthDoor: what load balancers and monitoring ask, unsigned: they tell counts and whether the
// service works, and nothing of what it holds.
//
//   GET /healthz   200 while the program answers at all
//   GET /readyz    200 when requests can be served, else 503 with the reason
//   GET /metrics   Prometheus's text format
//
// Thread-safe, if the functions it is given are.
#pragma once

#include <functional>
#include <vector>

#include "api/health/request_metrics.h"
#include "net/http_server.h"
#include "util/result.h"

namespace kiln::api {

class HealthDoor {
  public:
    using Ready = std::function<Status()>;
    using Gauges = std::function<std::vector<Gauge>()>;

    HealthDoor(const RequestMetrics& metrics, Ready ready, Gauges gauges)
        : metrics_(metrics), ready_(std::move(ready)), gauges_(std::move(gauges)) {}

    static bool is_for_health(const net::HttpRequest& request);
    void handle(const net::HttpRequest& request, net::ResponseWriter& response) const;

  private:
    const RequestMetrics& metrics_;
    const Ready ready_;
    const Gauges gauges_;
};

}  // namespace kiln::api
