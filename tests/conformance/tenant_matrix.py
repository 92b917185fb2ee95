#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The tenant matrix: every operation that is built, asked for by the owner of what it names, by an account it is shared with, by
one that may use it because it is public, by members of an organization and of a unit that the image is shared with, by a stranger,
from another region, by a user of the owner's whom no policy allows anything, by nobody, with a signature of an hour ago, and with
keys whose time is over.

Who may not know of a thing gets the answer, to the letter, that the same request gets for ids of nothing; and no answer to
anybody holds an id, a name or a tag of the owner's that was not given to them. An operation without a row here fails the test
(tests/lib/kiln_test/tenant_rows.py)."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import clock  # noqa: E402
from kiln_test.calls import Signer, call, status_line  # noqa: E402
from kiln_test.tenant_rows import ABSENT, DONE, ROWS  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
TAG = "tag-of-the-owner"
BLOCK = b"matrix..".ljust(8) * 65536
READS = ("Describe", "Get", "List")
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "*"}]}
NOTHING = {
    "image": "ami-0fedcba9876543210", "snapshot": "snap-0fedcba9876543210", "loose": "snap-0fedcba9876543211", "upload": "snap-0fedcba9876543212",
    "volume": "vol-0fedcba9876543210", "instance": "i-0fedcba9876543210", "template": "lt-0fedcba9876543210", "template_name": "template-of-nobody",
    "key": "key-0fedcba9876543210", "key_name": "key-of-nobody", "group": "sg-0fedcba9876543210", "rule": "sgr-0fedcba9876543210",
    "egress": "sgr-0fedcba9876543211", "vpc": "vpc-0fedcba9876543210", "subnet": "subnet-0fedcba9876543210", "interface": "eni-0fedcba9876543210",
    "gateway": "igw-0fedcba9876543210", "table": "rtb-0fedcba9876543210", "acl": "acl-0fedcba9876543210", "dhcp": "dopt-0fedcba9876543210",
    "role": "role-of-nobody", "standing": "profile-of-nobody", "user": "user-of-nobody", "keyed": "keyed-of-nobody", "user_key": "AKIAZZZZZZZZZZZZZZZZ",
    "association": "iip-assoc-0fedcba9876543210", "report": "amiur-0fedcba9876543210", "parameter": "/parameter/of/nobody", "profile": "profile-of-nobody", "tag": "tag-of-nobody",
}  # fmt: skip
TAGGED = ("loose", "upload", "volume", "instance", "template", "key", "group", "rule", "vpc", "subnet", "interface", "gateway", "table", "acl", "dhcp")
# What each service calls it: no signature, one of an hour ago, a key that nobody has.
NOT_SIGNED = {"*": "MissingAuthenticationToken"}
TOO_LATE = {"*": "RequestExpired", "ebs": "InvalidSignatureException"}
UNKNOWN_KEY = {"ec2": "AuthFailure", "iam": "InvalidClientTokenId", "sts": "InvalidClientTokenId", "*": "UnrecognizedClientException"}
# A user without a policy (IAM-5), and keys that were good once (IAM-11).
NOT_ALLOWED = {"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "sts": "AccessDenied", "*": "AccessDeniedException"}
OVER = {"ec2": "RequestExpired", "iam": "ExpiredToken", "sts": "ExpiredToken", "*": "ExpiredTokenException"}
ALWAYS = ("GetCallerIdentity", "GetSessionToken")  # IAM-5, IAM-20
MANAGEMENT, NUMBER, OUTER, INNER = "900000000001", "o-a1b2c3d4e5", "ou-ab12-11111111", "ou-ab12-22222222"
ORGANIZATION = f"arn:aws:organizations::{MANAGEMENT}:organization/{NUMBER}"
UNIT = f"arn:aws:organizations::{MANAGEMENT}:ou/{NUMBER}/{OUTER}"
# Whatever is different in two answers to the same request.
PASSING = re.compile(r"<(request[iI]d|RequestI[dD])>[^<]*</\1>|\"x-amzn-RequestId\": *\"[^\"]*\"|<(currentTime|requestTime)>[^<]*<|(?<=Encoded authorization failure message: )[A-Za-z0-9+/=]+")


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        daemon.owner = Owner(daemon)
        daemon.shared, daemon.public, daemon.stranger = (daemon.account(name) for name in ("friend", "anybody", "stranger"))
        member = ("--organization", NUMBER, "--management-account", MANAGEMENT)
        daemon.organization, daemon.unit = daemon.account("member", *member), daemon.account("nested", *member, "--units", f"{OUTER}/{INNER}")
        for name, permission in (("shared", {"UserId": daemon.shared.id}), ("public", {"Group": "all"})):
            share(daemon, name, permission)
            daemon.client("ec2").modify_snapshot_attribute(SnapshotId=daemon.owner.sets[name]["snapshot"], CreateVolumePermission={"Add": [permission]})
        share(daemon, "organization", {"OrganizationArn": ORGANIZATION})
        share(daemon, "unit", {"OrganizationalUnitArn": UNIT})
        yield daemon


def share(kiln, name, permission):
    kiln.client("ec2").modify_image_attribute(ImageId=kiln.owner.sets[name]["image"], LaunchPermission={"Add": [permission]})


class Owner:
    """The administrator's account and what it has: one of each kind; of images and snapshots a private one, a public one, and one
    for each way of sharing."""

    def __init__(self, kiln):
        self.kiln = kiln
        self.pair = (kiln.access_key, kiln.secret_key)
        self.id = kiln.client("sts").get_caller_identity()["Account"]
        self.ec2 = kiln.client("ec2")
        tags = [{"Key": "owner", "Value": TAG}]
        self.sets = {name: self._import(name) for name in ("private", "shared", "public", "organization", "unit")}
        self.things = self._network() | self._machine()
        self.machine = self.things["instance"]
        self.things |= self._others()
        tagged = [self.things[name] for name in TAGGED] + [value for pair in self.sets.values() for value in pair.values()]
        self.ec2.create_tags(Resources=tagged, Tags=tags)

    def _import(self, name):
        path = os.path.join(self.kiln.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(1 << 20))
        made = json.loads(self.kiln.run("import", path, "--name", f"image-of-the-owner-{name}", "--json").stdout)
        self.kiln.wait_stored(made["snapshotId"])
        return {"image": made["imageId"], "snapshot": made["snapshotId"]}

    def _network(self):
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = self.ec2.create_security_group(GroupName="group-of-the-owner", Description="of the owner")["GroupId"]
        allowed = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
        rule = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[allowed])["SecurityGroupRules"][0]
        egress = self.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[allowed])["SecurityGroupRules"][0]
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        records = {name: vpc.replace("vpc", prefix) for name, prefix in (("gateway", "igw"), ("table", "rtb"), ("acl", "acl"), ("dhcp", "dopt"))}
        return records | {"vpc": vpc, "group": group, "rule": rule["SecurityGroupRuleId"], "egress": egress["SecurityGroupRuleId"],
                "subnet": subnet["SubnetId"], "zone": subnet["AvailabilityZone"]}  # fmt: skip

    def _machine(self):
        key = self.ec2.create_key_pair(KeyName="key-of-the-owner")
        image, zone = self.sets["private"]["image"], self.ec2.describe_subnets()["Subnets"][0]
        run = {"ImageId": image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "SubnetId": zone["SubnetId"], "KeyName": "key-of-the-owner"}
        instance = self.ec2.run_instances(**run, UserData="data-of-the-owner")["Instances"][0]
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1})
        volume = self.ec2.create_volume(Size=1, AvailabilityZone=zone["AvailabilityZone"])["VolumeId"]
        self.ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})
        loose = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[loose], WaiterConfig={"Delay": 1})
        return {"key": key["KeyPairId"], "key_name": "key-of-the-owner", "instance": instance["InstanceId"], "volume": volume, "loose": loose,
                "interface": instance["NetworkInterfaces"][0]["NetworkInterfaceId"]}  # fmt: skip

    def _others(self):
        template = self.ec2.create_launch_template(LaunchTemplateName="template-of-the-owner", LaunchTemplateData={"ImageId": self.sets["private"]["image"], "InstanceType": "t3.nano"})
        self.ec2.create_launch_template_version(LaunchTemplateName="template-of-the-owner", LaunchTemplateData={"InstanceType": "t3.nano"})
        iam, ebs = self.kiln.client("iam"), self.kiln.client("ebs")
        iam.create_role(RoleName="role-of-the-owner", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="role-of-the-owner", PolicyName="matrix", PolicyDocument=json.dumps(POLICY))
        iam.create_instance_profile(InstanceProfileName="profile-of-the-owner")
        iam.add_role_to_instance_profile(InstanceProfileName="profile-of-the-owner", RoleName="role-of-the-owner")
        association = self.ec2.associate_iam_instance_profile(InstanceId=self.machine, IamInstanceProfile={"Name": "profile-of-the-owner"})
        for user in ("user-of-the-owner", "keyed-of-the-owner"):
            iam.create_user(UserName=user)
        iam.put_user_policy(UserName="user-of-the-owner", PolicyName="matrix", PolicyDocument=json.dumps(POLICY))
        self.kiln.client("ssm").put_parameter(Name="/parameter/of/the/owner", Value="value-of-the-owner", Type="String")
        report = kiln_test.query(self.kiln, "CreateImageUsageReport", {"ImageId": self.sets["private"]["image"], "ResourceType.1.ResourceType": "ec2:Instance"})
        snapshot = self.sets["private"]["snapshot"]
        return {
            "template": template["LaunchTemplate"]["LaunchTemplateId"], "template_name": "template-of-the-owner",
            "standing": "profile-of-the-owner", "user": "user-of-the-owner", "keyed": "keyed-of-the-owner", "parameter": "/parameter/of/the/owner", "report": report.texts("reportId")[0],
            "user_key": iam.create_access_key(UserName="keyed-of-the-owner")["AccessKey"]["AccessKeyId"],
            "association": association["IamInstanceProfileAssociation"]["AssociationId"],
            "role": "role-of-the-owner", "profile": "profile-of-the-owner", "tag": TAG,
            "block": ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"][0]["BlockToken"],
            "upload": ebs.start_snapshot(VolumeSize=1)["SnapshotId"],
        }  # fmt: skip

    def secrets(self, spared):
        """What nobody else may be told: ids, names, tags; but not those of the set that was given away."""
        given = {value for name in spared for value in self.sets[name].values()}
        secret = [value for name, value in self.things.items() if name not in ("zone", "block")]
        secret += [value for pair in self.sets.values() for value in pair.values()]
        secret += [TAG, "data-of-the-owner", "value-of-the-owner", "group-of-the-owner", "image-of-the-owner-private", *self.pair]
        return [value for value in secret if value not in given]


