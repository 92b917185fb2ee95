#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Policies that name resources and ask conditions of them, with boto3: what they let a user do, and that nothing is told to who may not know."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.policies import TRUST, ZONE, User, allow, arn, deny, document, name, trust, volume  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect, openly, refused  # noqa: E402

NOTHING = "00000000000000000"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def test_IAM_7_a_policy_names_resources(service):
    own = service.client("ec2")
    one, other = volume(own), volume(own)
    user = User(service, allow("ec2:DeleteVolume", f"arn:aws:ec2:us-east-1:{service.number}:volume/{one}"), allow("ec2:DescribeVolumes"))
    ec2 = user.client()
    message = refused(ec2.delete_volume, VolumeId=other)
    assert f"on resource: arn:aws:ec2:us-east-1:{service.number}:volume/{other}" in message, message
    # What does not exist gets the same answer, and so does what is malformed only where policies are asked first.
    refused(ec2.delete_volume, VolumeId="vol-" + NOTHING)
    expect("DryRunOperation", ec2.delete_volume, VolumeId=one, DryRun=True)
    ec2.delete_volume(VolumeId=one)
    # It may know of this one, as long as it names it.
    expect("InvalidVolume.NotFound", ec2.delete_volume, VolumeId=one)
    user.may({"Effect": "Allow", "Action": "ec2:*", "NotResource": arn("volume", other)})
    refused(ec2.delete_volume, VolumeId=other)
    expect("InvalidVolume.NotFound", ec2.delete_volume, VolumeId=one)
    own.delete_volume(VolumeId=other)


def test_IAM_7_describing_is_about_all_resources(service):
    user = User(service, allow("ec2:Describe*", arn("volume")))
    refused(user.client().describe_volumes)
    user.may(allow("ec2:Describe*"), deny("ec2:Describe*", arn("volume")))
    user.client().describe_volumes()


def test_IAM_26_every_resource_of_a_call_must_be_allowed(service):
    own = service.client("ec2")
    (made,) = own.run_instances(ImageId=service.image, MinCount=1, MaxCount=1)["Instances"]
    own.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    disk = volume(own)
    user = User(service, allow("ec2:*Volume", arn("instance")))
    ec2, attach = user.client(), {"InstanceId": made["InstanceId"], "VolumeId": disk, "Device": "/dev/sdf"}
    assert f"volume/{disk}" in refused(ec2.attach_volume, **attach)
    user.may(allow("ec2:*Volume", [arn("instance"), arn("volume")]))
    ec2.attach_volume(**attach)
    own.get_waiter("volume_in_use").wait(VolumeIds=[disk], WaiterConfig={"Delay": 1})
    # DetachVolume need not name the instance: it is asked about all the same.
    user.may(allow("ec2:*Volume", arn("volume")))
    assert f"instance/{made['InstanceId']}" in refused(ec2.detach_volume, VolumeId=disk)
    user.may(allow("ec2:*"), deny("ec2:TerminateInstances", arn("instance", made["InstanceId"])))
    other = own.run_instances(ImageId=service.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    refused(ec2.terminate_instances, InstanceIds=[other, made["InstanceId"]])
    assert own.describe_instances(InstanceIds=[other])["Reservations"][0]["Instances"][0]["State"]["Name"] in ("pending", "running")
    ec2.terminate_instances(InstanceIds=[other])
    own.terminate_instances(InstanceIds=[made["InstanceId"]])


def test_IAM_8_IAM_27_tags_say_what_may_be_touched(service):
    own = service.client("ec2")
    blue, red = volume(own, team="blue"), volume(own, team="red")
    user = User(service, allow("ec2:DeleteVolume", StringEquals={"aws:ResourceTag/team": "blue"}))
    ec2 = user.client()
    refused(ec2.delete_volume, VolumeId=red)
    refused(ec2.delete_volume, VolumeId="vol-" + NOTHING)
    own.create_tags(Resources=[red], Tags=[{"Key": "team", "Value": "blue"}])  # from the next call on
    ec2.delete_volume(VolumeId=red)
    user.may(allow("ec2:*"), deny("ec2:*", StringNotEquals={"ec2:ResourceTag/team": "green"}))
    refused(ec2.delete_volume, VolumeId=blue)
    refused(ec2.describe_volumes)  # what has no tag at all is not green either
    user.may(allow("ec2:*"), deny("ec2:*", StringEquals={"ec2:ResourceTag/team": "blue"}))
    refused(ec2.delete_volume, VolumeId=blue)
    ec2.describe_volumes()
    own.delete_volume(VolumeId=blue)


def test_IAM_8_IAM_28_tags_that_a_request_brings(service):
    own = service.client("ec2")
    team = {"StringEquals": {"aws:RequestTag/team": "blue"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]}}
    user = User(
        service,
        {"Effect": "Allow", "Action": "ec2:CreateVolume", "Resource": arn("volume"), "Condition": team},
        allow("ec2:CreateTags", arn("volume"), StringEquals={"ec2:CreateAction": "CreateVolume"}),
    )
    ec2 = user.client()
    refused(volume, ec2=ec2)
    refused(volume, ec2=ec2, team="red")
    refused(volume, ec2=ec2, team="blue", cost="1")
    made = volume(ec2, team="blue", stage="x")
    # Tags may come with what is made, and not later.
    refused(ec2.create_tags, Resources=[made], Tags=[{"Key": "team", "Value": "blue"}])
    user.may(allow("ec2:CreateTags", StringEquals={"aws:ResourceTag/team": "blue"}, **{"ForAnyValue:StringLike": {"aws:TagKeys": "x-*"}}))
    refused(ec2.create_tags, Resources=[made], Tags=[{"Key": "y", "Value": "1"}])
    ec2.create_tags(Resources=[made], Tags=[{"Key": "x-1", "Value": "1"}])
    own.delete_volume(VolumeId=made)


