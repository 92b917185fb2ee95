#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Roles, their policies and instance profiles with boto3 and aws, and what the keys of a role may do."""

import datetime
import json
import os
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore import auth, awsrequest, credentials  # noqa: E402
from kiln_test import AwsError, wait_until  # noqa: E402
from kiln_test.metadata import read_metadata  # noqa: E402
from kiln_test.policies import TRUST, name, policy, with_keys  # noqa: E402
from kiln_test.refusals import expect, openly  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def make_role(iam, *actions):
    role = name()
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    if actions:
        iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=policy(*actions))
    return role


def make_profile(iam, *actions):
    """A profile with a role that may do `actions`; both have this name."""
    role = make_role(iam, *actions)
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    return role


def metadata(kiln, instance, path):
    return read_metadata(kiln, instance, "meta-data/" + path)


def launch(kiln, profile):
    ec2 = kiln.client("ec2")
    (made,) = ec2.run_instances(ImageId=kiln.image, MinCount=1, MaxCount=1, IamInstanceProfile={"Name": profile})["Instances"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
    return made["InstanceId"]


def keys_of(kiln, instance, role):
    return json.loads(metadata(kiln, instance, "iam/security-credentials/" + role))


def client(kiln, service_name, keys, region=None):
    """With keys as the metadata service tells them."""
    return with_keys(kiln, {**keys, "SessionToken": keys["Token"]}, service_name, region)


def test_IAM_1_a_role_lives(service):
    iam = service.client("iam")
    role = name()
    made = iam.create_role(
        RoleName=role, Path="/build/", Description="bakes", AssumeRolePolicyDocument=TRUST,
        MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "images"}],
    )["Role"]  # fmt: skip
    account = service.client("sts").get_caller_identity()["Account"]
    assert made["Arn"] == f"arn:aws:iam::{account}:role/build/{role}", made
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21, made
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST), made
    age = datetime.datetime.now(datetime.timezone.utc) - made["CreateDate"]
    assert abs(age.total_seconds()) < 60, made
    found = iam.get_role(RoleName=role)["Role"]
    assert found["Description"] == "bakes" and found["MaxSessionDuration"] == 7200, found
    assert found["Tags"] == [{"Key": "team", "Value": "images"}], found
    assert role in [r["RoleName"] for r in iam.list_roles(PathPrefix="/build/")["Roles"]]
    assert role not in [r["RoleName"] for r in iam.list_roles(PathPrefix="/other/")["Roles"]]
    iam.get_waiter("role_exists").wait(RoleName=role)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=TRUST.replace("ec2.", "ssm."))
    assert "ssm.amazonaws.com" in str(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
    iam.update_role(RoleName=role, MaxSessionDuration=43200)
    assert iam.update_role_description(RoleName=role, Description="bakes more")["Role"]["Description"] == "bakes more"
    found = iam.get_role(RoleName=role)["Role"]
    assert found["Description"] == "bakes more" and found["MaxSessionDuration"] == 43200, found
    for call, more in ((iam.update_role, {"MaxSessionDuration": 43201}), (iam.update_role, {"Description": "x" * 1001}), (iam.update_role_description, {"Description": "x" * 1001})):
        expect("ValidationError", call, RoleName=role, **more)
    iam.update_role(RoleName=role, Description="")
    found = iam.get_role(RoleName=role)["Role"]
    assert found.get("Description", "") == "" and found["MaxSessionDuration"] == 3600, found
    expect("NoSuchEntity", iam.update_role, RoleName="no-role")

    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy("ec2:*"))
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["p"]
    assert iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"] == json.loads(policy("ec2:*"))
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    expect("DeleteConflict", iam.delete_role, RoleName=role)
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    expect("NoSuchEntity", iam.delete_role_policy, RoleName=role, PolicyName="p")
    iam.delete_role(RoleName=role)
    message = expect("NoSuchEntity", iam.get_role, RoleName=role)
    assert message == f"The role with name {role} cannot be found.", message


