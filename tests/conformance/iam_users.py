#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Users with boto3 and aws: their keys sign requests, their policies say what they may do, and another account sees nothing of them."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import AwsError  # noqa: E402
from kiln_test.policies import User, allow, name, policy  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def test_IAM_23_users_are_made_listed_and_deleted(service):
    iam, path = service.client("iam"), f"/{name()}/"
    names = sorted(name() for _ in range(3))
    for user in names:
        made = iam.create_user(UserName=user, Path=path, Tags=[{"Key": "team", "Value": "a b"}])["User"]
        assert made["Arn"] == f"arn:aws:iam::{service.number}:user{path}{user}" and made["UserId"].startswith("AIDA") and len(made["UserId"]) == 21
        assert iam.get_user(UserName=user)["User"] == made and made["Tags"] == [{"Key": "team", "Value": "a b"}]
    assert [user["UserName"] for user in iam.list_users(PathPrefix=path)["Users"]] == names
    first = iam.list_users(PathPrefix=path, MaxItems=2)
    assert first["IsTruncated"] and [user["UserName"] for user in first["Users"]] == names[:2]
    assert [user["UserName"] for user in iam.list_users(PathPrefix=path, Marker=first["Marker"])["Users"]] == names[2:]
    expect("EntityAlreadyExists", iam.create_user, UserName=names[0].upper())
    other = service.account("stranger").client("iam")
    expect("NoSuchEntity", other.get_user, UserName=names[0])
    expect("NoSuchEntity", other.create_access_key, UserName=names[0])
    assert names[0] not in [user["UserName"] for user in other.list_users()["Users"]]
    for user in names:
        iam.delete_user(UserName=user)
        expect("NoSuchEntity", iam.get_user, UserName=user)
    made = service.aws("iam", "create-user", "--user-name", names[0])["User"]
    assert service.aws("iam", "get-user", "--user-name", names[0])["User"]["UserId"] == made["UserId"]
    service.aws("iam", "delete-user", "--user-name", names[0])
    try:
        service.aws("iam", "get-user", "--user-name", names[0])
        raise AssertionError("the user is still there")
    except AwsError as error:
        assert error.code == "NoSuchEntity" and names[0] in error.message


def test_IAM_23_bad_users_are_refused(service):
    iam = service.client("iam")
    for bad in ("a b", "x" * 65, "ä", "a/b"):
        expect("ValidationError", iam.create_user, UserName=bad)
    expect("ValidationError", iam.create_user, UserName=name(), Path="a/")
    expect("UnsupportedOperation", iam.create_user, UserName=name(), PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    expect("InvalidInput", iam.create_user, UserName=name(), Tags=[{"Key": "aws:x", "Value": "y"}])
    expect("NoSuchEntity", iam.delete_user, UserName=name())
    expect("NoSuchEntity", iam.put_user_policy, UserName=name(), PolicyName="p", PolicyDocument=policy("ec2:*"))


def test_IAM_23_policies_of_a_user(service):
    iam, user = service.client("iam"), name()
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="b", PolicyDocument=policy("ec2:Describe*"))
    iam.put_user_policy(UserName=user, PolicyName="a", PolicyDocument=policy("ssm:*"))
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == ["a", "b"]
    assert iam.get_user_policy(UserName=user, PolicyName="a")["PolicyDocument"] == json.loads(policy("ssm:*"))
    expect("MalformedPolicyDocument", iam.put_user_policy, UserName=user, PolicyName="c", PolicyDocument='{"Statement":[]}')
    long = policy(*[f"ec2:{'x' * 60}{number}" for number in range(40)])
    expect("LimitExceeded", iam.put_user_policy, UserName=user, PolicyName="c", PolicyDocument=long)
    expect("DeleteConflict", iam.delete_user, UserName=user)
    for one in ("a", "b"):
        iam.delete_user_policy(UserName=user, PolicyName=one)
    expect("NoSuchEntity", iam.delete_user_policy, UserName=user, PolicyName="a")
    expect("NoSuchEntity", iam.get_user_policy, UserName=user, PolicyName="a")
    iam.delete_user(UserName=user)


