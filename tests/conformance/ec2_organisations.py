#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images shared with organizations and organizational units, nested ones too, through boto3, Debian's aws and kiln account: who is in,
who is beside it, and what of it a grantee may change."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
MANAGEMENT, NUMBER = "900000000001", "o-a1b2c3d4e5"
OUTER, INNER, OTHER = "ou-ab12-11111111", "ou-ab12-22222222", "ou-ab12-33333333"
ORGANIZATION = f"arn:aws:organizations::{MANAGEMENT}:organization/{NUMBER}"
OUTER_ARN, INNER_ARN, OTHER_ARN = (f"arn:aws:organizations::{MANAGEMENT}:ou/{NUMBER}/{unit}" for unit in (OUTER, INNER, OTHER))
IN = ("--organization", NUMBER, "--management-account", MANAGEMENT)


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(1 << 20))
            disk.truncate(8 << 20)
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.root = daemon.account("root", *IN)
        daemon.outer = daemon.account("outer", *IN, "--units", OUTER)
        daemon.inner = daemon.account("inner", *IN, "--units", f"{OUTER}/{INNER}")
        daemon.stranger = daemon.account("stranger")
        daemon.everyone = {"root": daemon.root, "outer": daemon.outer, "inner": daemon.inner, "stranger": daemon.stranger}
        yield daemon


def make(kiln, name):
    """An image of its own for a test."""
    ec2 = kiln.client("ec2", HERE)
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.base["snapshotId"]}}]
    made = ec2.register_image(Name=name, RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", EnaSupport=True, BlockDeviceMappings=mapping)
    return made["ImageId"]


def modify(kiln, image, how="Add", **entry):
    kiln.client("ec2", HERE).modify_image_attribute(ImageId=image, LaunchPermission={how: [entry]})


def permissions(kiln, image):
    return kiln.client("ec2", HERE).describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]


def client(account):
    """Made once for each account and each start of the service: making one takes long."""
    known = account.__dict__.setdefault("known", {})
    if account.kiln.endpoint not in known:
        known[account.kiln.endpoint] = account.client("ec2", HERE)
    return known[account.kiln.endpoint]


def may_launch(account, image):
    ec2 = client(account)
    code = None
    try:
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", DryRun=True)
    except ec2.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
    assert code in ("DryRunOperation", "AuthFailure"), code
    return code == "DryRunOperation"


def in_pages(kiln, account):
    """The ids of all images, two at a time; Debian's boto3 does not know that DescribeImages has pages."""
    found, token = set(), {}
    while True:
        page = query(kiln, "DescribeImages", {"MaxResults": "2"} | token, region=HERE, keys=account.pair)
        found |= set(page.texts("imagesSet/item/imageId"))
        if not page.texts("nextToken"):
            return found
        token = {"NextToken": page.texts("nextToken")[0]}