def test_IAM_2_mistakes_with_roles(service):
    iam = service.client("iam")
    role = make_role(iam)
    message = expect("EntityAlreadyExists", iam.create_role, RoleName=role.upper(), AssumeRolePolicyDocument=TRUST)
    assert "already exists" in message, message
    expect("ValidationError", iam.create_role, RoleName="a b", AssumeRolePolicyDocument=TRUST)
    expect("ValidationError", iam.create_role, RoleName="x" * 65, AssumeRolePolicyDocument=TRUST)
    expect("ValidationError", iam.create_role, RoleName=name(), Path="x", AssumeRolePolicyDocument=TRUST)
    expect("MalformedPolicyDocument", iam.create_role, RoleName=name(), AssumeRolePolicyDocument="{}")
    boundary = {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    expect("UnsupportedOperation", iam.create_role, RoleName=name(), AssumeRolePolicyDocument=TRUST, **boundary)
    expect("NoSuchEntity", iam.put_role_policy, RoleName=name(), PolicyName="p", PolicyDocument=policy("ec2:*"))
    wrong = {
        policy("RunInstances"): "prefaced by a vendor",
        policy("ec2:*", Condition={"BinaryEquals": {"aws:SourceIp": "MTA="}}): "BinaryEquals is not supported",
        policy("ec2:*").replace('"*"', '"instance/*"'): "must be in ARN format",
    }
    for document, text in wrong.items():
        message = expect("MalformedPolicyDocument", iam.put_role_policy, RoleName=role, PolicyName="p", PolicyDocument=document)
        assert text in message, message
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    long = policy(*[f"ec2:Describe{i}" for i in range(600)])
    expect("LimitExceeded", iam.put_role_policy, RoleName=role, PolicyName="p", PolicyDocument=long)
    try:
        service.aws("iam", "get-role", "--role-name", "nobody")
    except AwsError as error:
        assert error.code == "NoSuchEntity", error
    else:
        raise AssertionError("aws found nobody")


def test_IAM_3_an_instance_profile_lives(service):
    iam = service.client("iam")
    role, profile = make_role(iam), name()
    made = service.aws("iam", "create-instance-profile", "--instance-profile-name", profile)["InstanceProfile"]
    assert made["InstanceProfileId"].startswith("AIPA") and made["Roles"] == [], made
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    expect("LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName=profile, RoleName=role)
    (found,) = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    assert found["RoleName"] == role and found["AssumeRolePolicyDocument"] == json.loads(TRUST), found
    (listed,) = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert listed["InstanceProfileName"] == profile, listed
    assert profile in [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]]
    expect("DeleteConflict", iam.delete_role, RoleName=role)
    expect("DeleteConflict", iam.delete_instance_profile, InstanceProfileName=profile)
    expect("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName=profile)
    iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    expect("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName=profile, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=profile)
    expect("NoSuchEntity", iam.get_instance_profile, InstanceProfileName=profile)
    iam.delete_role(RoleName=role)


def test_IAM_1_lists_come_in_pages_and_belong_to_the_account(service):
    iam = service.client("iam")
    roles = sorted(make_role(iam) for _ in range(5))
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
    got = [r["RoleName"] for page in pages for r in page["Roles"]]
    assert [r for r in got if r in roles] == roles and got == sorted(got), got
    theirs = service.account().client("iam")
    assert theirs.list_roles()["Roles"] == []
    expect("NoSuchEntity", theirs.get_role, RoleName=roles[0])


def test_RUN_7_a_launch_takes_a_profile(service):
    iam, ec2 = service.client("iam"), service.client("ec2")
    profile = make_profile(iam, "ec2:Describe*")
    arn = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Arn"]
    instance = launch(service, profile)
    shown = ec2.describe_instances(Filters=[{"Name": "iam-instance-profile.arn", "Values": [arn]}])["Reservations"]
    ((found,),) = [r["Instances"] for r in shown]
    assert found["InstanceId"] == instance and found["IamInstanceProfile"]["Arn"] == arn, found
    run = {"ImageId": service.image, "MinCount": 1, "MaxCount": 1}
    empty = ec2.run_instances(**run, IamInstanceProfile={"Name": ""})["Instances"][0]
    assert "IamInstanceProfile" not in empty, empty
    message = expect("InvalidParameterValue", ec2.run_instances, **run, IamInstanceProfile={"Name": "nobody"})
    assert message == (
        "Value (nobody) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"), message  # fmt: skip
    bare = name()
    iam.create_instance_profile(InstanceProfileName=bare)
    message = expect("InvalidParameterValue", ec2.run_instances, **run, IamInstanceProfile={"Name": bare})
    assert message.endswith(" has no associated IAM Roles"), message
    by_arn = ec2.run_instances(**run, IamInstanceProfile={"Arn": arn}, DryRun=False)["Instances"][0]
    assert by_arn["IamInstanceProfile"]["Arn"] == arn, by_arn


def test_IMDS_15_IAM_10_the_keys_of_the_role_work_and_no_further_than_its_policies(service):
    iam = service.client("iam")
    role = make_profile(iam, "ec2:Describe*", "ec2:CreateTags")
    instance = launch(service, role)
    assert metadata(service, instance, "iam/") == "info\nsecurity-credentials/"
    info = json.loads(metadata(service, instance, "iam/info"))
    assert info["Code"] == "Success" and info["InstanceProfileArn"].endswith("/" + role), info
    assert metadata(service, instance, "iam/security-credentials/") == role
    keys = keys_of(service, instance, role)
    assert keys["Code"] == "Success" and keys["Type"] == "AWS-HMAC" and keys["AccessKeyId"].startswith("ASIA"), keys
    left = datetime.datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(hours=5) < left <= datetime.timedelta(hours=6), left

    me = client(service, "sts", keys).get_caller_identity()
    assert me["Arn"] == f"arn:aws:sts::{me['Account']}:assumed-role/{role}/{instance}", me
    assert me["UserId"].startswith("AROA") and me["UserId"].endswith(":" + instance), me
    ec2 = client(service, "ec2", keys)
    assert ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "by", "Value": "itself"}])
    message = expect("UnauthorizedOperation", ec2.terminate_instances, InstanceIds=[instance])
    assert openly(message) == (
        f"You are not authorized to perform this operation. User: {me['Arn']} is not authorized to perform: "
        "ec2:TerminateInstances because no identity-based policy allows the ec2:TerminateInstances action"), message  # fmt: skip
    expect("UnauthorizedOperation", ec2.terminate_instances, InstanceIds=[instance], DryRun=True)  # WIRE-8
    expect("DryRunOperation", ec2.describe_instances, DryRun=True)
    expect("AccessDenied", client(service, "iam", keys).list_roles)
    expect("AccessDeniedException", client(service, "ssm", keys).get_parameters, Names=["/x"])
    expect("AccessDeniedException", client(service, "ebs", keys).list_snapshot_blocks, SnapshotId=service.snapshot)

    # Changes hold from the next call on; a Deny wins.
    iam.put_role_policy(RoleName=role, PolicyName="never", PolicyDocument=policy("ec2:CreateTags", effect="Deny"))
    message = expect("UnauthorizedOperation", ec2.create_tags, Resources=[instance], Tags=[{"Key": "a", "Value": "b"}])
    assert openly(message).endswith("with an explicit deny in an identity-based policy"), message
    here = policy("ec2:*", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=here)
    ec2.describe_instances()
    expect("UnauthorizedOperation", client(service, "ec2", keys, "eu-west-1").describe_instances)


