// SPDX-License-Identifier: Apache-2.0
// Door: where every HTTP request enters. It finds the service in the signature's scope, proves who
// asks, and hands the request to the query protocol (ec2, iam, sts), the JSON protocol (ssm), the
// REST protocol (ebs) or Kiln's own API (service `kiln`). Every answer, errors included, is in the
// form of the service asked.
//
// Order of checks (WIRE-9): signature, throttling, action and version, parameters, permission; then
// the handler.
// Thread-safe: called by many executor threads at once.
#pragma once

#include "api/codec/operation.h"
#include "api/codec/registry.h"
#include "api/context.h"
#include "api/health/request_metrics.h"
#include "api/kiln/kiln_api.h"
#include "api/request_throttle.h"
#include "api/services.h"
#include "io/clock.h"
#include "net/http_server.h"
#include "net/sigv4.h"

namespace kiln::api {

class Door {
  public:
    Door(Services services, const Registry& registry, KilnApi& kiln, RequestMetrics& metrics,
         RequestThrottle& throttle, io::Clock& clock, io::Rng& rng)
        : services_(services),
          registry_(registry),
          kiln_(kiln),
          metrics_(metrics),
          throttle_(throttle),
          clock_(clock),
          rng_(rng) {}

    void handle(const net::HttpRequest& request, net::BodyReader& body,
                net::ResponseWriter& response);
    // For a request the executor had no room for.
    static net::CannedResponse overloaded(const net::HttpRequest& request);

  private:
    // One request on its way.
    struct Visit {
        const net::HttpRequest& http;
        net::Authorization authorization;
        Context context;
        std::string_view operation{};  // once it is known
    };

    Result<Visit> authenticate(const net::HttpRequest& request, const std::string& request_id,
                               std::string& secret);
    control::Arrival arrival_of(const net::HttpRequest& request, std::string_view service);
    Result<std::string> find_caller(const net::Authorization& authorization,
                                    control::Caller& caller);
    Result<RestAnswer> answer(const ServiceInfo& service, Visit& visit, const std::string& secret,
                              net::BodyReader& body);
    // After the signature (THR-1). `operation`: as the request says, whether there is one or not.
    Status admit(const ServiceInfo& service, Visit& visit, std::string_view operation);
    // Between the parameters and the handler.
    Status allow(const Visit& visit, const OperationInfo& operation, const void* request);
    Result<std::string> answer_query(const ServiceInfo& service, Visit& visit,
                                     std::string_view body);
    Result<std::string> answer_json(const ServiceInfo& service, Visit& visit,
                                    std::string_view body);
    Result<RestAnswer> answer_rest(const ServiceInfo& service, Visit& visit,
                                   const std::string& secret, net::BodyReader& body);
    void serve(const ServiceInfo& service, Visit& visit, const std::string& secret,
               net::BodyReader& body, net::ResponseWriter& response);
    // Counts and logs what was answered; "OK" for success.
    void note(const ServiceInfo& service, const Visit& visit, std::string_view code,
              std::chrono::nanoseconds time);
    std::string new_request_id();

    const Services services_;
    const Registry& registry_;
    KilnApi& kiln_;
    RequestMetrics& metrics_;
    RequestThrottle& throttle_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::api
