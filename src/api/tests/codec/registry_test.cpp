// SPDX-License-Identifier: Apache-2.0
#include "api/codec/registry.h"

#include <doctest/doctest.h>

#include <set>

#include "api/codec/errors.h"
#include "api/generated/ec2/describe_regions.h"
#include "api/generated/operations.h"

namespace kiln::api {
class Context {
  public:
    int calls = 0;
};
}  // namespace kiln::api

using namespace kiln;
using namespace kiln::api;

namespace {

Registry with_describe_regions() {
    Registry registry;
    registry.add<ec2::ops::DescribeRegions>(
        [](Context& context,
           const ec2::DescribeRegionsRequest& request) -> Result<ec2::DescribeRegionsResult> {
            ++context.calls;
            if (request.region_names.empty()) {
                return Error::api(Code::invalid_argument, "InvalidParameterValue", "no names");
            }
            ec2::DescribeRegionsResult result;
            result.regions.emplace_back().region_name = request.region_names[0];
            return result;
        });
    return registry;
}

std::string code_of(const Registry& registry, const ServiceInfo& service, std::string_view action) {
    const auto entry = registry.find(service, action);
    return entry ? "" : entry.error().api_code();
}

}  // namespace

TEST_CASE("a registered handler is decoded for, called and encoded for") {
    const Registry registry = with_describe_regions();
    const auto entry = registry.find(kEc2Service, "DescribeRegions");
    REQUIRE(entry);
    Context context;
    const auto body =
        (*entry)->run(context, *QueryParams::parse("", "RegionName.1=eu-west-1"), "id-1");
    REQUIRE(body);
    CHECK(
        body->find(
            "<requestId>id-1</requestId><regionInfo><item><regionName>eu-west-1</regionName></item>"
            "</regionInfo></DescribeRegionsResponse>") != std::string::npos);
    CHECK(context.calls == 1);
}

TEST_CASE(
    "a request that does not parse never reaches the handler; a handler's error comes back as it "
    "is") {
    const Registry registry = with_describe_regions();
    const auto entry = *registry.find(kEc2Service, "DescribeRegions");
    Context context;
    CHECK(entry->run(context, *QueryParams::parse("", "Region=x"), "id").error().api_code() ==
          "UnknownParameter");
    CHECK(context.calls == 0);
    CHECK(entry->run(context, QueryParams(), "id").error().message() == "no names");
}

TEST_CASE("WIRE-9: the gate is asked after the parameters and before the handler") {
    const Registry registry = with_describe_regions();
    const auto entry = *registry.find(kEc2Service, "DescribeRegions");
    Context context;
    int asked = 0;
    const auto closed = [&](const void* request) -> Status {
        CHECK(request != nullptr);
        ++asked;
        return Error::api(Code::permission_denied, "AccessDenied", "no");
    };
    CHECK(
        entry->run(context, *QueryParams::parse("", "Region=x"), "id", closed).error().api_code() ==
        "UnknownParameter");
    CHECK(asked == 0);
    CHECK(entry->run(context, *QueryParams::parse("", "RegionName.1=a"), "id", closed)
              .error()
              .api_code() == "AccessDenied");
    CHECK(asked == 1);
    CHECK(context.calls == 0);
}

TEST_CASE(
    "D33: what is in the model and not built is UnsupportedOperation by name, what is unknown is "
    "InvalidAction") {
    const Registry registry = with_describe_regions();
    CHECK(code_of(registry, kEc2Service, "DescribeRegions").empty());
    CHECK(code_of(registry, kEc2Service, "CreateTransitGateway") == "UnsupportedOperation");
    CHECK(code_of(registry, kEc2Service, "RunInstances") ==
          "UnsupportedOperation");  // built, and not registered here
    CHECK(registry.find(kEc2Service, "CopyImage").error().message().find("CopyImage") !=
          std::string::npos);
    CHECK(code_of(registry, kEc2Service, "DescribeRegion") == "InvalidAction");
    CHECK(code_of(registry, kEc2Service, "describeregions") == "InvalidAction");
    CHECK(code_of(registry, kStsService, "DescribeRegions") == "InvalidAction");
    CHECK(code_of(registry, kStsService, "AssumeRole") == "UnsupportedOperation");
    CHECK(code_of(registry, kEc2Service, "") == "MissingAction");
}

TEST_CASE("WIRE-1: older dated versions are served, the future and nonsense are not") {
    CHECK(check_version(kEc2Service, "2016-11-15"));
    CHECK(check_version(kEc2Service, "2013-02-01"));
    CHECK(check_version(kEc2Service, "2016-11-16").error().api_code() == "NoSuchVersion");
    CHECK(check_version(kEc2Service, "latest").error().api_code() == "NoSuchVersion");
    CHECK(check_version(kEc2Service, "2016/11/15").error().api_code() == "NoSuchVersion");
    CHECK(check_version(kEc2Service, "").error().api_code() == "MissingParameter");
}

TEST_CASE("the operation table is sorted, complete and its descriptors fit together") {
    REQUIRE(services().size() == 5);
    for (const ServiceInfo* service : services()) {
        std::string_view previous;
        for (const OperationInfo& operation : service->operations) {
            CHECK(previous < operation.name);
            previous = operation.name;
            CHECK(operation.service == service);
            CHECK(find_operation(*service, operation.name) == &operation);
            CHECK((operation.tier == 0) == operation.group.empty());
            if (operation.built()) {
                std::set<std::string_view> names;
                for (const MemberInfo& member : operation.request->members) {
                    CHECK(names.insert(member.query_name).second);
                }
            }
        }
    }
    CHECK(kEc2Service.operations.size() > 800);
    CHECK(&ec2::ops::DescribeRegions::info() == find_operation(kEc2Service, "DescribeRegions"));
    CHECK(find_operation(kEc2Service, "CopyImage")->tier == 1);
    CHECK_FALSE(find_operation(kEc2Service, "CreateFleet")->built());
}

TEST_CASE(
    "ERR-1: codes have their HTTP status, and an error without a code says nothing of what "
    "happened") {
    CHECK(http_status("InvalidAMIID.NotFound") == 400);
    CHECK(http_status("AuthFailure") == 401);
    CHECK(http_status("UnauthorizedOperation") == 403);
    CHECK(http_status("SignatureDoesNotMatch") == 403);
    CHECK(http_status("DryRunOperation") == 412);
    CHECK(http_status("InsufficientInstanceCapacity") == 500);
    CHECK(http_status("RequestLimitExceeded") == 503);
    const WireError wire = to_wire(Error(Code::io_error, "open /var/lib/secret: EIO"));
    CHECK(wire.code == "InternalError");
    CHECK(wire.http_status == 500);
    CHECK(wire.message.find("secret") == std::string::npos);
    CHECK(to_wire(Error::api(Code::not_found, "InvalidAMIID.NotFound", "gone")).message == "gone");
}
