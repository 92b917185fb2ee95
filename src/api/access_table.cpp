// SPDX-License-Identifier: Apache-2.0
#include "api/access_table.h"

#include <algorithm>

namespace kiln::api {
namespace {

using Use = Touch::Use;

constexpr Touch kImage{"image", "ImageId"};
constexpr Touch kInstance{"instance", "InstanceId"};
constexpr Touch kInstances{"instance", "InstanceIds"};
constexpr Touch kSnapshot{"snapshot", "SnapshotId"};
constexpr Touch kSnapshots{"snapshot", "SourceSnapshotIds"};
constexpr Touch kVolume{"volume", "VolumeId"};
constexpr Touch kGroup{"security-group", "GroupId"};
constexpr Touch kGroupName{"security-group", "GroupName"};
constexpr Touch kVpc{"vpc", "VpcId"};
constexpr Touch kSubnet{"subnet", "SubnetId"};
constexpr Touch kTemplate{"launch-template", "LaunchTemplateId"};
constexpr Touch kTemplateName{"launch-template", "LaunchTemplateName"};
constexpr Touch kMadeSnapshot{"snapshot", "", Use::made};

constexpr Access kEc2[] = {
    {"AssociateIamInstanceProfile", {kInstance}},
    {"AttachVolume", {kInstance, kVolume}},
    {"AuthorizeSecurityGroupEgress", {kGroup}},
    {"AuthorizeSecurityGroupIngress", {kGroup, kGroupName}},
    {"CancelImageLaunchPermission", {kImage}},
    {"CopyImage", {{"image", "SourceImageId"}, {"image", "", Use::copied}}},
    {"CopySnapshot", {{"snapshot", "SourceSnapshotId"}, {"snapshot", "", Use::copied}}},
    {"CopyVolumes", {{"volume", "SourceVolumeId"}}, true},
    {"CreateDefaultVpc"},
    {"CreateImage",
     {kInstance, {"attached-volume", "InstanceId", Use::copied}, {"image", "", Use::made}}},
    {"CreateImageUsageReport", {kImage, {"image-usage-report", "", Use::made}}},
    {"CreateKeyPair", {{"key-pair", "KeyName", Use::made}}},
    {"CreateLaunchTemplate", {{"launch-template", "", Use::made}}},
    {"CreateLaunchTemplateVersion", {kTemplate, kTemplateName}},
    {"CreateReplaceRootVolumeTask",
     {kInstance, kSnapshot, kImage, kVolume, {"replace-root-volume-task", "", Use::made}},
     true},
    {"CreateSecurityGroup", {{"vpc", "VpcId", Use::or_default}, {"security-group", "", Use::made}}},
    {"CreateSnapshot", {kVolume, {"snapshot", "", Use::copied}}},
    {"CreateSnapshots",
     {{"instance", "InstanceSpecification.InstanceId"},
      {"attached-volume", "InstanceSpecification.InstanceId"},
      {"attached-volume", "InstanceSpecification.InstanceId", Use::copied}}},
    {"CreateSubnet", {kVpc, {"subnet", "", Use::made}}},
    {"CreateTags", {{"taggable", "Resources"}}},
    {"CreateVolume", {kSnapshot}, true},
    {"CreateVpc", {{"vpc", "", Use::made}}},
    {"DeleteImageUsageReport", {{"image-usage-report", "ReportId"}}},
    {"DeleteKeyPair", {{"key-pair", "KeyName"}, {"key-pair", "KeyPairId"}}},
    {"DeleteLaunchTemplate", {kTemplate, kTemplateName}},
    {"DeleteLaunchTemplateVersions", {kTemplate, kTemplateName}},
    {"DeleteSecurityGroup", {kGroup, kGroupName}},
    {"DeleteSnapshot", {kSnapshot}},
    {"DeleteSubnet", {kSubnet}},
    {"DeleteTags", {{"taggable", "Resources"}}},
    {"DeleteVolume", {kVolume}},
    {"DeleteVpc", {kVpc}},
    {"DeregisterImage",
     {kImage, {"mapped-snapshot", "ImageId", Use::present, "DeleteAssociatedSnapshots"}}},
    {"DescribeAccountAttributes"},
    {"DescribeAggregateIdFormat"},
    {"DescribeAvailabilityZones"},
    {"DescribeDhcpOptions"},
    {"DescribeFastLaunchImages"},
    {"DescribeFastSnapshotRestores"},
    {"DescribeIamInstanceProfileAssociations"},
    {"DescribeIdFormat"},
    {"DescribeImageAttribute", {kImage}},
    {"DescribeImageReferences"},
    {"DescribeImageUsageReportEntries"},
    {"DescribeImageUsageReports"},
    {"DescribeImages"},
    {"DescribeInstanceAttribute", {kInstance}},
    {"DescribeInstanceCreditSpecifications"},
    {"DescribeInstanceImageMetadata"},
    {"DescribeInstanceStatus"},
    {"DescribeInstanceTopology"},
    {"DescribeInstanceTypeOfferings"},
    {"DescribeInstanceTypes"},
    {"DescribeInstances"},
    {"DescribeInternetGateways"},
    {"DescribeKeyPairs"},
    {"DescribeLaunchTemplateVersions"},
    {"DescribeLaunchTemplates"},
    {"DescribeNetworkAcls"},
    {"DescribeNetworkInterfaces"},
    {"DescribeRegions"},
    {"DescribeReplaceRootVolumeTasks"},
    {"DescribeRouteTables"},
    {"DescribeSecurityGroupRules"},
    {"DescribeSecurityGroups"},
    {"DescribeSnapshotAttribute", {kSnapshot}},
    {"DescribeSnapshots"},
    {"DescribeSubnets"},
    {"DescribeTags"},
    {"DescribeVolumeAttribute", {kVolume}},
    {"DescribeVolumeStatus"},
    {"DescribeVolumes"},
    {"DescribeVolumesModifications"},
    {"DescribeVpcAttribute", {kVpc}},
    {"DescribeVpcs"},
    {"DetachVolume", {kVolume, kInstance, {"attached-instance", "VolumeId"}}},
    {"DisableFastLaunch", {kImage}},
    {"DisableFastSnapshotRestores", {kSnapshots}},
    {"DisableImage", {kImage}},
    {"DisableImageBlockPublicAccess"},
    {"DisableImageDeprecation", {kImage}},
    {"DisableImageDeregistrationProtection", {kImage}},
    {"DisableSnapshotBlockPublicAccess"},
    {"DisassociateIamInstanceProfile", {{"profile-association", "AssociationId"}}},
    {"EnableFastLaunch",
     {kImage,
      {"launch-template", "LaunchTemplate.LaunchTemplateId"},
      {"launch-template", "LaunchTemplate.LaunchTemplateName"}}},
    {"EnableFastSnapshotRestores", {kSnapshots}},
    {"EnableImage", {kImage}},
    {"EnableImageBlockPublicAccess"},
    {"EnableImageDeprecation", {kImage}},
    {"EnableImageDeregistrationProtection", {kImage}},
    {"EnableSnapshotBlockPublicAccess"},
    {"EnableVolumeIO", {kVolume}},
    {"GetConsoleOutput", {kInstance}},
    {"GetConsoleScreenshot", {kInstance}},
    {"GetImageAncestry", {kImage}},
    {"GetImageBlockPublicAccessState"},
    {"GetInstanceMetadataDefaults"},
    {"GetInstanceTypesFromInstanceRequirements"},
    {"GetInstanceUefiData", {kInstance}},
    {"GetLaunchTemplateData", {kInstance}},
    {"GetPasswordData", {kInstance}},
    {"GetSnapshotBlockPublicAccessState"},
    {"ImportKeyPair", {{"key-pair", "KeyName", Use::made}}},
    {"ModifyImageAttribute", {kImage}},
    {"ModifyInstanceAttribute", {kInstance, {"security-group", "Groups"}}},
    {"ModifyInstanceMetadataDefaults"},
    {"ModifyInstanceMetadataOptions", {kInstance}},
    {"ModifyLaunchTemplate", {kTemplate, kTemplateName}},
    {"ModifyNetworkInterfaceAttribute",
     {{"network-interface", "NetworkInterfaceId"}, {"security-group", "Groups"}}},
    {"ModifySecurityGroupRules", {kGroup}},
    {"ModifySnapshotAttribute", {kSnapshot}},
    {"ModifySubnetAttribute", {kSubnet}},
    {"ModifyVolume", {kVolume}},
    {"ModifyVolumeAttribute", {kVolume}},
    {"ModifyVpcAttribute", {kVpc}},
    {"MonitorInstances", {kInstances}},
    {"RebootInstances", {kInstances}},
    {"RegisterImage",
     {{"snapshot", "BlockDeviceMappings.Ebs.SnapshotId"}, {"image", "", Use::made}}},
    {"ReplaceIamInstanceProfileAssociation", {{"profile-association", "AssociationId"}}},
    {"ReplaceImageInstanceTypeSpecification", {kImage}},
    {"ResetImageAttribute", {kImage}},
    {"ResetInstanceAttribute", {kInstance}},
    {"ResetSnapshotAttribute", {kSnapshot}},
    {"RevokeSecurityGroupEgress", {kGroup}},
    {"RevokeSecurityGroupIngress", {kGroup, kGroupName}},
    {"RunInstances",
     {kImage,
      {"key-pair", "KeyName"},
      {"security-group", "SecurityGroupIds"},
      {"security-group", "SecurityGroups"},
      kSubnet,
      {"security-group", "NetworkInterfaces.Groups"},
      {"subnet", "NetworkInterfaces.SubnetId"},
      {"launch-template", "LaunchTemplate.LaunchTemplateId"},
      {"launch-template", "LaunchTemplate.LaunchTemplateName"},
      {"snapshot", "BlockDeviceMappings.Ebs.SnapshotId"}},
     true},
    {"StartInstances", {kInstances}},
    {"StopInstances", {kInstances}},
    {"TerminateInstances", {kInstances}},
    {"UnmonitorInstances", {kInstances}},
};

constexpr Access kEbs[] = {
    {"CompleteSnapshot", {kSnapshot}},
    {"GetSnapshotBlock", {kSnapshot}},
    {"ListChangedBlocks", {{"snapshot", "FirstSnapshotId"}, {"snapshot", "SecondSnapshotId"}}},
    {"ListSnapshotBlocks", {kSnapshot}},
    {"PutSnapshotBlock", {kSnapshot}},
    {"StartSnapshot", {{"snapshot", "ParentSnapshotId"}, kMadeSnapshot}},
};

constexpr Touch kRole{"role", "RoleName"};
constexpr Touch kUser{"user", "UserName", Use::own};
constexpr Touch kProfile{"instance-profile", "InstanceProfileName"};

constexpr Access kIam[] = {
    {"AddRoleToInstanceProfile", {kProfile}},
    {"CreateAccessKey", {kUser}},
    {"CreateInstanceProfile", {{"instance-profile", "InstanceProfileName", Use::made}}},
    {"CreateRole", {{"role", "RoleName", Use::made}}},
    {"CreateUser", {{"user", "UserName", Use::made}}},
    {"DeleteAccessKey", {kUser}},
    {"DeleteInstanceProfile", {kProfile}},
    {"DeleteRole", {kRole}},
    {"DeleteRolePolicy", {kRole}},
    {"DeleteUser", {kUser}},
    {"DeleteUserPolicy", {kUser}},
    {"GetInstanceProfile", {kProfile}},
    {"GetRole", {kRole}},
    {"GetRolePolicy", {kRole}},
    {"GetUser", {kUser}},
    {"GetUserPolicy", {kUser}},
    {"ListAccessKeys", {kUser}},
    {"ListAttachedRolePolicies", {kRole}},
    {"ListInstanceProfileTags", {kProfile}},
    {"ListInstanceProfiles"},
    {"ListInstanceProfilesForRole", {kRole}},
    {"ListRolePolicies", {kRole}},
    {"ListRoleTags", {kRole}},
    {"ListRoles"},
    {"ListUserPolicies", {kUser}},
    {"ListUserTags", {kUser}},
    {"ListUsers"},
    {"PutRolePolicy", {kRole}},
    {"PutUserPolicy", {kUser}},
    {"RemoveRoleFromInstanceProfile", {kProfile}},
    {"TagInstanceProfile", {kProfile}},
    {"TagRole", {kRole}},
    {"TagUser", {kUser}},
    {"UntagInstanceProfile", {kProfile}},
    {"UntagRole", {kRole}},
    {"UntagUser", {kUser}},
    {"UpdateAssumeRolePolicy", {kRole}},
    {"UpdateRole", {kRole}},
    {"UpdateRoleDescription", {kRole}},
};

constexpr Access kSsm[] = {
    {"DeleteParameter", {{"parameter", "Name"}}},
    {"GetParameter", {{"parameter", "Name"}}},
    {"GetParameters", {{"parameter", "Names"}}},
    {"GetParametersByPath", {{"parameter", "Path"}}},
    {"PutParameter", {{"parameter", "Name", Use::made}}},
};

constexpr Access kSts[] = {
    {"DecodeAuthorizationMessage"},
    {"GetAccessKeyInfo"},
};

}  // namespace

std::span<const Touch> Access::all() const {
    const auto* end = std::find_if(std::begin(touches), std::end(touches),
                                   [](const Touch& touch) { return touch.type.empty(); });
    return {std::begin(touches), end};
}

std::span<const Access> accesses(std::string_view service) {
    if (service == "ec2") {
        return kEc2;
    }
    if (service == "ebs") {
        return kEbs;
    }
    if (service == "iam") {
        return kIam;
    }
    if (service == "ssm") {
        return kSsm;
    }
    return service == "sts" ? std::span<const Access>(kSts) : std::span<const Access>();
}

const Access* find_access(const OperationInfo& operation) {
    const auto rows = accesses(operation.service->name);
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const Access& access) {
        return access.operation == operation.name;
    });
    return found == rows.end() ? nullptr : &*found;
}

}  // namespace kiln::api