def test_IAM_6_what_a_call_does_besides_must_be_allowed_too(service):
    iam = service.client("iam")
    role = make_profile(iam, "ec2:RunInstances", "ec2:CreateVolume")
    keys = keys_of(service, launch(service, role), role)
    ec2 = client(service, "ec2", keys)
    run = {"ImageId": service.image, "MinCount": 1, "MaxCount": 1}
    ec2.run_instances(**run)
    message = expect("UnauthorizedOperation", ec2.run_instances, **run, IamInstanceProfile={"Name": role})
    assert "iam:PassRole" in message, message
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    volume = {"AvailabilityZone": "us-east-1a", "Size": 1}
    message = expect("UnauthorizedOperation", ec2.create_volume, **volume, TagSpecifications=tags)
    assert "ec2:CreateTags" in message, message
    # LT-6: what a launch template adds counts as well.
    own = service.client("ec2")
    for template, data in (("tags", {"TagSpecifications": tags}), ("alias", {"ImageId": "resolve:ssm:/x"}), ("role", {"IamInstanceProfile": {"Name": role}})):
        own.create_launch_template(LaunchTemplateName=f"{role}.{template}", LaunchTemplateData=data)
    missing = {"tags": "ec2:CreateTags", "alias": "ssm:GetParameters", "role": "iam:PassRole"}
    for template, action in missing.items():
        request = dict(run, LaunchTemplate={"LaunchTemplateName": f"{role}.{template}"})
        if template == "alias":
            del request["ImageId"]
        message = expect("UnauthorizedOperation", ec2.run_instances, **request)
        assert action in message, (template, message)
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=policy("iam:PassRole", "ec2:CreateTags"))
    ec2.create_volume(**volume, TagSpecifications=tags)
    ec2.run_instances(**run, IamInstanceProfile={"Name": role})
    ec2.run_instances(**run, LaunchTemplate={"LaunchTemplateName": role + ".tags"})
    ec2.run_instances(**run, LaunchTemplate={"LaunchTemplateName": role + ".role"})


