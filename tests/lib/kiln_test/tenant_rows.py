# SPDX-License-Identifier: Apache-2.0
"""Rows of the tenant matrix (tests/conformance/tenant_matrix.py): at least one for every operation that is built.

A row is one request that names what belongs to the owner, as {image} or {snapshot}, and what comes of it for whom. A column
that is not given has the usual outcome:

  owner     `done`: the request succeeds (with DryRun where there is one: then nothing happens)
  shared    by an account that the image and the snapshot were shared with: as if the named things did not exist
  public    by an account that was told nothing, of an image and a snapshot that are public: as if they did not exist
  member    by an account of an organization or unit that the image, and so nothing else, was shared with: as `shared` where the
            image is named, else as `stranger`
  stranger  by an account that was given nothing: as if they did not exist
  elsewhere by the owner in another region: as if they did not exist there

"As if it did not exist" is no list of codes: the same request with ids of nothing must get the same answer, to the letter. Rows
with `own` name nothing that belongs to anybody: they are done for everybody, and tell nobody of the owner's.
"""

from dataclasses import dataclass, field

DONE = "done"
ABSENT = "absent"
REFUSED = "AuthFailure"


@dataclass
class Row:
    service: str
    operation: str
    parameters: dict = field(default_factory=dict)
    owner: str = DONE
    shared: str = ABSENT
    public: str = ABSENT
    stranger: str = ABSENT
    elsewhere: str = ABSENT
    own: bool = False  # all other columns but the owner's are then DONE, unless they are given
    member: str = ""

    def __post_init__(self):
        if not self.member:
            self.member = self.shared if "{image}" in str(self.parameters.values()) else self.stranger

    def __str__(self):
        return f"{self.service} {self.operation} {self.parameters}"


def ec2(operation, **parameters):
    """Parameters: `Filter_1_Name` is Filter.1.Name; columns begin with an underscore."""
    columns = {name[1:]: value for name, value in parameters.items() if name.startswith("_")}
    named = {name.replace("_", "."): value for name, value in parameters.items() if not name.startswith("_")}
    return Row("ec2", operation, named, **columns)


def usable(operation, **parameters):
    """What whom an image or snapshot is shared with may do with it."""
    return ec2(operation, **({"_shared": DONE, "_public": DONE} | parameters))


def owned(operation, **parameters):
    """What only its owner may do with an image. ERR-2: of an image, EC2 tells those who may not that it is there."""
    return ec2(operation, **({"_shared": REFUSED, "_public": REFUSED, "_stranger": REFUSED} | parameters))


def own(operation, **parameters):
    return ec2(operation, _own=True, **parameters)


