// SPDX-License-Identifier: Apache-2.0
// What a request says that policies see beside the resources which it names.
#include "api/access_facts.h"

#include <doctest/doctest.h>

#include "api/generated/ec2/modify_image_attribute.h"
#include "api/generated/ec2/modify_snapshot_attribute.h"
#include "api/generated/ec2/modify_volume.h"
#include "api/generated/ec2/run_instances.h"
#include "api/generated/operations.h"
#include "api/request_values.h"
#include "control/policy_keys.h"
#include "control/resource_facts.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::api;
using control::PolicyResource;

namespace {

template <class Operation>
std::vector<PolicyResource> facts_of(const typename Operation::Request& request,
                                     std::vector<PolicyResource> resources) {
    add_request_facts(Operation::info(), &request, resources);
    return resources;
}

std::string value(const PolicyResource& resource, std::string_view key) {
    const auto* values = resource.facts.find(key);
    return values == nullptr ? "-" : values->front();
}

PolicyResource named(const std::string& name) {
    return control::resource_by_arn("arn:aws:ec2:us-east-1:111111111111:" + name);
}

}  // namespace

TEST_CASE("IAM-27 IAM-35: the tables name members, attributes and keys that there are") {
    const auto check = [](std::string_view name, std::string_view member, std::string_view key,
                          std::string_view beside) {
        CAPTURE(name);
        CAPTURE(member);
        const OperationInfo* operation = find_operation(kEc2Service, name);
        REQUIRE(operation != nullptr);
        CHECK(has_place(*operation->request, member));
        CHECK((beside.empty() || has_place(*operation->request, beside)));
        CHECK((key.empty() || control::find_policy_key(to_lower(key)) != nullptr));
    };
    for (const Changed& changed : changed_members()) {
        check(changed.operation, changed.member, changed.key,
              changed.attribute.empty() ? "" : "Attribute");
    }
    for (const Shared& shared : shared_members()) {
        check(shared.operation, shared.member, shared.key,
              shared.operation_type.empty() ? "" : "OperationType");
    }
}

TEST_CASE("IAM-35: each of those whom something is shared with is asked about alone") {
    ec2::ModifySnapshotAttributeRequest request;
    auto& both = request.create_volume_permission.emplace();
    both.add.emplace_back().user_id = "222222222222";
    both.add.emplace_back().user_id = "333333333333";
    both.add.emplace_back().group = "all";
    both.remove.emplace_back().user_id = "444444444444";
    const auto all =
        facts_of<ec2::ops::ModifySnapshotAttribute>(request, {named("snapshot/snap-1")});
    REQUIRE(all.size() == 4);
    CHECK(value(all[0], "ec2:add/userid") == "222222222222");
    CHECK(value(all[0], "ec2:add/group") == "-");
    CHECK(value(all[1], "ec2:add/userid") == "333333333333");
    CHECK(value(all[2], "ec2:add/userid") == "-");
    CHECK(value(all[2], "ec2:add/group") == "all");
    CHECK(value(all[3], "ec2:remove/userid") == "444444444444");
    // The older form; and whom no key names.
    ec2::ModifyImageAttributeRequest older;
    older.operation_type = "remove";
    older.user_ids = {"222222222222"};
    older.organization_arns = {"arn:aws:organizations::1:organization/o-1"};
    const auto two = facts_of<ec2::ops::ModifyImageAttribute>(older, {named("image/ami-1")});
    REQUIRE(two.size() == 2);
    CHECK(value(two[0], "ec2:remove/userid") == "222222222222");
    CHECK(value(two[0], "ec2:add/userid") == "-");
    CHECK(value(two[1], "ec2:remove/userid") == "-");
    // What shares nothing is what it was.
    CHECK(facts_of<ec2::ops::ModifyImageAttribute>({}, {named("image/ami-1")}).size() == 1);
}

TEST_CASE("IAM-27: what a change would make of a resource is asked about beside what it is") {
    ec2::ModifyVolumeRequest request;
    request.size = 9;
    PolicyResource volume = named("volume/vol-1");
    volume.facts.add("ec2:VolumeSize", "8");
    const auto both = facts_of<ec2::ops::ModifyVolume>(request, {volume});
    REQUIRE(both.size() == 2);
    CHECK(value(both[0], "ec2:volumesize") == "8");
    CHECK(value(both[1], "ec2:volumesize") == "9");
}

TEST_CASE("IAM-35: of what a launch itself names, the template alone is the template's") {
    const auto all =
        facts_of<ec2::ops::RunInstances>({}, {named("image/ami-1"), named("launch-template/lt-1")});
    CHECK(value(all[0], "ec2:launchtemplate") ==
          "arn:aws:ec2:us-east-1:111111111111:launch-template/lt-1");
    CHECK(value(all[0], "ec2:islaunchtemplateresource") == "false");
    CHECK(value(all[1], "ec2:islaunchtemplateresource") == "true");
    const auto none = facts_of<ec2::ops::RunInstances>({}, {named("image/ami-1")});
    CHECK(value(none[0], "ec2:launchtemplate") == "-");
    CHECK(value(none[0], "ec2:islaunchtemplateresource") == "false");
}