def constants():
    key = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
    return {
        "region": HERE, "public_key": base64.b64encode(key.encode()).decode(), "trust": json.dumps(TRUST), "policy": json.dumps(POLICY),
        "checksum": base64.b64encode(hashlib.sha256(BLOCK).digest()).decode(),
    }  # fmt: skip


def fill(value, things):
    if isinstance(value, list):
        return [fill(item, things) for item in value]
    if value == "{bytes}":
        return BLOCK
    return value.format(**things) if isinstance(value, str) else value


def ask(kiln, row, signer, things, dry_run=False):
    parameters = {name: fill(value, things) for name, value in row.parameters.items()}
    if dry_run:
        parameters["DryRun"] = "true"
    return call(kiln.endpoint, row.service, row.operation, parameters, signer)


def attempt(kiln, row, signer, things, dry):
    """Reads are done; what changes something is asked with DryRun where it can be, and in earnest only if that was refused."""
    if not dry or row.operation.startswith(READS):
        return ask(kiln, row, signer, things)
    first = ask(kiln, row, signer, things, dry_run=True)
    if first.code == "DryRunOperation":
        return types.SimpleNamespace(status=200, code="", message="", body="")
    second = ask(kiln, row, signer, things)
    assert (first.status, first.code) == (second.status, second.code), f"{row}: DryRun: {status_line(first)}; in earnest: {status_line(second)}"
    return second


