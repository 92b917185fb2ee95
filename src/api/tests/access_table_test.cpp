// SPDX-License-Identifier: Apache-2.0
// The table of what operations touch, against the operations' own descriptions.
#include "api/access_table.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "api/generated/ec2/run_instances.h"
#include "api/generated/operations.h"
#include "api/request_values.h"

using namespace kiln;
using namespace kiln::api;

TEST_CASE("IAM-26: the table names operations and members that there are, each operation once") {
    for (const ServiceInfo* service : services()) {
        std::set<std::string_view> seen;
        for (const Access& access : accesses(service->name)) {
            CAPTURE(access.operation);
            CHECK(seen.insert(access.operation).second);
            const OperationInfo* operation = find_operation(*service, access.operation);
            REQUIRE(operation != nullptr);
            REQUIRE(operation->built());
            CHECK(find_access(*operation) == &access);
            for (const Touch& touch : access.all()) {
                CAPTURE(touch.member);
                CHECK((touch.member.empty() || has_place(*operation->request, touch.member)));
                CHECK((touch.only_with.empty() || has_place(*operation->request, touch.only_with)));
                CHECK((!touch.member.empty() || touch.use == Touch::Use::made ||
                       touch.use == Touch::Use::copied));
            }
        }
    }
}

TEST_CASE("values of a request are found by their place") {
    ec2::RunInstancesRequest request;
    request.image_id = "ami-1";
    request.security_group_ids = {"sg-1", "sg-2"};
    request.network_interfaces.emplace_back().groups = {"sg-3"};
    request.network_interfaces.emplace_back().groups = {"sg-4", ""};
    request.disable_api_stop = true;
    request.min_count = 3;
    ec2::TagSpecification& specification = request.tag_specifications.emplace_back();
    specification.resource_type = "volume";
    specification.tags.emplace_back().key = "a";
    specification.tags[0].value = "b";
    request.tag_specifications.emplace_back().resource_type = "instance";
    const StructInfo& info = *ec2::ops::RunInstances::info().request;
    const auto at = [&](std::string_view place) { return request_values(info, &request, place); };
    using Texts = std::vector<std::string>;
    CHECK(at("ImageId") == Texts{"ami-1"});
    CHECK(at("SecurityGroupIds") == Texts{"sg-1", "sg-2"});
    CHECK(at("NetworkInterfaces.Groups") == Texts{"sg-3", "sg-4"});
    CHECK(at("DisableApiStop") == Texts{"true"});
    CHECK(at("MinCount") == Texts{"3"});
    CHECK(at("SubnetId").empty());
    CHECK(at("Nothing").empty());
    CHECK(at("LaunchTemplate.LaunchTemplateId").empty());
    const auto tags = request_tags(info, &request);
    REQUIRE(tags.size() == 2);
    CHECK(tags[0].resource_type == "volume");
    CHECK(tags[0].tags == std::vector<model::Tag>{{"a", "b"}});
    CHECK(tags[1].tags.empty());
    CHECK(has_place(info, "BlockDeviceMappings.Ebs.SnapshotId"));
    CHECK_FALSE(has_place(info, "BlockDeviceMappings.Ebs"));
    CHECK_FALSE(has_place(info, "BlockDeviceMappings.Snapshot"));
}