IMAGES = [
    usable("DescribeImages", ImageId_1="{image}"),
    own("DescribeImages"),
    own("DescribeImages", Owner_1="{owner}"),
    usable("DescribeImages", Filter_1_Name="image-id", Filter_1_Value_1="{image}"),
    ec2("DescribeImages", Filter_1_Name="block-device-mapping.snapshot-id", Filter_1_Value_1="{snapshot}", _shared=DONE, _public=DONE, _member=DONE),
    ec2("DescribeImages", Filter_1_Name="tag:owner", Filter_1_Value_1="{tag}"),
    usable("DescribeImageAttribute", ImageId="{image}", Attribute="description", _stranger=REFUSED),
    owned("DescribeImageAttribute", ImageId="{image}", Attribute="launchPermission"),
    owned("DescribeImageAttribute", ImageId="{image}", Attribute="lastLaunchedTime"),
    owned("ModifyImageAttribute", ImageId="{image}", Description_Value="mine"),
    owned("ModifyImageAttribute", ImageId="{image}", LaunchPermission_Add_1_UserId="{caller}"),
    owned("ResetImageAttribute", ImageId="{image}", Attribute="launchPermission"),
    ec2("CancelImageLaunchPermission", ImageId="{image}", _owner="OperationNotPermitted", _shared=DONE, _public="OperationNotPermitted",
        _member="OperationNotPermitted"),
    usable("CopyImage", SourceImageId="{image}", SourceRegion="{region}", Name="copied", _stranger=REFUSED, _elsewhere=DONE, _member="InvalidRequest"),
    ec2("RegisterImage", Name="registered", RootDeviceName="/dev/xvda", BlockDeviceMapping_1_DeviceName="/dev/xvda",
        BlockDeviceMapping_1_Ebs_SnapshotId="{snapshot}", _shared=DONE, _public=DONE),
    ec2("CreateImage", InstanceId="{instance}", Name="created"),
    owned("DeregisterImage", ImageId="{image}"),
    owned("DisableImage", ImageId="{image}"),
    owned("EnableImage", ImageId="{image}"),
    owned("EnableImageDeprecation", ImageId="{image}", DeprecateAt="2033-01-01T00:00:00.000Z"),
    owned("DisableImageDeprecation", ImageId="{image}"),
    owned("EnableImageDeregistrationProtection", ImageId="{image}"),
    owned("DisableImageDeregistrationProtection", ImageId="{image}"),
    owned("ReplaceImageInstanceTypeSpecification", ImageId="{image}", InstanceTypeSpecification_UnsupportedInstanceType_1="t2.nano"),
    usable("GetImageAncestry", ImageId="{image}"),
    ec2("DescribeImageReferences", ImageId_1="{image}", IncludeAllResourceTypes="true"),
    owned("CreateImageUsageReport", ImageId="{image}", ResourceType_1_ResourceType="ec2:Instance"),
    own("DescribeImageUsageReports"),
    ec2("DescribeImageUsageReports", ReportId_1="{report}"),
    ec2("DescribeImageUsageReportEntries", ReportId_1="{report}"),
    ec2("DeleteImageUsageReport", ReportId="{report}"),
    # The image is of no Windows; of one that is: ec2_fast_launch.py.
    ec2("EnableFastLaunch", ImageId="{image}", _owner="InvalidRequest", _shared="InvalidRequest", _public="InvalidRequest", _stranger=REFUSED),
    ec2("DisableFastLaunch", ImageId="{image}", _owner="InvalidRequest", _shared="InvalidRequest", _public="InvalidRequest", _stranger=REFUSED),
    own("DescribeFastLaunchImages"),
    usable("DescribeFastLaunchImages", ImageId_1="{image}"),
    own("GetImageBlockPublicAccessState"),
    own("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing"),
    own("DisableImageBlockPublicAccess"),
]

SNAPSHOTS = [
    # As EC2's reference says: an id that is there and not accessible is left out, where one that is not there is an error.
    usable("DescribeSnapshots", SnapshotId_1="{snapshot}", _stranger=DONE),
    own("DescribeSnapshots"),
    own("DescribeSnapshots", Owner_1="{owner}"),
    usable("DescribeSnapshots", Filter_1_Name="snapshot-id", Filter_1_Value_1="{snapshot}"),
    ec2("DescribeSnapshots", Filter_1_Name="tag:owner", Filter_1_Value_1="{tag}"),
    ec2("DescribeSnapshotAttribute", SnapshotId="{snapshot}", Attribute="createVolumePermission"),
    ec2("ModifySnapshotAttribute", SnapshotId="{snapshot}", CreateVolumePermission_Add_1_UserId="{caller}"),
    ec2("ResetSnapshotAttribute", SnapshotId="{snapshot}", Attribute="createVolumePermission"),
    usable("CopySnapshot", SourceSnapshotId="{snapshot}", SourceRegion="{region}", _elsewhere=DONE),
    ec2("CreateSnapshot", VolumeId="{volume}"),
    ec2("CreateSnapshots", InstanceSpecification_InstanceId="{instance}"),
    ec2("DeleteSnapshot", SnapshotId="{loose}"),
    ec2("DeleteSnapshot", SnapshotId="{snapshot}", _owner="InvalidSnapshot.InUse"),
    # What keeps each snapshot from it is told in the answer: ec2_fast_restores.py.
    usable("EnableFastSnapshotRestores", SourceSnapshotId_1="{snapshot}", AvailabilityZone_1="{zone}", _stranger=DONE),
    usable("DisableFastSnapshotRestores", SourceSnapshotId_1="{snapshot}", AvailabilityZone_1="{zone}", _stranger=DONE),
    own("DescribeFastSnapshotRestores"),
    ec2("DescribeFastSnapshotRestores", Filter_1_Name="snapshot-id", Filter_1_Value_1="{snapshot}"),
    own("GetSnapshotBlockPublicAccessState"),
    own("EnableSnapshotBlockPublicAccess", State="block-new-sharing"),
    own("DisableSnapshotBlockPublicAccess"),
    Row("ebs", "ListSnapshotBlocks", {"SnapshotId": "{snapshot}"}, shared=DONE),
    Row("ebs", "ListChangedBlocks", {"FirstSnapshotId": "{snapshot}", "SecondSnapshotId": "{snapshot}"}, shared=DONE),
    Row("ebs", "GetSnapshotBlock", {"SnapshotId": "{snapshot}", "BlockIndex": 0, "BlockToken": "{block}"}, shared="ValidationException"),
    Row("ebs", "StartSnapshot", {"VolumeSize": 1}, own=True),
    Row("ebs", "PutSnapshotBlock", {"SnapshotId": "{upload}", "BlockIndex": 0, "DataLength": 524288, "Checksum": "{checksum}", "ChecksumAlgorithm": "SHA256", "bytes": "{bytes}"}),
    Row("ebs", "CompleteSnapshot", {"SnapshotId": "{upload}", "ChangedBlocksCount": 1}),
]

