// SPDX-License-Identifier: Apache-2.0
#include "api/request_throttle.h"

#include <doctest/doctest.h>

#include "api/generated/operations.h"
#include "api/service_words.h"

using namespace kiln;
using namespace kiln::api;
using control::Rate;
using control::RequestClass;

namespace {

class HandClock final : public io::Clock {
  public:
    UnixMillis now() override { return {}; }
    std::chrono::nanoseconds monotonic() override { return at; }
    std::chrono::nanoseconds at{};
};

int admitted(RequestThrottle& throttle, int tries, const std::string& account = "1",
             const std::string& region = "r", RequestClass kind = RequestClass::reads) {
    int count = 0;
    for (int i = 0; i < tries; ++i) {
        count += throttle.admit(account, region, kind) ? 1 : 0;
    }
    return count;
}

control::RequestRates only(RequestClass kind, Rate rate) {
    control::RequestRates rates = control::kNoRates;
    rates.rates[static_cast<std::size_t>(kind)] = rate;
    return rates;
}

}  // namespace

TEST_CASE("THR-1: a burst, then as many as the rate gives back") {
    HandClock clock;
    RequestThrottle throttle(only(RequestClass::reads, {10, 2}), clock);
    CHECK(admitted(throttle, 15) == 10);
    clock.at += std::chrono::milliseconds(499);
    CHECK(admitted(throttle, 5) == 0);
    clock.at += std::chrono::milliseconds(1);
    CHECK(admitted(throttle, 5) == 1);
    clock.at += std::chrono::seconds(3);
    CHECK(admitted(throttle, 20) == 6);
    clock.at += std::chrono::hours(1);
    CHECK(admitted(throttle, 20) == 10);  // never more than the burst
    const Status refused = throttle.admit("1", "r", RequestClass::reads);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().api_code() == "RequestLimitExceeded");
}

TEST_CASE("THR-1: accounts, regions and classes do not take from each other") {
    HandClock clock;
    control::RequestRates rates = only(RequestClass::reads, {2, 1});
    rates.rates[static_cast<std::size_t>(RequestClass::writes)] = Rate{3, 1};
    RequestThrottle throttle(rates, clock);
    CHECK(admitted(throttle, 9) == 2);
    CHECK(admitted(throttle, 9, "2") == 2);
    CHECK(admitted(throttle, 9, "1", "s") == 2);
    CHECK(admitted(throttle, 9, "1", "r", RequestClass::writes) == 3);
    // Without a rate there is no limit, and nothing to keep.
    CHECK(admitted(throttle, 1'000, "1", "r", RequestClass::heavy) == 1'000);
    CHECK(throttle.buckets() == 4);
}

TEST_CASE("THR-4: what is kept is bounded by who was there lately") {
    HandClock clock;
    RequestThrottle throttle(only(RequestClass::reads, {2, 1}), clock);
    std::size_t most = 0;
    for (int i = 0; i < 100'000; ++i) {
        clock.at += std::chrono::milliseconds(10);
        CHECK(throttle.admit(std::to_string(i), "r", RequestClass::reads));
        most = std::max(most, throttle.buckets());
    }
    CHECK(most <= 2'048);
    // One that is not full is never dropped.
    CHECK(admitted(throttle, 5, "busy") == 2);
    for (int i = 0; i < 5'000; ++i) {
        CHECK(throttle.admit("b" + std::to_string(i), "r", RequestClass::reads));
    }
    CHECK(admitted(throttle, 5, "busy") == 0);
}

TEST_CASE("THR-1: the class of an operation") {
    CHECK(request_class("ec2", "DescribeImages") == RequestClass::reads);
    CHECK(request_class("ec2", "GetConsoleOutput") == RequestClass::reads);
    CHECK(request_class("iam", "ListRoles") == RequestClass::reads);
    CHECK(request_class("ec2", "") == RequestClass::reads);
    CHECK(request_class("ec2", "RunInstances") == RequestClass::heavy);
    CHECK(request_class("ec2", "CopyImage") == RequestClass::heavy);
    CHECK(request_class("ec2", "TerminateInstances") == RequestClass::writes);
    CHECK(request_class("ssm", "PutParameter") == RequestClass::writes);
    CHECK(request_class("ebs", "GetSnapshotBlock") == RequestClass::blocks);
    CHECK(request_class("ebs", "PutSnapshotBlock") == RequestClass::blocks);
    CHECK(request_class("ebs", "StartSnapshot") == RequestClass::writes);
}

TEST_CASE("THR-3: each service has a name for it that its clients know") {
    const Error limit = Error::api(Code::resource_exhausted, "RequestLimitExceeded", "x");
    CHECK(as_service_says(limit, kEc2Service).api_code() == "RequestLimitExceeded");
    CHECK(as_service_says(limit, kIamService).api_code() == "Throttling");
    CHECK(as_service_says(limit, kStsService).api_code() == "Throttling");
    CHECK(as_service_says(limit, kSsmService).api_code() == "ThrottlingException");
    CHECK(as_service_says(limit, kEbsService).api_code() == "RequestThrottledException");
    for (const ServiceInfo* service : services()) {
        CHECK(is_throttled(as_service_says(limit, *service).api_code()));
    }
    CHECK_FALSE(is_throttled("LimitExceeded"));
}
