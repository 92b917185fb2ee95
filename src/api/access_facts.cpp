// SPDX-License-Identifier: Apache-2.0
#include "api/access_facts.h"

#include <algorithm>
#include <string>

#include "api/request_values.h"
#include "control/resource_facts.h"

namespace kiln::api {
namespace {

using control::PolicyResource;
using Resources = std::vector<PolicyResource>;

constexpr Changed kChanged[] = {
    {"ModifyVolume", "Size", "ec2:VolumeSize"},
    {"ModifyVolume", "VolumeType", "ec2:VolumeType"},
    {"ModifyVolume", "Iops", "ec2:VolumeIops"},
    {"ModifyVolume", "Throughput", "ec2:VolumeThroughput"},
    {"ModifyInstanceAttribute", "InstanceType.Value", "ec2:InstanceType"},
    {"ModifyInstanceAttribute", "Value", "ec2:InstanceType", "instanceType"},
    {"ModifyInstanceAttribute", "EbsOptimized.Value", "ec2:EbsOptimized"},
    {"ModifyInstanceAttribute", "Value", "ec2:EbsOptimized", "ebsOptimized"},
    {"ModifyInstanceMetadataOptions", "HttpEndpoint", "ec2:MetadataHttpEndpoint"},
    {"ModifyInstanceMetadataOptions", "HttpTokens", "ec2:MetadataHttpTokens"},
    {"ModifyInstanceMetadataOptions", "HttpPutResponseHopLimit",
     "ec2:MetadataHttpPutResponseHopLimit"},
    {"ModifyInstanceMetadataOptions", "InstanceMetadataTags", "ec2:InstanceMetadataTags"},
};

constexpr Shared kShared[] = {
    {"ModifyImageAttribute", "LaunchPermission.Add.UserId", "ec2:Add/userId"},
    {"ModifyImageAttribute", "LaunchPermission.Add.Group", "ec2:Add/group"},
    {"ModifyImageAttribute", "LaunchPermission.Add.OrganizationArn", ""},
    {"ModifyImageAttribute", "LaunchPermission.Add.OrganizationalUnitArn", ""},
    {"ModifyImageAttribute", "LaunchPermission.Remove.UserId", "ec2:Remove/userId"},
    {"ModifyImageAttribute", "LaunchPermission.Remove.Group", "ec2:Remove/group"},
    {"ModifyImageAttribute", "LaunchPermission.Remove.OrganizationArn", ""},
    {"ModifyImageAttribute", "LaunchPermission.Remove.OrganizationalUnitArn", ""},
    {"ModifyImageAttribute", "UserIds", "ec2:Add/userId", "add"},
    {"ModifyImageAttribute", "UserIds", "ec2:Remove/userId", "remove"},
    {"ModifyImageAttribute", "UserGroups", "ec2:Add/group", "add"},
    {"ModifyImageAttribute", "UserGroups", "ec2:Remove/group", "remove"},
    {"ModifyImageAttribute", "OrganizationArns", ""},
    {"ModifyImageAttribute", "OrganizationalUnitArns", ""},
    {"ModifySnapshotAttribute", "CreateVolumePermission.Add.UserId", "ec2:Add/userId"},
    {"ModifySnapshotAttribute", "CreateVolumePermission.Add.Group", "ec2:Add/group"},
    {"ModifySnapshotAttribute", "CreateVolumePermission.Remove.UserId", "ec2:Remove/userId"},
    {"ModifySnapshotAttribute", "CreateVolumePermission.Remove.Group", "ec2:Remove/group"},
    {"ModifySnapshotAttribute", "UserIds", "ec2:Add/userId", "add"},
    {"ModifySnapshotAttribute", "UserIds", "ec2:Remove/userId", "remove"},
    {"ModifySnapshotAttribute", "GroupNames", "ec2:Add/group", "add"},
    {"ModifySnapshotAttribute", "GroupNames", "ec2:Remove/group", "remove"},
};

struct Request {
    const OperationInfo& operation;
    const void* request;

    std::vector<std::string> values(std::string_view place) const {
        return request_values(*operation.request, request, place);
    }
    // Whether the member says this; where it is not asked, it does.
    bool says(std::string_view member, std::string_view wanted) const {
        const auto said = wanted.empty() ? std::vector<std::string>() : values(member);
        return wanted.empty() || (!said.empty() && said.front() == wanted);
    }
};

// What a change would make of a resource counts as well as what it is.
void add_changed(const Request& of, Resources& resources) {
    PolicyResource after = resources.front();
    bool changes = false;
    for (const Changed& change : kChanged) {
        if (change.operation != of.operation.name || !of.says("Attribute", change.attribute)) {
            continue;
        }
        if (const auto values = of.values(change.member); !values.empty()) {
            after.facts.set(change.key, values.front());
            changes = true;
        }
    }
    if (changes) {
        resources.push_back(std::move(after));
    }
}

// Each of those who are given a permission is asked about alone: that one of them may have it says
// nothing of the others.
void split_shared(const Request& of, Resources& resources) {
    const PolicyResource plain = resources.front();
    Resources each;
    for (const Shared& shared : kShared) {
        if (shared.operation != of.operation.name ||
            !of.says("OperationType", shared.operation_type)) {
            continue;
        }
        for (const std::string& value : of.values(shared.member)) {
            each.push_back(plain);
            if (!shared.key.empty()) {
                each.back().facts.set(shared.key, value);
            }
        }
    }
    if (!each.empty()) {
        resources.erase(resources.begin());
        resources.insert(resources.end(), each.begin(), each.end());
    }
}

// Here are only the resources that the request itself names: of those none but the template is as
// the template says.
void add_launch_template(const Request& of, Resources& resources) {
    if (of.operation.name != "RunInstances") {
        return;
    }
    const auto is_template = [](const PolicyResource& resource) {
        return resource.arns.front().find(":launch-template/") != std::string::npos;
    };
    const auto used = std::find_if(resources.begin(), resources.end(), is_template);
    const std::string arn = used == resources.end() ? std::string() : used->arns.front();
    for (PolicyResource& resource : resources) {
        add_template(resource.facts, arn, is_template(resource));
    }
}

}  // namespace

void add_request_facts(const OperationInfo& operation, const void* request, Resources& resources) {
    if (resources.empty() || operation.service->name != "ec2") {
        return;
    }
    const Request of{operation, request};
    add_changed(of, resources);
    split_shared(of, resources);
    add_launch_template(of, resources);
}

std::span<const Changed> changed_members() {
    return kChanged;
}

std::span<const Shared> shared_members() {
    return kShared;
}

}  // namespace kiln::api