def neutral(answer, things):
    """An answer without what differs from one request to the next, and with the names that were asked for put out of it."""
    text = PASSING.sub("", answer.body)
    for name in sorted(NOTHING, key=lambda name: -len(things[name])):
        text = text.replace(things[name], "{" + name + "}")
    return answer.status, answer.code, text


def dry_operations(kiln):
    listed = json.loads(kiln.run("operations", "--built", "--json").stdout)["operations"]
    built = {(entry["service"], entry["operation"]) for entry in listed}
    dry = {(entry["service"], entry["operation"]) for entry in listed if any(item["name"] == "DryRun" for item in entry["parameters"])}
    return built, dry


def things_for(kiln, account, which, nothing=False):
    things = constants() | kiln.owner.things | kiln.owner.sets[which]
    return things | {"caller": account.id, "owner": kiln.owner.id, "made": f"made-of-{which}"} | (NOTHING if nothing else {})


def check_all(kiln, who, account, signer, which, column):
    """Every row for one account: all that is wrong."""
    _, dry = dry_operations(kiln)
    given = {"shared": ["shared"], "organization": ["organization"], "unit": ["organization", "unit"]}.get(who, [])
    secrets, wrong = kiln.owner.secrets(given + (["public"] if column != "elsewhere" else [])), []
    for row in ROWS:
        if row.service == "iam" and column == "elsewhere":
            continue  # the same in every region
        takes_dry = (row.service, row.operation) in dry
        things, nothing = things_for(kiln, account, which), things_for(kiln, account, which, nothing=True)
        answer = attempt(kiln, row, signer, things, takes_dry)
        wanted = getattr(row, column)
        wanted = DONE if wanted == ABSENT and row.own else wanted
        if wanted == ABSENT:
            other = attempt(kiln, row, signer, nothing, takes_dry)
            if neutral(answer, things) != neutral(other, nothing):
                wrong.append(f"{row}: {status_line(answer)}; for what does not exist: {status_line(other)}")
        elif (answer.code or DONE) != wanted:
            wrong.append(f"{row}: {status_line(answer)}, expected {wanted}")
        asked = str(row.parameters.values())
        told = [secret for secret in secrets if secret in answer.body and not any(things.get(name) == secret for name in re.findall(r"{(\w+)}", asked))]
        if told:
            wrong.append(f"{row}: tells {told}")
    return wrong


