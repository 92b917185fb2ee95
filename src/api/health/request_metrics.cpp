// SPDX-License-Identifier: Apache-2.0
#include "api/health/request_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace kiln::api {
namespace {

// Seconds: from a read of the catalog to an import of a large disk.
const prometheus::Histogram::BucketBoundaries kBuckets{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

}  // namespace

struct RequestMetrics::Families {
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter>& requests =
        prometheus::BuildCounter()
            .Name("kiln_requests_total")
            .Help("Requests answered, by operation and error code (OK: none)")
            .Register(registry);
    prometheus::Family<prometheus::Histogram>& times =
        prometheus::BuildHistogram()
            .Name("kiln_request_duration_seconds")
            .Help("Time from a body's first byte to the whole answer")
            .Register(registry);
};

RequestMetrics::RequestMetrics() : families_(std::make_unique<Families>()) {}
RequestMetrics::~RequestMetrics() = default;

void RequestMetrics::count(std::string_view service, std::string_view operation,
                           std::string_view code, std::chrono::nanoseconds time) {
    const std::string service_name(service);
    const std::string operation_name(operation);
    families_->requests
        .Add(
            {{"service", service_name}, {"operation", operation_name}, {"code", std::string(code)}})
        .Increment();
    families_->times.Add({{"service", service_name}, {"operation", operation_name}}, kBuckets)
        .Observe(std::chrono::duration<double>(time).count());
}

std::string RequestMetrics::text(const std::vector<Gauge>& gauges) const {
    std::vector<prometheus::MetricFamily> all = families_->registry.Collect();
    for (const Gauge& gauge : gauges) {
        prometheus::ClientMetric metric;
        metric.gauge.value = gauge.value;
        all.push_back({gauge.name, gauge.help, prometheus::MetricType::Gauge, {metric}});
    }
    return prometheus::TextSerializer().Serialize(all);
}

}  // namespace kiln::api