VOLUMES = [
    ec2("DescribeVolumes", VolumeId_1="{volume}"),
    own("DescribeVolumes"),
    ec2("DescribeVolumes", Filter_1_Name="volume-id", Filter_1_Value_1="{volume}"),
    ec2("DescribeVolumesModifications", VolumeId_1="{volume}", _owner="InvalidVolumeModification.NotFound"),
    own("DescribeVolumesModifications"),
    own("DescribeVolumeStatus"),
    ec2("DescribeVolumeStatus", VolumeId_1="{volume}"),
    ec2("DescribeVolumeAttribute", VolumeId="{volume}", Attribute="autoEnableIO"),
    ec2("ModifyVolumeAttribute", VolumeId="{volume}", AutoEnableIO_Value="true"),
    ec2("EnableVolumeIO", VolumeId="{volume}"),
    ec2("CopyVolumes", SourceVolumeId="{volume}"),
    ec2("CreateVolume", SnapshotId="{snapshot}", AvailabilityZone="{zone}", _shared=DONE, _public=DONE),
    own("CreateVolume", Size="1", AvailabilityZone="{zone}", _elsewhere="InvalidZone.NotFound"),
    ec2("AttachVolume", VolumeId="{volume}", InstanceId="{instance}", Device="/dev/sdh"),
    ec2("DetachVolume", VolumeId="{volume}", _owner="IncorrectState"),
    ec2("ModifyVolume", VolumeId="{volume}", Size="2"),
    ec2("DeleteVolume", VolumeId="{volume}"),
]