def world(kiln):
    """All that the owner sees of its own."""
    reads = [row for row in ROWS if row.service in ("ec2", "iam") and row.operation.startswith(("Describe", "List")) and row.own]
    reads += [row for row in ROWS if row.operation in ("DescribeImageAttribute", "DescribeSnapshotAttribute", "DescribeInstanceAttribute")]
    things = things_for(kiln, kiln.owner, "shared")
    return [neutral(ask(kiln, row, Signer(kiln.owner.pair), things), things) for row in reads]


def test_every_operation_has_a_row(kiln):
    built, _ = dry_operations(kiln)
    rows = {(row.service, row.operation) for row in ROWS}
    assert built - rows == set(), f"without a row: {sorted(built - rows)}"
    assert rows - built == set(), f"not built: {sorted(rows - built)}"


def test_others_find_nothing_they_were_not_given_and_change_nothing(kiln):
    before, wrong = world(kiln), []
    for who, which, column in (
        ("stranger", "private", "stranger"),
        ("shared", "shared", "shared"),
        ("public", "public", "public"),
        ("organization", "organization", "member"),
        ("unit", "unit", "member"),
        ("unit", "organization", "member"),  # who is in a unit is in the organization
        ("organization", "unit", "stranger"),  # and not the other way round
    ):
        account = getattr(kiln, who)
        wrong += [f"{who}, of what is {which}: {line}" for line in check_all(kiln, who, account, Signer(account.pair), which, column)]
    wrong += [f"elsewhere: {line}" for line in check_all(kiln, "owner", kiln.owner, Signer(kiln.owner.pair, THERE), "private", "elsewhere")]
    assert not wrong, "\n".join(wrong)
    assert world(kiln) == before