def test_IAM_24_a_user_signs_and_may_do_what_its_policies_allow(service):
    user = User(service, allow("ec2:DescribeImages"))
    assert user.client("sts").get_caller_identity()["Arn"] == user.made["Arn"]
    assert user.client("sts").get_caller_identity()["UserId"] == user.made["UserId"]
    ec2 = user.client("ec2")
    assert ec2.describe_images(ImageIds=[service.image])["Images"][0]["OwnerId"] == service.number
    message = expect("UnauthorizedOperation", ec2.describe_instances)
    assert user.made["Arn"] in message and "ec2:DescribeInstances" in message
    expect("AccessDenied", user.client("iam").list_users)
    expect("AccessDeniedException", user.client("ssm").get_parameter, Name="x")
    expect("UnauthorizedOperation", ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1, DryRun=True)
    user.may(allow(["ec2:Describe*", "iam:GetUser"]))  # holds from the next call on
    ec2.describe_instances()
    user.iam.put_user_policy(UserName=user.name, PolicyName="denied", PolicyDocument=policy("ec2:DescribeInstances", effect="Deny"))
    assert "explicit deny" in expect("UnauthorizedOperation", ec2.describe_instances)
    told = user.client("iam").get_user()["User"]
    assert (told["UserName"], told["Arn"]) == (user.name, user.made["Arn"])
    done = service.run("account", "create", "--name", "no", check=False, keys=user.pair)
    assert done.returncode != 0 and "keys of an account" in done.stderr, done.stderr


def test_IAM_25_keys_come_and_go(service):
    iam, user = service.client("iam"), User(service, allow("ec2:DescribeRegions"))
    second = iam.create_access_key(UserName=user.name)["AccessKey"]
    assert second["Status"] == "Active" and second["UserName"] == user.name and len(second["SecretAccessKey"]) == 40
    expect("LimitExceeded", iam.create_access_key, UserName=user.name)
    listed = iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {user.pair[0], second["AccessKeyId"]}
    assert all("SecretAccessKey" not in key and key["UserName"] == user.name for key in listed)
    expect("DeleteConflict", iam.delete_user, UserName=user.name)
    user.client("ec2").describe_regions()
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.pair[0])
    expect("AuthFailure", user.client("ec2").describe_regions)
    expect("NoSuchEntity", iam.delete_access_key, UserName=user.name, AccessKeyId=user.pair[0])
    service.client("ec2", None, second["AccessKeyId"], second["SecretAccessKey"]).describe_regions()
    other = User(service)
    expect("NoSuchEntity", iam.delete_access_key, UserName=user.name, AccessKeyId=other.pair[0])
    expect("NoSuchEntity", iam.delete_access_key, AccessKeyId=other.pair[0])
    service.restart()
    service.client("ec2", None, second["AccessKeyId"], second["SecretAccessKey"]).describe_regions()


def test_IAM_25_a_user_turns_its_own_keys_over(service):
    user = User(service, allow("iam:*AccessKey*"))
    mine = user.client("iam")
    made = mine.create_access_key()["AccessKey"]
    assert made["UserName"] == user.name
    assert {key["AccessKeyId"] for key in mine.list_access_keys()["AccessKeyMetadata"]} == {user.pair[0], made["AccessKeyId"]}
    mine.delete_access_key(AccessKeyId=user.pair[0])
    assert len(user.iam.list_access_keys(UserName=user.name)["AccessKeyMetadata"]) == 1


def test_IAM_25_an_account_keeps_one_key_of_its_own(service):
    account = service.account("keys")
    iam = account.client("iam")
    expect("DeleteConflict", iam.delete_access_key, AccessKeyId=account.access_key)
    made = iam.create_access_key()["AccessKey"]
    assert "UserName" not in made
    expect("LimitExceeded", iam.create_access_key)
    iam.delete_access_key(AccessKeyId=account.access_key)
    expect("InvalidClientTokenId", iam.list_access_keys)
    fresh = service.client("iam", None, made["AccessKeyId"], made["SecretAccessKey"])
    assert [key["AccessKeyId"] for key in fresh.list_access_keys()["AccessKeyMetadata"]] == [made["AccessKeyId"]]
    root = fresh.get_user()["User"]
    assert root["Arn"] == f"arn:aws:iam::{account.id}:root" and root["UserId"] == account.id


if __name__ == "__main__":
    kiln_test.main()
