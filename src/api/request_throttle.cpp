// SPDX-License-Identifier: Apache-2.0
#include "api/request_throttle.h"

#include <algorithm>

namespace kiln::api {
namespace {

using control::RequestClass;

// Those that make much at once, or take long.
constexpr std::string_view kHeavy[] = {
    "CopyImage",       "CopySnapshot", "CopyVolumes", "CreateImage", "CreateReplaceRootVolumeTask",
    "CreateSnapshots", "RunInstances",
};

}  // namespace

RequestClass request_class(std::string_view service, std::string_view operation) {
    if (service == "ebs" && (operation == "GetSnapshotBlock" || operation == "PutSnapshotBlock")) {
        return RequestClass::blocks;
    }
    if (std::find(std::begin(kHeavy), std::end(kHeavy), operation) != std::end(kHeavy)) {
        return RequestClass::heavy;
    }
    const bool reads = operation.empty() || operation.starts_with("Describe") ||
                       operation.starts_with("Get") || operation.starts_with("List");
    return reads ? RequestClass::reads : RequestClass::writes;
}

double RequestThrottle::tokens_at(const Bucket& bucket, const control::Rate& rate,
                                  std::chrono::nanoseconds now) const {
    const double seconds = std::chrono::duration<double>(now - bucket.at).count();
    return std::min(rate.burst, bucket.tokens + seconds * rate.per_second);
}

void RequestThrottle::drop_full(std::chrono::nanoseconds now) {
    std::erase_if(buckets_, [&](const auto& entry) {
        const auto& rate = rates_.of(std::get<RequestClass>(entry.first));
        return tokens_at(entry.second, *rate, now) >= rate->burst;
    });
    // Next when they have doubled, so that looking costs little for each request.
    drop_at_ = std::max<std::size_t>(1024, 2 * buckets_.size());
}

Status RequestThrottle::admit(const std::string& account, const std::string& region,
                              RequestClass kind) {
    const auto& rate = rates_.of(kind);
    if (!rate) {
        return ok();
    }
    const auto now = clock_.monotonic();
    const MutexLock lock(mutex_);
    if (buckets_.size() >= drop_at_) {
        drop_full(now);
    }
    const auto [place, fresh] = buckets_.try_emplace(Key(account, region, kind));
    Bucket& bucket = place->second;
    bucket.tokens = fresh ? rate->burst : tokens_at(bucket, *rate, now);
    bucket.at = now;
    if (bucket.tokens < 1) {
        return Error::api(Code::resource_exhausted, "RequestLimitExceeded",
                          "Request limit exceeded.");
    }
    bucket.tokens -= 1;
    return ok();
}

std::size_t RequestThrottle::buckets() const {
    const MutexLock lock(mutex_);
    return buckets_.size();
}

}  // namespace kiln::api
