// SPDX-License-Identifier: Apache-2.0
// RequestMetrics: counts and times the API's requests, and writes all metrics in Prometheus's text
// format (version 0.0.4). Labels are names of operations and error codes of this program, so their
// number is bounded whatever clients send.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::api {

// A value read when somebody asks.
struct Gauge {
    std::string name;  // kiln_..., with its unit at the end
    std::string help;
    double value = 0;
};

class RequestMetrics {
  public:
    RequestMetrics();
    ~RequestMetrics();
    RequestMetrics(const RequestMetrics&) = delete;
    RequestMetrics& operator=(const RequestMetrics&) = delete;

    // `operation` is empty for a request that named none of the service's; `code` is "OK" or the
    // error's.
    void count(std::string_view service, std::string_view operation, std::string_view code,
               std::chrono::nanoseconds time);
    // Everything counted, and `gauges`.
    std::string text(const std::vector<Gauge>& gauges) const;

  private:
    struct Families;
    std::unique_ptr<Families> families_;
};

}  // namespace kiln::api