INSTANCES = [
    usable("RunInstances", ImageId="{image}", InstanceType="t3.nano", MinCount="1", MaxCount="1", _stranger=REFUSED),
    ec2("RunInstances", LaunchTemplate_LaunchTemplateId="{template}", MinCount="1", MaxCount="1"),
    ec2("DescribeInstances", InstanceId_1="{instance}"),
    own("DescribeInstances"),
    ec2("DescribeInstances", Filter_1_Name="instance-id", Filter_1_Value_1="{instance}"),
    ec2("DescribeInstanceStatus", InstanceId_1="{instance}"),
    own("DescribeInstanceStatus", IncludeAllInstances="true"),
    ec2("DescribeInstanceAttribute", InstanceId="{instance}", Attribute="userData"),
    ec2("ModifyInstanceAttribute", InstanceId="{instance}", DisableApiTermination_Value="true"),
    ec2("ModifyInstanceMetadataOptions", InstanceId="{instance}", HttpTokens="required"),
    ec2("GetConsoleOutput", InstanceId="{instance}"),
    ec2("GetConsoleScreenshot", InstanceId="{instance}"),
    ec2("RebootInstances", InstanceId_1="{instance}"),
    ec2("StopInstances", InstanceId_1="{instance}"),
    ec2("StartInstances", InstanceId_1="{instance}"),
    ec2("TerminateInstances", InstanceId_1="{instance}"),
    ec2("MonitorInstances", InstanceId_1="{instance}"),
    ec2("UnmonitorInstances", InstanceId_1="{instance}"),
    ec2("ResetInstanceAttribute", InstanceId="{instance}", Attribute="sourceDestCheck"),
    ec2("GetPasswordData", InstanceId="{instance}"),
    ec2("GetInstanceUefiData", InstanceId="{instance}", _owner="UnsupportedOperation"),
    own("DescribeInstanceCreditSpecifications"),
    ec2("DescribeInstanceCreditSpecifications", InstanceId_1="{instance}"),
    own("DescribeInstanceImageMetadata"),
    ec2("DescribeInstanceImageMetadata", InstanceId_1="{instance}"),
    own("GetInstanceMetadataDefaults"),
    own("ModifyInstanceMetadataDefaults", HttpTokens="optional"),
    ec2("CreateReplaceRootVolumeTask", InstanceId="{instance}"),
    ec2("CreateReplaceRootVolumeTask", InstanceId="{instance}", VolumeId="{volume}"),
    own("DescribeReplaceRootVolumeTasks"),
    ec2("DescribeReplaceRootVolumeTasks", Filter_1_Name="instance-id", Filter_1_Value_1="{instance}"),
    own("DescribeIamInstanceProfileAssociations"),
    ec2("DescribeIamInstanceProfileAssociations", AssociationId_1="{association}"),
    ec2("AssociateIamInstanceProfile", InstanceId="{instance}", IamInstanceProfile_Name="{standing}", _owner="IncorrectState"),
    ec2("ReplaceIamInstanceProfileAssociation", AssociationId="{association}", IamInstanceProfile_Name="{standing}"),
    # Neither has a DryRun: the association was replaced by another a line above.
    ec2("DisassociateIamInstanceProfile", AssociationId="{association}", _owner="InvalidAssociationID.NotFound"),
    own("DescribeInstanceTopology"),
    ec2("DescribeInstanceTopology", InstanceId_1="{instance}"),
    own("DescribeInstanceTypes"),
    own("GetInstanceTypesFromInstanceRequirements", ArchitectureType_1="x86_64", VirtualizationType_1="hvm", InstanceRequirements_VCpuCount_Min="1",
        InstanceRequirements_MemoryMiB_Min="1"),
    own("DescribeInstanceTypeOfferings"),
]

TEMPLATES = [
    own("CreateLaunchTemplate", LaunchTemplateName="matrix", LaunchTemplateData_InstanceType="t3.nano"),
    own("DescribeLaunchTemplates"),
    ec2("DescribeLaunchTemplates", LaunchTemplateId_1="{template}"),
    ec2("DescribeLaunchTemplates", LaunchTemplateName_1="{template_name}"),
    ec2("DescribeLaunchTemplateVersions", LaunchTemplateId="{template}"),
    ec2("CreateLaunchTemplateVersion", LaunchTemplateId="{template}", LaunchTemplateData_InstanceType="t3.nano"),
    ec2("ModifyLaunchTemplate", LaunchTemplateId="{template}", SetDefaultVersion="1"),
    ec2("DeleteLaunchTemplateVersions", LaunchTemplateId="{template}", LaunchTemplateVersion_1="2"),
    ec2("DeleteLaunchTemplate", LaunchTemplateId="{template}"),
    ec2("GetLaunchTemplateData", InstanceId="{instance}"),
]

