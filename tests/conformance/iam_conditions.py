#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Policies that ask who calls, when, from where and with which words, with boto3: dates, addresses, variables, sharing, launch templates;
and what DecodeAuthorizationMessage tells of a refusal."""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.policies import ZONE, User, allow, arn, deny, document, name, trust, volume, with_keys  # noqa: E402
from kiln_test.refusals import ENCODED, expect, refused  # noqa: E402

INVALID = "InvalidAuthorizationMessageException"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def malformed(user, *statements):
    return expect("MalformedPolicyDocument", user.iam.put_user_policy, UserName=user.name, PolicyName="p", PolicyDocument=document(*statements))


def moment(**distance):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**distance)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_IAM_8_dates(service):
    user = User(service, allow("ec2:Describe*", DateGreaterThan={"aws:CurrentTime": moment(hours=-1)}, DateLessThan={"aws:CurrentTime": moment(hours=1)}))
    ec2 = user.client()
    ec2.describe_regions()
    user.may(allow("ec2:Describe*", DateGreaterThan={"aws:CurrentTime": moment(hours=1)}))
    refused(ec2.describe_regions)
    user.may(allow("*"), deny("ec2:*", DateGreaterThanEquals={"aws:CurrentTime": "2020-04"}))
    refused(ec2.describe_regions)
    user.may(allow("*", DateGreaterThan={"aws:EpochTime": 1577836800}, NumericLessThan={"aws:EpochTime": "9999999999"}))
    ec2.describe_regions()
    # Keys of a session have a time at which they were made; others have none.
    user.may(allow("ec2:*", DateGreaterThan={"aws:TokenIssueTime": moment(hours=-1)}))
    refused(ec2.describe_regions)
    keys = user.client("sts").get_session_token()["Credentials"]
    with_keys(service, keys, "ec2").describe_regions()
    user.may(allow("ec2:*"), deny("ec2:*", DateLessThan={"aws:TokenIssueTime": moment(hours=1)}))
    ec2.describe_regions()
    refused(with_keys(service, keys, "ec2").describe_regions)
    for value in ("2020", "20200401", 1577836800000, "soon", "2020-04-01T00:00:00", "2020-*"):
        malformed(user, allow("ec2:*", DateLessThan={"aws:CurrentTime": value}))


def test_IAM_8_addresses_and_transport(service):
    user = User(service, allow("ec2:*", IpAddress={"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}))
    ec2 = user.client()
    ec2.describe_regions()
    user.may(allow("ec2:*", IpAddress={"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]}))
    refused(ec2.describe_regions)
    user.may(allow("ec2:*"), deny("*", NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}))
    refused(ec2.describe_regions)
    user.may(allow("ec2:*"), deny("*", IpAddress={"aws:SourceIp": "203.0.113.0/24"}))
    ec2.describe_regions()
    user.may(allow("ec2:*"), deny("*", Bool={"aws:SecureTransport": "false"}))
    refused(ec2.describe_regions)
    user.may(allow("ec2:*", StringEquals={"aws:PrincipalType": "User", "aws:userid": user.id, "aws:username": user.name}))
    ec2.describe_regions()
    for operator, value in (("IpAddress", "10.0.0.0/33"), ("IpAddress", "::ffff:10.0.0.1"), ("StringEquals", "127.0.0.1"), ("IpAddress", "10.*")):
        malformed(user, allow("ec2:*", **{operator: {"aws:SourceIp": value}}))
    assert "BinaryEquals" in malformed(user, allow("ec2:*", BinaryEquals={"aws:userid": "QUJD"}))


def test_IAM_33_variables_in_resources(service):
    own = arn("key-pair", "${aws:username}-*")
    user = User(service, allow("ec2:*KeyPair", own))
    ec2 = user.client()
    ec2.create_key_pair(KeyName=user.name + "-1")
    refused(ec2.create_key_pair, KeyName="x" + user.name + "-1")
    refused(ec2.create_key_pair, KeyName="${aws:username}-1")
    ec2.delete_key_pair(KeyName=user.name + "-1")
    # In the older version, which it is without one too, they are no variables.
    user.may(allow("ec2:*KeyPair", own), version="2008-10-17")
    refused(ec2.create_key_pair, KeyName=user.name + "-1")
    # A call that has no such key is about nothing that a variable names.
    user.may(allow("ec2:*KeyPair", arn("key-pair", "${aws:PrincipalTag/team}*")))
    refused(ec2.create_key_pair, KeyName=user.name)
    user.may(allow("ec2:*KeyPair", arn("key-pair", "${aws:PrincipalTag/team, 'none'}-*")))
    ec2.create_key_pair(KeyName="none-" + user.name)
    user.may({"Effect": "Allow", "Action": "ec2:*KeyPair", "NotResource": arn("key-pair", "${aws:PrincipalTag/team}")})
    refused(ec2.create_key_pair, KeyName=user.name)
    # What a variable brings is no wildcard.
    star = User(service, allow("ec2:*KeyPair", arn("key-pair", "${aws:PrincipalTag/team}-*")), team="*")
    star.client().create_key_pair(KeyName="*-" + star.name)
    refused(star.client().create_key_pair, KeyName=star.name + "-1")
    user.may(allow("ec2:*KeyPair", arn("key-pair", "${*}")))
    refused(ec2.create_key_pair, KeyName=user.name)
    malformed(user, allow("ec2:*", arn("key-pair", "${aws:nothing}")))
    malformed(user, allow("ec2:*", arn("key-pair", "${aws:username")))
    malformed(user, allow("ec2:*", arn("key-pair", "${aws:TagKeys}")))
    malformed(user, allow("ec2:*", "arn:aws:ec2:${aws:RequestedRegion}:*:volume/*"))
    malformed(user, allow("ec2:${aws:username}"))


def test_IAM_33_tags_of_who_calls_and_of_what_is_touched(service):
    own = service.client("ec2")
    user = User(service, allow("ec2:DeleteVolume", StringEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}), team="blue")
    ec2 = user.client()
    blue, red, none = volume(own, team="blue"), volume(own, team="red"), volume(own)
    refused(ec2.delete_volume, VolumeId=red)
    refused(ec2.delete_volume, VolumeId=none)
    ec2.delete_volume(VolumeId=blue)
    # Who has no tag may touch nothing by it, and not what has none either.
    nobody = User(service, allow("ec2:DeleteVolume", StringEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}))
    refused(nobody.client().delete_volume, VolumeId=none)
    nobody.may(allow("ec2:*"), deny("ec2:*", StringNotEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}))
    refused(nobody.client().delete_volume, VolumeId=red)
    user.may(allow(["ec2:CreateVolume", "ec2:CreateTags"], StringEqualsIfExists={"aws:RequestTag/owner": "${aws:username}"}))
    volume(ec2, owner=user.name)
    refused(volume, ec2=ec2, owner="somebody")
    user.may(allow("ec2:*", StringEquals={"aws:PrincipalTag/team": ["red", "blue"]}))
    ec2.describe_volumes()


def test_IAM_35_whom_a_snapshot_or_an_image_is_shared_with(service):
    other, third = service.account("first").id, service.account("second").id
    user = User(service, allow("ec2:Modify*", StringEquals={"ec2:Add/userId": other}))
    ec2 = user.client()
    share = {"SnapshotId": service.snapshot, "Attribute": "createVolumePermission"}
    ec2.modify_snapshot_attribute(**share, OperationType="add", UserIds=[other])
    ec2.modify_snapshot_attribute(SnapshotId=service.snapshot, CreateVolumePermission={"Add": [{"UserId": other}]})
    refused(ec2.modify_snapshot_attribute, **share, OperationType="add", UserIds=[other, third])
    refused(ec2.modify_snapshot_attribute, **share, OperationType="add", GroupNames=["all"])
    refused(ec2.modify_snapshot_attribute, SnapshotId=service.snapshot, CreateVolumePermission={"Add": [{"UserId": other}, {"Group": "all"}]})
    refused(ec2.modify_snapshot_attribute, **share, OperationType="remove", UserIds=[other])
    ec2.modify_image_attribute(ImageId=service.image, LaunchPermission={"Add": [{"UserId": other}]})
    refused(ec2.modify_image_attribute, ImageId=service.image, LaunchPermission={"Add": [{"UserId": third}]})
    refused(ec2.modify_image_attribute, ImageId=service.image, Description={"Value": "x"})
    user.may(allow("ec2:*"), deny("ec2:*", StringEquals={"ec2:Add/group": "all"}))
    refused(ec2.modify_image_attribute, ImageId=service.image, LaunchPermission={"Add": [{"Group": "all"}]})
    refused(ec2.modify_image_attribute, ImageId=service.image, Attribute="launchPermission", OperationType="add", UserGroups=["all"])
    ec2.modify_image_attribute(ImageId=service.image, LaunchPermission={"Remove": [{"UserId": other}]})


def test_IAM_35_launches_by_a_template_and_nothing_else(service):
    own = service.client("ec2")
    data = {"ImageId": service.image, "InstanceType": "t3.micro"}
    template = own.create_launch_template(LaunchTemplateName=name(), LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    other = own.create_launch_template(LaunchTemplateName=name(), LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    by_template = allow("ec2:RunInstances", ArnLike={"ec2:LaunchTemplate": arn("launch-template", template)}, Bool={"ec2:IsLaunchTemplateResource": "true"})
    user = User(service, by_template)
    ec2, count = user.client(), {"MinCount": 1, "MaxCount": 1}
    use = {"LaunchTemplate": {"LaunchTemplateId": template}, **count}
    expect("DryRunOperation", ec2.run_instances, **use, DryRun=True)
    ec2.run_instances(**use)
    refused(ec2.run_instances, ImageId=service.image, **count)
    refused(ec2.run_instances, LaunchTemplate={"LaunchTemplateId": other}, **count)
    more = ({"ImageId": service.image}, {"InstanceType": "t3.small"}, {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]}, {"UserData": "x"})
    for override in more:
        refused(ec2.run_instances, **use, **override)
    user.may(allow("ec2:*"), deny("ec2:RunInstances", Bool={"ec2:IsLaunchTemplateResource": "false"}))
    refused(ec2.run_instances, ImageId=service.image, **count)
    ec2.run_instances(**use)


def test_IAM_27_metadata_options_and_other_keys_of_instances(service):
    own = service.client("ec2")
    user = User(service, allow("ec2:*"), deny(["ec2:RunInstances", "ec2:ModifyInstanceMetadataOptions"], arn("instance"), StringNotEquals={"ec2:MetadataHttpTokens": "required"}))
    ec2, run = user.client(), {"ImageId": service.image, "MinCount": 1, "MaxCount": 1}
    refused(ec2.run_instances, **run)
    made = ec2.run_instances(**run, MetadataOptions={"HttpTokens": "required"})["Instances"][0]["InstanceId"]
    own.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
    refused(ec2.modify_instance_metadata_options, InstanceId=made, HttpTokens="optional")
    ec2.modify_instance_metadata_options(InstanceId=made, HttpPutResponseHopLimit=2)
    user.may(allow("ec2:*"), deny("ec2:ModifyInstanceMetadataOptions", NumericGreaterThan={"ec2:MetadataHttpPutResponseHopLimit": "2"}))
    refused(ec2.modify_instance_metadata_options, InstanceId=made, HttpPutResponseHopLimit=3)
    user.may(allow("ec2:*"), deny("ec2:*", Bool={"ec2:AssociatePublicIpAddress": "true"}))
    refused(ec2.run_instances, **run)
    share = {"SnapshotId": service.snapshot, "CreateVolumePermission": {"Add": [{"UserId": service.account("dated").id}]}}
    user.may(allow("ec2:*", DateLessThan={"ec2:SnapshotTime": moment(hours=1)}))
    ec2.modify_snapshot_attribute(**share)
    user.may(allow("ec2:*", DateLessThan={"ec2:SnapshotTime": moment(hours=-1)}))
    refused(ec2.modify_snapshot_attribute, **share)


def conditions(told):
    items = told["context"]["conditions"]["items"]
    return {item["key"]: [value["value"] for value in item["values"]["items"]] for item in items}


def test_IAM_36_a_refusal_is_explained_to_whom_a_policy_lets(service):
    own, sts = service.client("ec2"), service.client("sts")
    disk = volume(own, 3, team="blue")
    user = User(service, allow("ec2:DeleteVolume", arn("snapshot")))
    message = refused(user.client().delete_volume, VolumeId=disk)
    assert message.startswith("You are not authorized to perform this operation. User: ") and ENCODED in message, message
    encoded = message.split(ENCODED)[1]
    assert len(encoded) <= 10240
    # Its length tells not even whether the volume is there.
    assert len(refused(user.client().delete_volume, VolumeId="vol-00000000000000000").split(ENCODED)[1]) == len(encoded)
    told = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert told["allowed"] is False and told["explicitDeny"] is False and told["matchedStatements"] == {"items": []} and told["failures"] == {"items": []}
    context = told["context"]
    assert context["principal"] == {"id": user.id, "name": user.name, "arn": f"arn:aws:iam::{service.number}:user/{user.name}"}
    assert context["action"] == "ec2:DeleteVolume" and context["resource"] == f"arn:aws:ec2:us-east-1:{service.number}:volume/{disk}"
    keys = conditions(told)
    assert keys["ec2:VolumeSize"] == ["3"] and keys["aws:ResourceTag/team"] == ["blue"] and keys["aws:SourceIp"] == ["127.0.0.1"], keys
    # The user needs the right to see it; another account never does.
    expect("AccessDenied", user.client("sts").decode_authorization_message, EncodedMessage=encoded)
    user.may({"Sid": "NoBlue"} | deny("ec2:Delete*", StringEquals={"aws:ResourceTag/team": "blue"}), allow(["ec2:*", "sts:DecodeAuthorizationMessage"]))
    assert json.loads(user.client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]) == told
    stranger = service.account("decoder").client("sts")
    expect(INVALID, stranger.decode_authorization_message, EncodedMessage=encoded)
    encoded = refused(user.client().delete_volume, VolumeId=disk).split(ENCODED)[1]
    told = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    (statement,) = told["matchedStatements"]["items"]
    assert told["explicitDeny"] is True and statement["statementId"] == "NoBlue" and statement["effect"] == "DENY"
    assert statement["actions"] == {"items": [{"value": "ec2:Delete*"}]} and statement["principals"] == {"items": [{"value": user.id}]}
    service.restart()  # at another port
    sts, user.iam = service.client("sts"), service.client("iam")
    assert json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"]) == told
    middle = len(encoded) // 2
    for bad in (encoded[:-4], encoded[:middle] + ("A" if encoded[middle] != "A" else "B") + encoded[middle + 1 :], "none", encoded + "\n", encoded[:40] + "\n" + encoded[40:]):
        expect(INVALID, sts.decode_authorization_message, EncodedMessage=bad)
    # What is not there has no keys, and neither has what is another account's.
    user.may(allow("ec2:*", arn("snapshot")), allow("sts:*"))
    hidden = service.account("hider").client("ec2").create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    seen = []
    for foreign in (hidden, "vol-00000000000000000"):
        encoded = refused(user.client().delete_volume, VolumeId=foreign).split(ENCODED)[1]
        seen.append(conditions(json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])))
        assert not [key for key in seen[-1] if key.startswith("ec2:Volume")]
    assert set(seen[0]) == set(seen[1])
    # Other services say what they said.
    assert ENCODED not in expect("AccessDenied", user.client("iam").list_users)


def test_IAM_36_sessions_have_no_name_and_long_reasons_fit(service):
    iam, sts, role = service.client("iam"), service.client("sts"), name()
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(trust(service.number)))
    many = [f"ec2:{'x' * 60}{number}" for number in range(100)]
    denied = deny(["ec2:DeleteVolume", *many], StringLike={"ec2:ResourceTag/k1": "*"})
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(denied, allow("ec2:*")))
    keys = sts.assume_role(RoleArn=f"arn:aws:iam::{service.number}:role/{role}", RoleSessionName="long")["Credentials"]
    disk = volume(service.client("ec2"), **{f"k{number}": "v" * 256 for number in range(50)})
    encoded = refused(with_keys(service, keys, "ec2").delete_volume, VolumeId=disk).split(ENCODED)[1]
    assert len(encoded) <= 10240
    told = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert set(told["context"]["principal"]) == {"id", "arn"} and told["context"]["principal"]["id"].endswith(":long")
    assert told["explicitDeny"] and conditions(told)["ec2:VolumeID"] == [disk]


if __name__ == "__main__":
    kiln_test.main()