def test_IAM_5_a_user_without_a_policy_may_do_nothing_and_learns_nothing(kiln):
    """In its owner's own account. The same, to the letter, for what is there and for what is not, with DryRun and without."""
    before, wrong = world(kiln), []
    iam = kiln.client("iam")
    arn = iam.create_user(UserName="bare")["User"]["Arn"]
    key = iam.create_access_key(UserName="bare")["AccessKey"]
    signer, (_, dry) = Signer((key["AccessKeyId"], key["SecretAccessKey"])), dry_operations(kiln)
    for row in ROWS:
        things, nothing = things_for(kiln, kiln.owner, "private"), things_for(kiln, kiln.owner, "private", nothing=True)
        answer = ask(kiln, row, signer, things)
        if row.operation in ALWAYS:
            wrong += [f"{row}: {status_line(answer)}"] if answer.code else []
            continue
        status = 400 if row.service == "ssm" else 403  # its protocol has no other
        if (answer.status, answer.code) != (status, NOT_ALLOWED.get(row.service, NOT_ALLOWED["*"])) or arn not in answer.message:
            wrong.append(f"{row}: {status_line(answer)}")
        if f"{row.service}:{row.operation}" not in answer.message:
            wrong.append(f"{row}: does not name the action: {status_line(answer)}")
        others = [ask(kiln, row, signer, nothing)] + ([ask(kiln, row, signer, things, dry_run=True)] if (row.service, row.operation) in dry else [])
        wrong += [f"{row}: {status_line(other)}, before: {status_line(answer)}" for other in others if neutral(other, nothing) != neutral(answer, things)]
    iam.delete_access_key(UserName="bare", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="bare")
    assert not wrong, "\n".join(wrong)
    assert world(kiln) == before


def test_nobody_and_late_signatures_are_refused_by_every_operation(kiln):
    """Before anything else is looked at: the answer is the same, whatever is asked for."""
    wrong = []
    for signer, codes in ((Signer(), NOT_SIGNED), (Signer(kiln.owner.pair, age=3600), TOO_LATE), (Signer(("AKIAIOSFODNN7EXAMPLE", "x" * 40)), UNKNOWN_KEY)):
        for row in ROWS:
            answer = ask(kiln, row, signer, things_for(kiln, kiln.owner, "private"))
            if answer.code != codes.get(row.service, codes.get("*")) or answer.status not in (400, 401, 403):
                wrong.append(f"{row}: {status_line(answer)}, expected {codes}")
    assert not wrong, "\n".join(wrong)


def test_the_owner_does_it_all(kiln):
    """Last: some of it has no DryRun. Roles and profiles are made, used and removed in the order of the rows."""
    _, dry = dry_operations(kiln)
    things, wrong = things_for(kiln, kiln.owner, "private"), []
    things |= {"role": things["made"], "profile": things["made"], "user": things["made"]}
    for row in ROWS:
        answer = attempt(kiln, row, Signer(kiln.owner.pair), things, (row.service, row.operation) in dry)
        if (answer.code or DONE) != row.owner:
            wrong.append(f"{row}: {status_line(answer)}, expected {row.owner}")
    assert not wrong, "\n".join(wrong)


def test_IAM_11_IAM_22_keys_whose_time_is_over_are_refused_by_every_operation(kiln):
    """Those of a role, of the account and of a user; last, since the service is started anew with a clock that is hours ahead."""
    iam, sts = kiln.client("iam"), kiln.client("sts")
    trusted = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": kiln.owner.id}, "Action": "sts:AssumeRole"}]}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = iam.create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(trusted))["Role"]["Arn"]
    iam.put_role_policy(RoleName="taken", PolicyName="all", PolicyDocument=json.dumps(everything))
    iam.create_user(UserName="timed")
    iam.put_user_policy(UserName="timed", PolicyName="all", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="timed")["AccessKey"]
    user = kiln.client("sts", None, key["AccessKeyId"], key["SecretAccessKey"])
    keys = {
        "a role's": sts.assume_role(RoleArn=role, RoleSessionName="matrix", DurationSeconds=900),
        "the account's": sts.get_session_token(),
        "a user's": user.get_session_token(DurationSeconds=900),
        "a user's of half a day": user.get_session_token(DurationSeconds=43200),
    }  # fmt: skip
    clock.restart_later(kiln, 7200)
    signers = {}
    for name, answer in keys.items():
        made = answer["Credentials"]
        signers[name] = Signer((made["AccessKeyId"], made["SecretAccessKey"]), age=-7200, token=made["SessionToken"])
    good = call(kiln.endpoint, "ec2", "DescribeImages", {}, signers.pop("a user's of half a day"))
    assert good.status == 200, status_line(good)  # so it is not the signatures
    wrong = []
    for name, signer in signers.items():
        for row in ROWS:
            answer = ask(kiln, row, signer, things_for(kiln, kiln.owner, "private"))
            if answer.code != OVER.get(row.service, OVER["*"]) or answer.status not in (400, 403):
                wrong.append(f"{name}: {row}: {status_line(answer)}")
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    kiln_test.main()