NETWORKS = [
    own("DescribeVpcs"),
    ec2("DescribeVpcs", VpcId_1="{vpc}"),
    ec2("DescribeVpcAttribute", VpcId="{vpc}", Attribute="enableDnsSupport"),
    own("CreateVpc", CidrBlock="10.9.0.0/16"),
    ec2("DeleteVpc", VpcId="{vpc}", _owner="DependencyViolation"),
    ec2("ModifyVpcAttribute", VpcId="{vpc}", EnableDnsSupport_Value="true"),
    Row("ec2", "CreateDefaultVpc", {}, *["DefaultVpcAlreadyExists"] * 5, own=True),
    ec2("CreateSubnet", VpcId="{vpc}", CidrBlock="172.31.255.0/24"),
    ec2("DeleteSubnet", SubnetId="{subnet}", _owner="DependencyViolation"),
    ec2("ModifySubnetAttribute", SubnetId="{subnet}", MapPublicIpOnLaunch_Value="true"),
    own("DescribeInternetGateways"),
    ec2("DescribeInternetGateways", InternetGatewayId_1="{gateway}"),
    own("DescribeRouteTables"),
    ec2("DescribeRouteTables", RouteTableId_1="{table}"),
    own("DescribeNetworkAcls"),
    ec2("DescribeNetworkAcls", NetworkAclId_1="{acl}"),
    own("DescribeDhcpOptions"),
    ec2("DescribeDhcpOptions", DhcpOptionsId_1="{dhcp}"),
    ec2("ModifyNetworkInterfaceAttribute", NetworkInterfaceId="{interface}", Description_Value="mine"),
    ec2("ModifySecurityGroupRules", GroupId="{group}", SecurityGroupRule_1_SecurityGroupRuleId="{rule}", SecurityGroupRule_1_SecurityGroupRule_IpProtocol="-1",
        SecurityGroupRule_1_SecurityGroupRule_CidrIpv4="192.0.2.0/24"),
    own("DescribeSubnets"),
    ec2("DescribeSubnets", SubnetId_1="{subnet}"),
    own("DescribeNetworkInterfaces"),
    ec2("DescribeNetworkInterfaces", NetworkInterfaceId_1="{interface}"),
    own("DescribeSecurityGroups"),
    ec2("DescribeSecurityGroups", GroupId_1="{group}"),
    own("DescribeSecurityGroupRules"),
    ec2("DescribeSecurityGroupRules", SecurityGroupRuleId_1="{rule}"),
    ec2("CreateSecurityGroup", GroupName="matrix-made", GroupDescription="of the matrix", VpcId="{vpc}"),
    ec2("DeleteSecurityGroup", GroupId="{group}"),
    ec2("AuthorizeSecurityGroupIngress", GroupId="{group}", IpPermissions_1_IpProtocol="tcp", IpPermissions_1_FromPort="81", IpPermissions_1_ToPort="81",
        IpPermissions_1_IpRanges_1_CidrIp="192.0.2.0/24"),
    ec2("AuthorizeSecurityGroupEgress", GroupId="{group}", IpPermissions_1_IpProtocol="tcp", IpPermissions_1_FromPort="81", IpPermissions_1_ToPort="81",
        IpPermissions_1_IpRanges_1_CidrIp="192.0.2.0/24"),
    ec2("RevokeSecurityGroupIngress", GroupId="{group}", SecurityGroupRuleId_1="{rule}"),
    ec2("RevokeSecurityGroupEgress", GroupId="{group}", SecurityGroupRuleId_1="{egress}"),
]

OTHERS = [
    own("CreateKeyPair", KeyName="matrix-made"),
    own("ImportKeyPair", KeyName="matrix-imported", PublicKeyMaterial="{public_key}"),
    own("DescribeKeyPairs"),
    ec2("DescribeKeyPairs", KeyPairId_1="{key}"),
    ec2("DescribeKeyPairs", KeyName_1="{key_name}"),
    ec2("DeleteKeyPair", KeyPairId="{key}"),
    ec2("DeleteKeyPair", KeyName="{key_name}"),
    ec2("CreateTags", ResourceId_1="{image}", Tag_1_Key="color", Tag_1_Value="red", _shared=DONE, _public=DONE),
    ec2("CreateTags", ResourceId_1="{instance}", Tag_1_Key="color", Tag_1_Value="red"),
    ec2("DeleteTags", ResourceId_1="{instance}", Tag_1_Key="owner"),
    own("DescribeTags"),
    ec2("DescribeTags", Filter_1_Name="resource-id", Filter_1_Value_1="{instance}"),
    own("DescribeAccountAttributes"),
    own("DescribeIdFormat"),
    own("DescribeAggregateIdFormat"),
    own("DescribeAvailabilityZones"),
    own("DescribeRegions"),
    own("ModifyAvailabilityZoneGroup", GroupName="us-east-1-bos-1", OptInStatus="opted-in", **dict.fromkeys(
        ("_owner", "_shared", "_public", "_stranger", "_elsewhere"), "InvalidParameterValue")),
    Row("sts", "GetCallerIdentity", own=True),
    Row("sts", "DecodeAuthorizationMessage", {"EncodedMessage": "none"}, *["InvalidAuthorizationMessageException"] * 5, own=True),
    Row("sts", "GetSessionToken", own=True),
    Row("sts", "GetAccessKeyInfo", {"AccessKeyId": "{user_key}"}, own=True),
    Row("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::{owner}:role/{role}", "RoleSessionName": "matrix"}, "AccessDenied"),
    Row("ssm", "GetParameter", {"Name": "/aws/service/kiln/none"}, *["ParameterNotFound"] * 5, own=True),
    Row("ssm", "GetParameters", {"Names": ["/aws/service/kiln/none"]}, own=True),
    Row("ssm", "GetParameter", {"Name": "{parameter}"}),
    Row("ssm", "PutParameter", {"Name": "/{made}", "Value": "red", "Type": "String"}, own=True),
    Row("ssm", "DeleteParameter", {"Name": "{parameter}"}),
    Row("ssm", "GetParametersByPath", {"Path": "/aws"}, own=True),
]