def test_IAM_27_sizes_and_types_of_volumes(service):
    own = service.client("ec2")
    user = User(service, allow("ec2:*", NumericLessThanEqualsIfExists={"ec2:VolumeSize": "8"}, StringEqualsIfExists={"ec2:VolumeType": ["gp2", "gp3"]}))
    ec2 = user.client()
    refused(volume, ec2=ec2, size=9)
    refused(ec2.create_volume, AvailabilityZone=ZONE, Size=4, VolumeType="standard")
    # A size that the snapshot says counts as one that the request says.
    big = own.create_snapshot(VolumeId=volume(own, 20))["SnapshotId"]
    refused(ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=big)
    made = volume(ec2, 8)
    # What a change would make of it counts as well as what it is.
    refused(ec2.modify_volume, VolumeId=made, Size=9)
    ec2.modify_volume(VolumeId=made, VolumeType="gp3")
    refused(ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9}}])


def test_IAM_27_launches(service):
    own = service.client("ec2")
    image = arn("image", service.image, "")
    rest = [arn(kind) for kind in ("volume", "network-interface", "subnet", "security-group", "key-pair")]
    user = User(
        service,
        allow("ec2:RunInstances", [image, *rest]),
        allow("ec2:RunInstances", arn("instance"), StringLike={"ec2:InstanceType": "t3.*"}),
    )
    ec2, run = user.client(), {"ImageId": service.image, "MinCount": 1, "MaxCount": 1}
    assert ":instance/*" in refused(ec2.run_instances, **run, InstanceType="m5.large")
    expect("DryRunOperation", ec2.run_instances, **run, InstanceType="t3.micro", DryRun=True)
    made = ec2.run_instances(**run, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
    # Another image: one that is there, and one that is not.
    copy = own.copy_image(Name=name(), SourceImageId=service.image, SourceRegion="us-east-1")["ImageId"]
    assert f"image/{copy}" in refused(ec2.run_instances, **run | {"ImageId": copy})
    refused(ec2.run_instances, **run | {"ImageId": "ami-" + NOTHING})
    # A template may not say what a request may not, and has to be allowed itself.
    own.create_launch_template(LaunchTemplateName=user.name, LaunchTemplateData={"ImageId": copy, "InstanceType": "t3.micro"})
    by_template = {"LaunchTemplate": {"LaunchTemplateName": user.name}, "MinCount": 1, "MaxCount": 1}
    assert "launch-template/" in refused(ec2.run_instances, **by_template)
    user.may(allow("ec2:RunInstances", [image, *rest, arn("instance"), arn("launch-template")]))
    assert f"image/{copy}" in refused(ec2.run_instances, **by_template)
    ec2.run_instances(**by_template, ImageId=service.image)
    # What nobody names counts too: the default subnet and group.
    user.may(allow("ec2:*"), deny("ec2:RunInstances", arn("security-group")))
    assert ":security-group/sg-" in refused(ec2.run_instances, **run)
    user.may(allow("ec2:*"), deny("ec2:RunInstances", arn("image"), StringNotEquals={"ec2:Owner": "self"}))
    ec2.terminate_instances(InstanceIds=[made])
    ec2.run_instances(**run)
    other = service.account("lender").client("ec2")
    own.modify_image_attribute(ImageId=service.image, LaunchPermission={"Add": [{"Group": "all"}]})
    own.modify_snapshot_attribute(SnapshotId=service.snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"])
    foreign = other.copy_image(Name=name(), SourceImageId=service.image, SourceRegion="us-east-1")["ImageId"]
    refused(ec2.run_instances, **run | {"ImageId": foreign})
    other.modify_image_attribute(ImageId=foreign, LaunchPermission={"Add": [{"UserId": service.number}]})
    refused(ec2.run_instances, **run | {"ImageId": foreign})
    user.may(allow("ec2:*"), deny("ec2:RunInstances", arn("image"), Bool={"ec2:Public": "true"}))
    refused(ec2.run_instances, **run)
    ec2.run_instances(**run | {"ImageId": foreign})
    own.modify_image_attribute(ImageId=service.image, LaunchPermission={"Remove": [{"Group": "all"}]})


def test_IAM_27_images_and_snapshots(service):
    own = service.client("ec2")
    made = own.run_instances(ImageId=service.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    own.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
    user = User(service, allow("ec2:CreateImage", [arn("instance"), arn("image", account="")]))
    ec2 = user.client()
    create = {"InstanceId": made, "NoReboot": True}
    assert "snapshot/*" in refused(ec2.create_image, **create, Name=name())
    user.may(allow("ec2:CreateImage", [arn("instance"), arn("image", account=""), arn("snapshot", account="")]))
    image = ec2.create_image(**create, Name=name())["ImageId"]
    own.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
    user.may(allow("ec2:*"), deny("ec2:CopyImage", StringEquals={"ec2:Owner": "self"}))
    refused(ec2.copy_image, Name=name(), SourceImageId=image, SourceRegion="us-east-1")
    # Deregistering takes the snapshots along only where it says so.
    user.may(allow("ec2:DeregisterImage", arn("image")))
    answer = query(service, "DeregisterImage", {"ImageId": image, "DeleteAssociatedSnapshots": "true"}, keys=user.pair)
    assert answer.status == 403 and answer.code == "UnauthorizedOperation", answer
    ec2.deregister_image(ImageId=image)
    disk = volume(own)
    user.may(allow("ec2:CreateSnapshot"), deny("ec2:CreateSnapshot", arn("snapshot"), NumericLessThan={"ec2:VolumeSize": "2"}))
    refused(ec2.create_snapshot, VolumeId=disk)
    own.terminate_instances(InstanceIds=[made])


def test_IAM_6_IAM_7_roles_are_passed_by_name(service):
    own, iam = service.client("ec2"), service.client("iam")
    names = [name(), name()]
    for role in names:
        iam.create_role(RoleName=role, Path="/bakers/", AssumeRolePolicyDocument=TRUST)
        iam.create_instance_profile(InstanceProfileName=role)
        iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    pass_one = allow("iam:PassRole", f"arn:aws:iam::{service.number}:role/bakers/{names[0]}", StringEquals={"iam:PassedToService": "ec2.amazonaws.com"})
    user = User(service, allow("ec2:*"), pass_one)
    run = {"ImageId": service.image, "MinCount": 1, "MaxCount": 1}
    message = refused(user.client().run_instances, **run, IamInstanceProfile={"Name": names[1]})
    assert f"iam:PassRole on resource: arn:aws:iam::{service.number}:role/bakers/{names[1]}" in message, message
    made = user.client().run_instances(**run, IamInstanceProfile={"Name": names[0]})["Instances"][0]["InstanceId"]
    own.terminate_instances(InstanceIds=[made])
    user.may(allow("iam:*", f"arn:aws:iam::{service.number}:role/bakers/*"), allow("iam:*", f"arn:aws:iam::{service.number}:user/{user.name}"))
    mine = user.client("iam")
    assert mine.get_role(RoleName=names[0])["Role"]["RoleName"] == names[0]
    expect("AccessDenied", mine.get_role(RoleName=names[0]) and mine.get_role, RoleName=name())
    expect("AccessDenied", mine.create_role, RoleName=name(), AssumeRolePolicyDocument=TRUST)
    mine.create_role(RoleName=name(), Path="/bakers/", AssumeRolePolicyDocument=TRUST)
    assert mine.get_user()["User"]["UserName"] == user.name  # oneself, without a name
    expect("AccessDenied", mine.list_users)


def test_IAM_26_a_refusal_shows_no_more_than_was_asked(service):
    own, iam = service.client("ec2"), service.client("iam")
    there = name()
    own.create_security_group(GroupName=there, Description="x")
    own.create_launch_template(LaunchTemplateName=there, LaunchTemplateData={"InstanceType": "t3.micro"})
    iam.create_role(RoleName=there, Path="/bakers/", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=there)
    iam.add_role_to_instance_profile(InstanceProfileName=there, RoleName=there)
    run = {"ImageId": service.image, "MinCount": 1, "MaxCount": 1, "IamInstanceProfile": {"Name": there}}
    made = own.run_instances(**run)["Instances"][0]["InstanceId"]
    (association,) = own.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [made]}])["IamInstanceProfileAssociations"]
    user = User(service, allow("*", arn("volume")))
    ec2, mine, missing = user.client(), user.client("iam"), name()
    for call, code, parameter in (
        (ec2.delete_security_group, "UnauthorizedOperation", "GroupName"),
        (ec2.delete_launch_template, "UnauthorizedOperation", "LaunchTemplateName"),
        (mine.get_role, "AccessDenied", "RoleName"),
        (mine.get_instance_profile, "AccessDenied", "InstanceProfileName"),
    ):
        answers = [expect(code, call, **{parameter: asked}).replace(asked, "NAME") for asked in (there, missing)]
        assert len({openly(answer) for answer in answers}) == len({len(answer) for answer in answers}) == 1, answers
    ended = "iip-assoc-" + NOTHING
    answers = {openly(refused(ec2.disassociate_iam_instance_profile, AssociationId=asked)).replace(asked, "ID") for asked in (association["AssociationId"], ended)}
    assert len(answers) == 1 and made not in answers.pop(), answers
    user.may(allow("ec2:*", arn("instance", made)))
    expect("UnauthorizedOperation", ec2.disassociate_iam_instance_profile, AssociationId=ended)
    ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    own.terminate_instances(InstanceIds=[made])


