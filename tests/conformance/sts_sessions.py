#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Temporary keys with boto3 and aws: roles that accounts, users and roles take, within an account and from another; external ids and
session policies; sessions of users and accounts; what each may not do."""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import boto3  # noqa: E402
import botocore.config  # noqa: E402
import kiln_test  # noqa: E402
from kiln_test.policies import document, name, policy, trust, with_keys  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        kiln.other = kiln.account("other")
        yield kiln


def make_role(kiln, *statements, actions=("ec2:DescribeRegions",), **more):
    """The ARN of a role that those may take whom the statements trust."""
    iam, role = kiln.client("iam"), name()
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(*statements), **more)["Role"]
    iam.put_role_policy(RoleName=role, PolicyName="allowed", PolicyDocument=policy(*actions))
    return made["Arn"]


def make_user(kiln, *actions):
    """A client of sts with a new user's keys, and the user's ARN."""
    iam, user = kiln.client("iam"), name()
    made = iam.create_user(UserName=user)["User"]
    if actions:
        iam.put_user_policy(UserName=user, PolicyName="allowed", PolicyDocument=policy(*actions))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return kiln.client("sts", None, key["AccessKeyId"], key["SecretAccessKey"]), made["Arn"]


def client_that_sends_anything(kiln):
    """boto3 itself refuses what is too short."""
    config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}, parameter_validation=False)
    return boto3.session.Session().client(
        "sts", region_name=kiln.region, endpoint_url=kiln.endpoint, config=config, aws_access_key_id=kiln.access_key, aws_secret_access_key=kiln.secret_key
    )


def take(client, role, **more):
    return client.assume_role(RoleArn=role, RoleSessionName="test", **more)


def refused(client, role, **more):
    return expect("AccessDenied", take, client=client, role=role, **more)


def seconds_left(keys):
    return (keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_IAM_17_keys_of_a_role_are_the_roles(service):
    role = make_role(service, trust(service.number), Path="/team/")
    answer = take(service.client("sts"), role)
    keys, bare = answer["Credentials"], role.rsplit("/", 1)[1]
    arn = f"arn:aws:sts::{service.number}:assumed-role/{bare}/test"
    assert answer["AssumedRoleUser"]["Arn"] == arn and answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":test")
    assert keys["AccessKeyId"].startswith("ASIA") and 3590 < seconds_left(keys) < 3601 and "PackedPolicySize" not in answer
    told = with_keys(service, keys, "sts").get_caller_identity()
    assert (told["Arn"], told["UserId"], told["Account"]) == (arn, answer["AssumedRoleUser"]["AssumedRoleId"], service.number)
    with_keys(service, keys, "ec2").describe_regions()
    message = expect("UnauthorizedOperation", with_keys(service, keys, "ec2").describe_images)
    assert arn in message and "no identity-based policy allows" in message
    expect("AuthFailure", service.client("ec2", None, keys["AccessKeyId"], keys["SecretAccessKey"]).describe_regions)
    service.restart()
    with_keys(service, keys, "ec2").describe_regions()
    cli = service.aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "cli", "--duration-seconds", "900")
    assert cli["AssumedRoleUser"]["Arn"].endswith(f"/{bare}/cli")


def test_IAM_17_users_need_the_trust_and_where_it_is_not_by_name_a_policy(service):
    anybody, arn = make_user(service)
    of_account, by_name = make_role(service, trust(service.number)), make_role(service, trust(arn))
    message = refused(anybody, of_account)
    assert message == f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {of_account}"
    take(anybody, by_name)
    allowed, other = make_user(service, "sts:AssumeRole")
    take(allowed, of_account)
    refused(allowed, by_name)
    refused(allowed, make_role(service, trust(service.number), trust(other, "Deny")))
    iam = service.client("iam")
    iam.put_user_policy(UserName=arn.rsplit("/", 1)[1], PolicyName="no", PolicyDocument=policy("sts:*", effect="Deny"))
    refused(anybody, by_name)
    root = f"arn:aws:iam::{service.number}:root"
    take(allowed, make_role(service, trust(root)))
    take(allowed, make_role(service, trust("*")))
    take(allowed, make_role(service, trust(["123456789012", root])))


def test_IAM_17_another_account_needs_both_sides(service):
    stranger = service.account("stranger")
    sts = service.other.client("sts")
    role = make_role(service, trust(service.other.id), actions=("ec2:DescribeInstances",))
    keys = take(sts, role)["Credentials"]
    assert with_keys(service, keys, "sts").get_caller_identity()["Account"] == service.number
    with_keys(service, keys, "ec2").describe_instances()
    refused(stranger.client("sts"), role)
    refused(stranger.client("sts"), f"arn:aws:iam::{service.number}:role/nobody")  # the same as for one that is there
    iam, user = service.other.client("iam"), name()
    made = iam.create_user(UserName=user)["User"]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    theirs = service.client("sts", None, key["AccessKeyId"], key["SecretAccessKey"])
    named = make_role(service, trust(made["Arn"]))
    refused(theirs, named)
    iam.put_user_policy(UserName=user, PolicyName="yes", PolicyDocument=policy("sts:AssumeRole"))
    take(theirs, named)
    take(theirs, role)
    expect("NoSuchEntity", service.other.client("iam").get_role, RoleName=role.rsplit("/", 1)[1])


def test_IAM_19_conditions_of_a_trust_policy(service):
    sts = service.other.client("sts")
    equals = {"Condition": {"StringEquals": {"sts:ExternalId": ["secret-1", "secret-2"]}}}
    role = make_role(service, trust(service.other.id, **equals))
    refused(sts, role)
    refused(sts, role, ExternalId="secret")
    take(sts, role, ExternalId="secret-2")
    unless = {"Condition": {"StringNotEquals": {"sts:ExternalId": "secret"}}}
    denied = make_role(service, trust(service.other.id), trust("*", "Deny", **unless))
    refused(sts, denied)
    take(sts, denied, ExternalId="secret")
    named = make_role(service, trust(service.other.id, Condition={"StringLike": {"sts:RoleSessionName": "te*", "aws:PrincipalArn": "*:root"}}))
    take(sts, named)
    expect("AccessDenied", sts.assume_role, RoleArn=named, RoleSessionName="other")
    iam = service.client("iam")

    def bad(statement):
        text = json.dumps({"Statement": [statement]})
        expect("MalformedPolicyDocument", iam.create_role, RoleName=name(), AssumeRolePolicyDocument=text)

    bad(trust("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    bad(trust("*", Condition={"StringEquals": {"aws:SourceIp": "x"}}))
    bad({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}, **equals})
    bad({"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "*"}})
    user = name()
    iam.create_user(UserName=user)
    expect("MalformedPolicyDocument", iam.put_user_policy, UserName=user, PolicyName="p", PolicyDocument=policy("ec2:*", **equals))


def test_IAM_18_how_long_keys_last(service):
    sts, role = service.client("sts"), make_role(service, trust("*"), MaxSessionDuration=7200, actions=("sts:AssumeRole",))
    assert 890 < seconds_left(take(sts, role, DurationSeconds=900)["Credentials"]) < 901
    keys = take(sts, role, DurationSeconds=7200)["Credentials"]
    assert 7190 < seconds_left(keys) < 7201
    unchecked = client_that_sends_anything(service)
    for seconds in (899, 43201):
        expect("ValidationError", take, client=unchecked, role=role, DurationSeconds=seconds)
    assert "MaxSessionDuration" in expect("ValidationError", take, client=sts, role=role, DurationSeconds=7201)
    chained = with_keys(service, keys, "sts")
    second = make_role(service, trust(role), MaxSessionDuration=7200)
    assert "1 hour" in expect("ValidationError", take, client=chained, role=second, DurationSeconds=3601)
    assert 3590 < seconds_left(take(chained, second, DurationSeconds=3600)["Credentials"]) < 3601


def test_IAM_17_roles_take_roles(service):
    first = make_role(service, trust("*"), actions=("ec2:DescribeRegions",))
    bare = first.rsplit("/", 1)[1]
    chained = with_keys(service, take(service.client("sts"), first)["Credentials"], "sts")
    session = f"arn:aws:sts::{service.number}:assumed-role/{bare}/test"
    take(chained, make_role(service, trust(first)))
    take(chained, make_role(service, trust(session)))
    refused(chained, make_role(service, trust(session + "x")))
    refused(chained, make_role(service, trust(service.number)))  # needs a policy too


def test_IAM_21_a_session_policy_takes_away_and_never_gives(service):
    sts, role = service.client("sts"), make_role(service, trust("*"), actions=("ec2:Describe*", "sts:AssumeRole"))
    answer = take(sts, role, Policy=policy("ec2:DescribeRegions", "ec2:RunInstances"))
    assert 0 < answer["PackedPolicySize"] <= 100
    ec2 = with_keys(service, answer["Credentials"], "ec2")
    ec2.describe_regions()
    assert "no session policy allows" in expect("UnauthorizedOperation", ec2.describe_images)
    assert "no identity-based policy allows" in expect("UnauthorizedOperation", ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1, DryRun=True)
    refused(with_keys(service, answer["Credentials"], "sts"), make_role(service, trust(role)))
    longest = policy("ec2:DescribeRegions", *[f"ec2:{'x' * 40}{number}" for number in range(30)])
    assert 1500 < len(longest) <= 2048
    keys = take(sts, role, Policy=longest)["Credentials"]
    with_keys(service, keys, "ec2").describe_regions()
    expect("MalformedPolicyDocument", take, client=sts, role=role, Policy="{}")
    expect("PackedPolicyTooLarge", take, client=sts, role=role, Policy=policy(*[f"ec2:{'x' * 40}{number}" for number in range(45)]))


def test_IAM_22_keys_end_with_their_role_and_a_changed_token_is_none(service):
    role = make_role(service, trust("*"))
    keys = take(service.client("sts"), role)["Credentials"]
    with_keys(service, keys, "ec2").describe_regions()
    middle = len(keys["SessionToken"]) // 2
    changed = dict(keys, SessionToken=keys["SessionToken"][:middle] + ("A" if keys["SessionToken"][middle] != "A" else "B") + keys["SessionToken"][middle + 1 :])
    expect("AuthFailure", with_keys(service, changed, "ec2").describe_regions)
    another = take(service.client("sts"), make_role(service, trust("*")))["Credentials"]
    expect("AuthFailure", with_keys(service, dict(keys, SessionToken=another["SessionToken"]), "ec2").describe_regions)
    iam, bare = service.client("iam"), role.rsplit("/", 1)[1]
    iam.delete_role_policy(RoleName=bare, PolicyName="allowed")
    expect("UnauthorizedOperation", with_keys(service, keys, "ec2").describe_regions)
    iam.delete_role(RoleName=bare)
    expect("AuthFailure", with_keys(service, keys, "ec2").describe_regions)
    expect("InvalidClientTokenId", with_keys(service, keys, "sts").get_caller_identity)


def test_IAM_20_sessions_of_accounts_and_users(service):
    sts = service.client("sts")
    keys = sts.get_session_token()["Credentials"]
    assert 3590 < seconds_left(keys) < 3601
    assert 3590 < seconds_left(sts.get_session_token(DurationSeconds=43200)["Credentials"]) < 3601  # an account's last an hour
    assert with_keys(service, keys, "sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{service.number}:root"
    with_keys(service, keys, "ec2").describe_images()
    expect("AccessDenied", with_keys(service, keys, "iam").list_users)
    expect("AccessDenied", with_keys(service, keys, "sts").get_session_token)
    expect("AccessDenied", with_keys(service, keys, "sts").get_access_key_info, AccessKeyId=keys["AccessKeyId"])
    take(with_keys(service, keys, "sts"), make_role(service, trust(service.number)))
    user, arn = make_user(service, "ec2:DescribeRegions", "iam:*")
    keys = user.get_session_token()["Credentials"]
    assert 43190 < seconds_left(keys) < 43201
    assert with_keys(service, keys, "sts").get_caller_identity()["Arn"] == arn
    with_keys(service, keys, "ec2").describe_regions()
    expect("UnauthorizedOperation", with_keys(service, keys, "ec2").describe_images)
    expect("AccessDenied", with_keys(service, keys, "iam").list_users)
    for seconds in (899, 129601):
        expect("ValidationError", client_that_sends_anything(service).get_session_token, DurationSeconds=seconds)
    expect("UnsupportedOperation", user.get_session_token, SerialNumber="arn:aws:iam::123456789012:mfa/x", TokenCode="123456")
    iam, bare = service.client("iam"), arn.rsplit("/", 1)[1]
    iam.delete_user_policy(UserName=bare, PolicyName="allowed")
    for key in iam.list_access_keys(UserName=bare)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=bare, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=bare)
    expect("AuthFailure", with_keys(service, keys, "ec2").describe_regions)
    role = make_role(service, trust("*"), actions=("sts:*",))
    expect("AccessDenied", with_keys(service, take(sts, role)["Credentials"], "sts").get_session_token)


def test_IAM_20_whose_a_key_is(service):
    sts = service.client("sts")
    assert sts.get_access_key_info(AccessKeyId=service.other.access_key)["Account"] == service.other.id
    expect("AccessDenied", sts.get_access_key_info, AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    expect("ValidationError", sts.get_access_key_info, AccessKeyId="AKIA-not-a-key-id-x")


def test_IAM_34_tags_of_sessions(service):
    sts, iam = service.client("sts"), service.client("iam")
    tags = [{"Key": "Team", "Value": "blue"}, {"Key": "stage", "Value": "test"}]
    untagged = make_role(service, trust(service.number))
    assert "sts:TagSession" in refused(sts, untagged, Tags=tags)
    both = {"Action": ["sts:AssumeRole", "sts:TagSession"]}
    mine = policy("ec2:CreateTags", "sts:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}})
    role = make_role(service, trust(service.number) | both, Tags=[{"Key": "team", "Value": "red"}, {"Key": "stage", "Value": "live"}])
    iam.put_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyName="allowed", PolicyDocument=mine)
    plain = with_keys(service, take(sts, role)["Credentials"], "ec2")
    expect("UnauthorizedOperation", plain.create_tags, Resources=[service.image], Tags=[{"Key": "a", "Value": "b"}])
    answer = take(sts, role, Tags=tags, TransitiveTagKeys=["team"])
    assert 0 < answer["PackedPolicySize"] < 5
    with_keys(service, answer["Credentials"], "ec2").create_tags(Resources=[service.image], Tags=[{"Key": "a", "Value": "b"}])
    # A transitive one goes on to the next session, and is not to be given anew there.
    chained = with_keys(service, answer["Credentials"], "sts")
    second = take(chained, role)["Credentials"]
    with_keys(service, second, "ec2").create_tags(Resources=[service.image], Tags=[{"Key": "a", "Value": "c"}])
    expect("ValidationError", take, client=chained, role=role, Tags=[{"Key": "TEAM", "Value": "red"}])
    refused(chained, untagged)
    # The trust says which tags may be given.
    asked = {"Condition": {"StringEquals": {"aws:RequestTag/team": ["blue", "red"]}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}
    some = make_role(service, trust("*") | both | asked)
    take(sts, some, Tags=[{"Key": "team", "Value": "red"}])
    refused(sts, some, Tags=[{"Key": "team", "Value": "green"}])
    refused(sts, some, Tags=[{"Key": "team", "Value": "red"}, {"Key": "x", "Value": "y"}])
    refused(sts, some)
    expect("PackedPolicyTooLarge", take, client=sts, role=role, Tags=[{"Key": f"k{number}", "Value": "x" * 256} for number in range(8)])


def test_IAM_17_bad_requests_are_refused(service):
    sts, role = service.client("sts"), make_role(service, trust("*"))
    for arn in ("role/x-is-no-arn-at-all", f"arn:aws:iam::{service.number}:user/somebody", "arn:aws:iam::1234:role/somebody", f"arn:aws:iam::{service.number}:role/"):
        expect("ValidationError", take, client=sts, role=arn)
    expect("AccessDenied", take, client=sts, role=role.replace(":role/", ":role/elsewhere/"))
    for session in ("a b", "x" * 65, "a/b"):
        expect("ValidationError", sts.assume_role, RoleArn=role, RoleSessionName=session)
    expect("ValidationError", take, client=sts, role=role, ExternalId="a b")
    for more in ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}, {"SourceIdentity": "somebody"}):
        expect("UnsupportedOperation", take, client=sts, role=role, **more)
    expect("ValidationError", take, client=sts, role=role, TransitiveTagKeys=["a"])


if __name__ == "__main__":
    kiln_test.main()