def iam(operation, _own=False, **parameters):
    return Row("iam", operation, parameters, own=_own)


TAGS, TAG_KEYS = {"Tags.member.1.Key": "color", "Tags.member.1.Value": "red"}, {"TagKeys.member.1": "color"}
# In this order the owner's own calls make, use and remove a role and a profile; others name those that stay.
IDENTITIES = [
    iam("CreateUser", _own=True, UserName="{made}"),
    iam("GetUser", UserName="{user}"),
    iam("ListUsers", _own=True),
    iam("TagUser", UserName="{user}", **TAGS),
    iam("ListUserTags", UserName="{user}"),
    iam("UntagUser", UserName="{user}", **TAG_KEYS),
    iam("PutUserPolicy", UserName="{user}", PolicyName="matrix", PolicyDocument="{policy}"),
    iam("GetUserPolicy", UserName="{user}", PolicyName="matrix"),
    iam("ListUserPolicies", UserName="{user}"),
    iam("DeleteUserPolicy", UserName="{user}", PolicyName="matrix"),
    iam("CreateAccessKey", UserName="{user}"),
    iam("ListAccessKeys", UserName="{user}"),
    iam("DeleteAccessKey", UserName="{keyed}", AccessKeyId="{user_key}"),
    iam("DeleteUser", UserName="{keyed}"),
    iam("CreateRole", _own=True, RoleName="{made}", AssumeRolePolicyDocument="{trust}"),
    iam("GetRole", RoleName="{role}"),
    iam("ListRoles", _own=True),
    iam("TagRole", RoleName="{role}", **TAGS),
    iam("ListRoleTags", RoleName="{role}"),
    iam("UntagRole", RoleName="{role}", **TAG_KEYS),
    iam("UpdateAssumeRolePolicy", RoleName="{role}", PolicyDocument="{trust}"),
    iam("UpdateRole", RoleName="{role}", MaxSessionDuration="7200"),
    iam("UpdateRoleDescription", RoleName="{role}", Description="matrix"),
    iam("PutRolePolicy", RoleName="{role}", PolicyName="matrix", PolicyDocument="{policy}"),
    iam("GetRolePolicy", RoleName="{role}", PolicyName="matrix"),
    iam("ListRolePolicies", RoleName="{role}"),
    iam("ListAttachedRolePolicies", RoleName="{role}"),
    iam("CreateInstanceProfile", _own=True, InstanceProfileName="{made}"),
    iam("GetInstanceProfile", InstanceProfileName="{profile}"),
    iam("ListInstanceProfiles", _own=True),
    iam("TagInstanceProfile", InstanceProfileName="{profile}", **TAGS),
    iam("ListInstanceProfileTags", InstanceProfileName="{profile}"),
    iam("UntagInstanceProfile", InstanceProfileName="{profile}", **TAG_KEYS),
    iam("AddRoleToInstanceProfile", InstanceProfileName="{profile}", RoleName="{role}"),
    iam("ListInstanceProfilesForRole", RoleName="{role}"),
    iam("RemoveRoleFromInstanceProfile", InstanceProfileName="{profile}", RoleName="{role}"),
    iam("DeleteInstanceProfile", InstanceProfileName="{profile}"),
    iam("DeleteRolePolicy", RoleName="{role}", PolicyName="matrix"),
    iam("DeleteRole", RoleName="{role}"),
]

ROWS = IMAGES + SNAPSHOTS + VOLUMES + INSTANCES + TEMPLATES + NETWORKS + OTHERS + IDENTITIES