def who(kiln, image):
    """Who of the accounts may launch it; every way to list it must agree."""
    found = {name for name, account in kiln.everyone.items() if may_launch(account, image)}
    for request in ({}, {"ExecutableUsers": ["self"]}, {"Filters": [{"Name": "image-id", "Values": [image]}]}, {"Filters": [{"Name": "is-public", "Values": ["false"]}]}):
        listed = set()
        for name, account in kiln.everyone.items():
            if any(image == shown["ImageId"] for shown in client(account).describe_images(**request)["Images"]):
                listed.add(name)
        assert listed == found, (request, listed, found)
    assert found == {name for name, account in kiln.everyone.items() if image in in_pages(kiln, account)}
    for name, account in kiln.everyone.items():
        ec2 = client(account)
        if name in found:
            assert [shown["ImageId"] for shown in ec2.describe_images(ImageIds=[image])["Images"]] == [image]
            assert ec2.describe_image_attribute(ImageId=image, Attribute="description")["ImageId"] == image
            expect("AuthFailure", ec2.describe_image_attribute, ImageId=image, Attribute="launchPermission")
            expect("AuthFailure", ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"UserId": account.id}]})
        else:
            expect("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[image])
    return found


def test_LP_1_LP_2_an_organization_and_its_units_share_an_image_with_those_in_them(kiln):
    image = make(kiln, "shared")
    assert who(kiln, image) == set()
    modify(kiln, image, OrganizationalUnitArn=INNER_ARN)
    assert who(kiln, image) == {"inner"}
    modify(kiln, image, OrganizationalUnitArn=OUTER_ARN)  # and what is nested in it
    modify(kiln, image, OrganizationalUnitArn=OTHER_ARN)
    assert who(kiln, image) == {"outer", "inner"}
    modify(kiln, image, OrganizationArn=ORGANIZATION)
    assert who(kiln, image) == {"root", "outer", "inner"}
    assert permissions(kiln, image) == [{"OrganizationArn": ORGANIZATION}] + [{"OrganizationalUnitArn": arn} for arn in (OUTER_ARN, INNER_ARN, OTHER_ARN)]
    for arn in (OUTER_ARN, INNER_ARN):
        modify(kiln, image, "Remove", OrganizationalUnitArn=arn)
        modify(kiln, image, "Remove", OrganizationalUnitArn=arn)  # LP-4: is gone already
    assert who(kiln, image) == {"root", "outer", "inner"}
    kiln.client("ec2", HERE).reset_image_attribute(ImageId=image, Attribute="launchPermission")
    assert who(kiln, image) == set() and permissions(kiln, image) == []


def test_LP_2_another_organization_and_its_units_are_others(kiln):
    image = make(kiln, "of another")
    modify(kiln, image, OrganizationArn=f"arn:aws:organizations::{MANAGEMENT}:organization/o-zzzzzzzzzz")
    modify(kiln, image, OrganizationArn=f"arn:aws:organizations::900000000002:organization/{NUMBER}")
    modify(kiln, image, OrganizationalUnitArn=f"arn:aws:organizations::{MANAGEMENT}:ou/o-zzzzzzzzzz/{OUTER}")
    assert who(kiln, image) == set()


def test_LP_3_the_lists_beside_OperationType_and_Debians_aws(kiln):
    image, ec2 = make(kiln, "lists"), kiln.client("ec2", HERE)
    ec2.modify_image_attribute(ImageId=image, Attribute="launchPermission", OperationType="add", OrganizationArns=[ORGANIZATION], OrganizationalUnitArns=[INNER_ARN])
    assert permissions(kiln, image) == [{"OrganizationArn": ORGANIZATION}, {"OrganizationalUnitArn": INNER_ARN}]
    ec2.modify_image_attribute(ImageId=image, Attribute="launchPermission", OperationType="remove", OrganizationArns=[ORGANIZATION])
    assert who(kiln, image) == {"inner"}
    kiln.aws("ec2", "modify-image-attribute", "--image-id", image, "--launch-permission", f"Add=[{{OrganizationalUnitArn={OUTER_ARN}}}],Remove=[{{OrganizationalUnitArn={INNER_ARN}}}]", region=HERE)
    assert permissions(kiln, image) == [{"OrganizationalUnitArn": OUTER_ARN}] and who(kiln, image) == {"outer", "inner"}


def test_LP_5_what_is_no_full_ARN_changes_nothing(kiln):
    image, ec2 = make(kiln, "refused"), kiln.client("ec2", HERE)

    def refused(code, *entries):
        return expect(code, ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"UserId": kiln.stranger.id}, *entries]})

    for text in (NUMBER, OUTER, ORGANIZATION.replace("arn:aws:", "arn:aws-cn:"), ORGANIZATION.replace(MANAGEMENT, "1"), ORGANIZATION + "x/y", OUTER_ARN):
        assert refused("InvalidAMIAttributeItemValue", {"OrganizationArn": text}) == f'Invalid attribute item value "{text}" for organizationArn item type.'
    for text in (OUTER, NUMBER, ORGANIZATION, OUTER_ARN.replace(f"{NUMBER}/", ""), f"{OUTER_ARN}/{INNER}"):
        refused("InvalidAMIAttributeItemValue", {"OrganizationalUnitArn": text})
    refused("InvalidParameterCombination", {"OrganizationArn": ORGANIZATION, "OrganizationalUnitArn": OUTER_ARN})
    refused("InvalidParameterCombination", {"OrganizationArn": ORGANIZATION, "UserId": kiln.stranger.id})
    expect("DryRunOperation", ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"OrganizationArn": ORGANIZATION}]}, DryRun=True)
    assert permissions(kiln, image) == []


def test_LP_4_LP_10_a_member_gives_back_its_own_entry_and_not_the_organizations(kiln):
    image, member = make(kiln, "given back"), kiln.outer.client("ec2", HERE)
    modify(kiln, image, OrganizationArn=ORGANIZATION)
    expect("OperationNotPermitted", member.cancel_image_launch_permission, ImageId=image)
    modify(kiln, image, UserId=kiln.outer.id)
    member.cancel_image_launch_permission(ImageId=image)
    expect("OperationNotPermitted", member.cancel_image_launch_permission, ImageId=image)
    expect("InvalidAMIID.NotFound", kiln.stranger.client("ec2", HERE).cancel_image_launch_permission, ImageId=image)
    modify(kiln, image, "Remove", UserId=kiln.outer.id)
    assert "outer" in who(kiln, image)


def test_DI_3_by_the_number_of_an_account_one_finds_what_is_shared_with_just_that(kiln):
    image, owner = make(kiln, "audited"), kiln.client("ec2", HERE)
    modify(kiln, image, OrganizationArn=ORGANIZATION)

    def found(client, account):
        return {shown["ImageId"] for shown in client.describe_images(ExecutableUsers=[account])["Images"]}

    assert image not in found(owner, kiln.inner.id)
    assert image in found(kiln.inner.client("ec2", HERE), kiln.inner.id) and image in found(kiln.inner.client("ec2", HERE), "self")
    assert image not in found(kiln.inner.client("ec2", HERE), kiln.outer.id) and image not in found(owner, "self")
    modify(kiln, image, UserId=kiln.inner.id)
    assert image in found(owner, kiln.inner.id)