def test_IAM_6_ED_3_blocks_of_snapshots_are_asked_for_by_their_own_names(service):
    iam = service.client("iam")
    role = make_profile(iam, "ebs:List*", "ebs:StartSnapshot")
    ebs = client(service, "ebs", keys_of(service, launch(service, role), role))
    (block,) = ebs.list_snapshot_blocks(SnapshotId=service.snapshot)["Blocks"]
    expect("AccessDeniedException", ebs.get_snapshot_block, SnapshotId=service.snapshot, **block)
    assert ebs.start_snapshot(VolumeSize=1)["Status"] == "pending"
    expect("AccessDeniedException", ebs.start_snapshot, VolumeSize=1, Tags=[{"Key": "a", "Value": "b"}])


def test_IAM_12_IAM_13_wrong_and_ended_tokens(service):
    iam = service.client("iam")
    role = make_profile(iam, "*")
    instance = launch(service, role)
    keys = keys_of(service, instance, role)
    for change in ({"Token": keys["Token"][:-8] + "AAAAAAAA"}, {"Token": "x"}, {"SecretAccessKey": "x" * 40}, {"AccessKeyId": service.access_key}):
        wrong = {**keys, **change}
        expect("AuthFailure", client(service, "ec2", wrong).describe_instances)
        code = "SignatureDoesNotMatch" if "SecretAccessKey" in change else "InvalidClientTokenId"
        expect(code, client(service, "sts", wrong).get_caller_identity)
    expect("AuthFailure", service.client("ec2", access_key=keys["AccessKeyId"], secret_key=keys["SecretAccessKey"]).describe_instances)
    client(service, "ec2", keys).describe_instances()
    service.restart()
    client(service, "ec2", keys).describe_instances()
    service.client("ec2").terminate_instances(InstanceIds=[instance])
    wait_until(lambda: state(service, instance) == "terminated", 30, "the end of " + instance)
    expect("AuthFailure", client(service, "ec2", keys).describe_instances)


def test_IAM_14_kilns_own_calls_are_for_accounts(service):
    role = make_profile(service.client("iam"), "*")
    keys = keys_of(service, launch(service, role), role)

    def call(access_key, secret_key, token=None):
        request = awsrequest.AWSRequest("GET", service.endpoint + "/kiln/v1/operations")
        request.headers["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD"
        auth.SigV4Auth(credentials.Credentials(access_key, secret_key, token), "kiln", "us-east-1").add_auth(request)
        try:
            with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers)), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert call(service.access_key, service.secret_key)[0] == 200
    status, text = call(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    assert status == 403 and "AccessDenied" in text, (status, text)


def state(kiln, instance):
    (found,) = kiln.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    return found["Instances"][0]["State"]["Name"]


if __name__ == "__main__":
    kiln_test.main()
