# SPDX-License-Identifier: Apache-2.0
"""Policies as tests of IAM and STS write them, and users who have them."""

import json
import uuid

VERSION = "2012-10-17"
ZONE = "us-east-1a"


def name():
    """A name that nothing else has."""
    return "n" + uuid.uuid4().hex[:20]


def allow(action, resource="*", effect="Allow", **condition):
    """A statement; `condition`: operator={key: value}."""
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def deny(action, resource="*", **condition):
    return allow(action, resource, "Deny", **condition)


def trust(principal, effect="Allow", **more):
    """A statement of a trust policy. `principal`: a dictionary, "*", or ARNs or numbers of accounts."""
    who = principal if principal == "*" or isinstance(principal, dict) else {"AWS": principal}
    return {"Effect": effect, "Action": "sts:AssumeRole", "Principal": who, **more}


def document(*statements, version=VERSION):
    return json.dumps({"Version": version, "Statement": list(statements)})


def policy(*actions, effect="Allow", **more):
    """The document with one statement about these actions on everything; `more`: other members of it."""
    return document({**allow(list(actions), effect=effect), **more})


# Of a role for instances; a single statement needs no list.
TRUST = json.dumps({"Version": VERSION, "Statement": trust({"Service": "ec2.amazonaws.com"})})


def arn(kind, called="*", account="*"):
    """Of something of EC2 in any region."""
    return f"arn:aws:ec2:*:{account}:{kind}/{called}"


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def volume(ec2, size=1, **tags):
    more = {"TagSpecifications": [{"ResourceType": "volume", "Tags": tag_list(tags)}]} if tags else {}
    return ec2.create_volume(AvailabilityZone=ZONE, Size=size, **more)["VolumeId"]


def with_keys(kiln, keys, service, region=None):
    """A boto3 client with temporary keys, as STS answers them."""
    return kiln.client(service, region, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


class User:
    """A user with a key, tags and one policy; without statements it has none. `made` is the answer of CreateUser."""

    def __init__(self, kiln, *statements, **tags):
        self.kiln, self.iam, self.name = kiln, kiln.client("iam"), name()
        self.made = self.iam.create_user(UserName=self.name, **({"Tags": tag_list(tags)} if tags else {}))["User"]
        self.id = self.made["UserId"]
        if statements:
            self.may(*statements)
        key = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.pair = key["AccessKeyId"], key["SecretAccessKey"]

    def may(self, *statements, version=VERSION):
        """This and nothing else, from the next call on."""
        self.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=document(*statements, version=version))

    def client(self, service="ec2"):
        return self.kiln.client(service, None, *self.pair)