def test_LP_8_LP_9_LP_11_a_member_launches_tags_and_copies_until_it_may_not(kiln):
    image, owner = make(kiln, "used"), kiln.client("ec2", HERE)
    modify(kiln, image, OrganizationalUnitArn=OUTER_ARN)
    member = kiln.inner.client("ec2", HERE)
    launched = member.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
    member.create_tags(Resources=[image], Tags=[{"Key": "mine", "Value": "yes"}])
    assert "Tags" not in owner.describe_images(ImageIds=[image])["Images"][0]
    copy = {"Name": "copied", "SourceImageId": image, "SourceRegion": HERE}
    expect("InvalidRequest", kiln.inner.client("ec2", THERE).copy_image, **copy)  # the snapshot is not shared
    owner.modify_snapshot_attribute(SnapshotId=kiln.base["snapshotId"], CreateVolumePermission={"Add": [{"UserId": kiln.inner.id}]})
    copied = kiln.inner.client("ec2", THERE).copy_image(**copy)["ImageId"]
    shown = kiln.inner.client("ec2", THERE).describe_image_attribute(ImageId=copied, Attribute="launchPermission")
    assert shown["LaunchPermissions"] == []
    modify(kiln, image, "Remove", OrganizationalUnitArn=OUTER_ARN)
    expect("AuthFailure", member.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
    shown = member.describe_instances(InstanceIds=[launched])["Reservations"][0]["Instances"][0]
    assert shown["ImageId"] == image and shown["State"]["Name"] in ("pending", "running")
    owner.deregister_image(ImageId=image)
    expect("InvalidAMIID.NotFound", member.run_instances, ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")


def test_SS_5_snapshots_are_not_shared_with_organizations(kiln):
    snapshot = kiln.base["snapshotId"]
    for name, value in (("OrganizationArn", ORGANIZATION), ("OrganizationalUnitArn", OUTER_ARN)):
        answer = query(kiln, "ModifySnapshotAttribute", {"SnapshotId": snapshot, f"CreateVolumePermission.Add.1.{name}": value}, region=HERE)
        assert answer.code == "UnknownParameter" and name in answer.message, answer.body
        answer = query(kiln, "ModifySnapshotAttribute", {"SnapshotId": snapshot, "OperationType": "add", f"{name}.1": value}, region=HERE)
        assert answer.code == "UnknownParameter" and name in answer.message, answer.body


def test_ACC_3_an_account_moves_and_with_it_what_it_may_use(kiln):
    image = make(kiln, "moves")
    modify(kiln, image, OrganizationalUnitArn=OUTER_ARN)
    mover = kiln.account("mover")

    def told(*arguments):
        return json.loads(kiln.run("account", "update", mover.id, *arguments).stdout)

    assert not may_launch(mover, image)
    moved = told(*IN, "--units", f"{OUTER}/{OTHER}")
    assert moved == {"accountId": mover.id, "name": "mover", "organization": NUMBER, "managementAccount": MANAGEMENT, "units": f"{OUTER}/{OTHER}"}
    assert may_launch(mover, image)
    assert told("--name", "moved")["units"] == f"{OUTER}/{OTHER}" and may_launch(mover, image)
    assert told(*IN)["units"] == "" and not may_launch(mover, image)
    told(*IN, "--units", OUTER)
    kiln.restart()
    assert may_launch(mover, image)
    assert told("--no-organization") == {"accountId": mover.id, "name": "moved"} and not may_launch(mover, image)


def test_ACC_3_mistakes_about_accounts_change_nothing(kiln):
    def refused(*arguments, says):
        done = kiln.run("account", *arguments, check=False)
        assert done.returncode != 0 and says in done.stderr, (arguments, done.stderr)

    stranger = kiln.stranger.id
    refused("update", stranger, "--organization", NUMBER, says="management account")
    refused("update", stranger, "--organization", "o-1", "--management-account", MANAGEMENT, says="no id of an organization")
    refused("update", stranger, *IN, "--units", "ou-1", says="no id of an organizational unit")
    refused("update", stranger, *IN, "--units", f"{OUTER}/{OUTER}", says="twice")
    refused("update", stranger, "--units", OUTER, says="go with an 'organization'")
    refused("update", stranger, "--organization", NUMBER, "--management-account", "900000000002", says=f"is {MANAGEMENT}")
    refused("update", "900000000009", *IN, says="does not exist")
    refused("update", "12", *IN, says="Invalid user id")
    refused("create", "--organization", NUMBER, "--management-account", "900000000002", "--id", "900000000003", says=f"is {MANAGEMENT}")
    refused("update", "900000000003", *IN, says="does not exist")
    done = kiln.stranger.run("account", "update", stranger, *IN, check=False)
    assert done.returncode != 0 and "Only an administrator" in done.stderr
    image = make(kiln, "unmoved")
    modify(kiln, image, OrganizationArn=ORGANIZATION)
    assert not may_launch(kiln.stranger, image)


if __name__ == "__main__":
    kiln_test.main()
