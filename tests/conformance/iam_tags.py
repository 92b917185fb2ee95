#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tags of roles, users and instance profiles after these were made, as Terraform changes them, and policies that look at them."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.policies import TRUST, allow, document, name  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


class Kind:
    """A new role, user or instance profile with the tag first=1, and its operations."""

    def __init__(self, iam, noun, member, **needs):
        self.member, self.name = member, name()
        self.tag, self.untag, self.get = (getattr(iam, f"{verb}_{noun}") for verb in ("tag", "untag", "get"))
        self.listed = getattr(iam, f"list_{noun}_tags")
        getattr(iam, f"create_{noun}")(**self.who, **needs, Tags=[{"Key": "first", "Value": "1"}])

    @property
    def who(self):
        return {self.member: self.name}

    def tags(self, **page):
        return {tag["Key"]: tag["Value"] for tag in self.listed(**self.who, **page)["Tags"]}

    def shown(self):
        (thing,) = (value for name, value in self.get(**self.who).items() if name != "ResponseMetadata")
        return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def kinds(iam):
    return (Kind(iam, "role", "RoleName", AssumeRolePolicyDocument=TRUST), Kind(iam, "user", "UserName"), Kind(iam, "instance_profile", "InstanceProfileName"))


def test_IAM_29_tags_are_added_replaced_and_taken_off(service):
    for kind in kinds(service.client("iam")):
        kind.tag(**kind.who, Tags=[{"Key": "Team", "Value": "red"}, {"Key": "empty", "Value": ""}])
        assert kind.tags() == kind.shown() == {"first": "1", "Team": "red", "empty": ""}, kind.tags()
        kind.tag(**kind.who, Tags=[{"Key": "team", "Value": "blue"}])  # keys differ in more than their case
        assert kind.tags() == {"first": "1", "team": "blue", "empty": ""}, kind.tags()
        kind.untag(**kind.who, TagKeys=["first", "nothing", "EMPTY"])
        assert kind.tags() == kind.shown() == {"team": "blue"}, kind.tags()


def test_IAM_29_lists_come_in_pages(service):
    for kind in kinds(service.client("iam")):
        kind.tag(**kind.who, Tags=[{"Key": f"key {number:02}/:", "Value": str(number)} for number in range(49)])
        seen, marker = {}, {}
        while True:
            page = kind.listed(**kind.who, MaxItems=20, **marker)
            seen |= {tag["Key"]: tag["Value"] for tag in page["Tags"]}
            if not page["IsTruncated"]:
                break
            marker = {"Marker": page["Marker"]}
        assert seen == kind.tags() and len(seen) == 50, seen
        expect("LimitExceeded", kind.tag, **kind.who, Tags=[{"Key": "one more", "Value": ""}])
        assert len(kind.tags()) == 50


def test_IAM_29_mistakes(service):
    for kind in kinds(service.client("iam")):
        nobody = {kind.member: "nobody"}
        expect("NoSuchEntity", kind.tag, **nobody, Tags=[{"Key": "a", "Value": "b"}])
        expect("NoSuchEntity", kind.untag, **nobody, TagKeys=["a"])
        expect("NoSuchEntity", kind.listed, **nobody)
        expect("InvalidInput", kind.tag, **kind.who, Tags=[{"Key": "aws:a", "Value": "b"}])
        expect("InvalidInput", kind.tag, **kind.who, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}])
        expect("MissingParameter", kind.untag, **kind.who, TagKeys=[])
        assert kind.tags() == {"first": "1"}


def test_IAM_29_policies_look_at_tags_that_come_and_go(service):
    iam = service.client("iam")
    role, user = Kind(iam, "role", "RoleName", AssumeRolePolicyDocument=TRUST), Kind(iam, "user", "UserName")
    team_alone = {"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}
    statements = [
        allow("iam:TagRole", StringEquals={"aws:RequestTag/team": ["red", "blue"]}, **team_alone),
        allow("iam:UntagRole", **team_alone),
        allow("iam:ListRoleTags", StringEquals={"aws:ResourceTag/team": "blue"}),
    ]
    iam.put_user_policy(UserName=user.name, PolicyName="p", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=user.name)["AccessKey"]
    theirs = service.client("iam", None, key["AccessKeyId"], key["SecretAccessKey"])
    theirs.tag_role(RoleName=role.name, Tags=[{"Key": "team", "Value": "red"}])
    expect("AccessDenied", theirs.tag_role, RoleName=role.name, Tags=[{"Key": "team", "Value": "green"}])
    expect("AccessDenied", theirs.tag_role, RoleName=role.name, Tags=[{"Key": "team", "Value": "red"}, {"Key": "more", "Value": ""}])
    expect("AccessDenied", theirs.list_role_tags, RoleName=role.name)
    theirs.tag_role(RoleName=role.name, Tags=[{"Key": "team", "Value": "blue"}])
    assert len(theirs.list_role_tags(RoleName=role.name)["Tags"]) == 2
    expect("AccessDenied", theirs.untag_role, RoleName=role.name, TagKeys=["first"])
    expect("AccessDenied", theirs.tag_user, UserName=user.name, Tags=[{"Key": "team", "Value": "blue"}])
    theirs.untag_role(RoleName=role.name, TagKeys=["team"])
    assert role.tags() == {"first": "1"}


if __name__ == "__main__":
    kiln_test.main()