def test_IAM_17_IAM_7_roles_are_taken_by_name(service):
    iam = service.client("iam")
    names = [name(), name()]
    arns = [iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(trust(service.number)))["Role"]["Arn"] for role in names]
    sts = User(service, allow("sts:AssumeRole", arns[0])).client("sts")
    assert sts.assume_role(RoleArn=arns[0], RoleSessionName="one")["Credentials"]
    expect("AccessDenied", sts.assume_role, RoleArn=arns[1], RoleSessionName="two")


def test_IAM_7_blocks_and_parameters(service):
    own, ssm = service.client("ec2"), service.client("ssm")
    first, second = (own.create_snapshot(VolumeId=volume(own))["SnapshotId"] for _ in range(2))
    own.get_waiter("snapshot_completed").wait(SnapshotIds=[first, second], WaiterConfig={"Delay": 1})
    user = User(service, allow("ebs:*", arn("snapshot", first, "")), allow("ssm:*", f"arn:aws:ssm:*:{service.number}:parameter/golden/*"))
    ebs = user.client("ebs")
    ebs.list_snapshot_blocks(SnapshotId=first)
    expect("AccessDeniedException", ebs.list_snapshot_blocks, SnapshotId=second)
    expect("AccessDeniedException", ebs.list_snapshot_blocks, SnapshotId="snap-" + NOTHING)
    expect("AccessDeniedException", ebs.start_snapshot, VolumeSize=1)
    mine = user.client("ssm")
    mine.put_parameter(Name="/golden/a", Value="x", Type="String")
    assert mine.get_parameter(Name="/golden/a")["Parameter"]["Value"] == "x"
    ssm.put_parameter(Name="/secret/a", Value="x", Type="String")
    expect("AccessDeniedException", mine.get_parameter, Name="/secret/a")
    expect("AccessDeniedException", mine.get_parameters, Names=["/golden/a", "/secret/a"])
    expect("AccessDeniedException", mine.get_parameter, Name="/secret/nothing")


def test_IAM_7_IAM_8_what_is_not_understood_is_refused(service):
    user = User(service, allow("ec2:*"))
    for statement in (
        allow("ec2:*", "instance/*"),
        allow("ec2:*", "arn:aws:ec2:*:${aws:username}:instance/*", StringEquals={"aws:PrincipalOrgID": "o-1"}),
        allow("ec2:*", StringEquals={"ec2:ResourceOwner": "me"}),
        allow("ec2:*", NumericEquals={"ec2:InstanceType": "3"}),
        allow("ec2:*", IpAddress={"aws:SourceIp": "10.0.0.0/33"}),
    ):
        expect("MalformedPolicyDocument", user.iam.put_user_policy, UserName=user.name, PolicyName="p", PolicyDocument=json.dumps({"Statement": statement}))


if __name__ == "__main__":
    kiln_test.main()
