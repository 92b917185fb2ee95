#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CopyImage through boto3 and Debian's aws: within a region and across regions, what is copied and what is not, by whom, and that
the bytes stay when the source goes."""

import base64
import hashlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
UNKNOWN = "ami-0123456789abcdef0"


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(3 << 20))
            disk.truncate(8 << 20)
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        yield daemon


def register(kiln, name, **more):
    snapshot = kiln.base["snapshotId"]
    request = {
        "Name": name, "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BootMode": "uefi",
        "EnaSupport": True, "SriovNetSupport": "simple", "TpmSupport": "v2.0", "ImdsSupport": "v2.0",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeSize": 10, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200}},
            {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": snapshot, "VolumeSize": 3}},
            {"DeviceName": "/dev/xvdc", "Ebs": {"VolumeSize": 2}},
        ],
    }  # fmt: skip
    return kiln.client("ec2", HERE).register_image(**(request | more))["ImageId"]


def describe(ec2, image):
    return ec2.describe_images(ImageIds=[image])["Images"][0]


def exported(kiln, image, region):
    path = os.path.join(kiln.home, "out.raw")
    kiln.run("export", "--region", region, image, path, "--force")
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_CP_1_CP_3_CP_5_CP_9_a_copy_in_another_region_is_the_same_image(kiln):
    source = register(kiln, "source one", Description="the first")
    kiln.client("ec2", HERE).modify_image_attribute(ImageId=source, LaunchPermission={"Add": [{"Group": "all"}]})
    ec2 = kiln.client("ec2", THERE)
    copy = ec2.copy_image(Name="copy one", SourceImageId=source, SourceRegion=HERE)["ImageId"]
    was, now = describe(kiln.client("ec2", HERE), source), describe(ec2, copy)
    assert now["State"] == "available" and now["Name"] == "copy one" and not now["Public"]
    assert now["Description"] == f"[Copied {source} from {HERE}] the first" and "DeprecationTime" not in now
    for given in ("", "of my own"):  # as Terraform does, with an empty one when it was told none
        named = ec2.copy_image(Name=f"copy {given}", SourceImageId=source, SourceRegion=HERE, Description=given)["ImageId"]
        assert describe(ec2, named).get("Description", "") == given
    answer = query(kiln, "DescribeImages", {"ImageId.1": copy}, region=THERE)  # boto3 does not know these yet
    assert answer.texts("imagesSet/item/sourceImageId") == [source] and answer.texts("imagesSet/item/sourceImageRegion") == [HERE]
    own = {"ImageId", "Name", "Description", "ImageLocation", "CreationDate", "Public", "DeprecationTime", "SourceImageId", "SourceImageRegion", "BlockDeviceMappings"}
    assert {k: v for k, v in was.items() if k not in own} == {k: v for k, v in now.items() if k not in own}

    mapped = {entry["DeviceName"]: entry["Ebs"] for entry in now["BlockDeviceMappings"]}
    new = mapped["/dev/xvda"]["SnapshotId"]
    assert new == mapped["/dev/xvdb"]["SnapshotId"] != kiln.base["snapshotId"], mapped
    for before, after in zip(was["BlockDeviceMappings"], now["BlockDeviceMappings"]):
        before["Ebs"].pop("SnapshotId", None), after["Ebs"].pop("SnapshotId", None)
        assert before == after
    snapshot = ec2.describe_snapshots(SnapshotIds=[new])["Snapshots"][0]
    assert snapshot["State"] == "completed" and snapshot["Progress"] == "100%" and snapshot["VolumeId"] == "vol-ffffffff"
    task = rf"Copied for DestinationAmi {copy} from SourceAmi {source} for SourceSnapshot {kiln.base['snapshotId']}\. Task created on [\d,]+\."
    assert re.fullmatch(task, snapshot["Description"]), snapshot["Description"]
    # An id belongs to one region.
    expect("InvalidAMIID.NotFound", kiln.client("ec2", HERE).describe_images, ImageIds=[copy])


def test_CP_12_CP_13_the_bytes_stay_and_are_not_stored_twice(kiln):
    path = os.path.join(kiln.home, "own.raw")
    with open(path, "wb") as disk:
        disk.write(os.urandom(5 << 20))
        disk.truncate(6 << 20)
    made = json.loads(kiln.run("import", path, "--name", "bytes", "--json").stdout)
    here, there = kiln.client("ec2", HERE), kiln.client("ec2", THERE)
    digest = exported(kiln, made["imageId"], HERE)
    before = space_used(kiln)
    second = here.copy_image(Name="second", SourceImageId=made["imageId"], SourceRegion=HERE)["ImageId"]
    third = there.copy_image(Name="third", SourceImageId=second, SourceRegion=HERE)["ImageId"]
    assert space_used(kiln) - before < 1 << 20
    for image in (made["imageId"], second):
        answer = query(kiln, "DeregisterImage", {"ImageId": image, "DeleteAssociatedSnapshots": "true"})
        assert answer.texts("deleteSnapshotResultSet/item/returnCode") == ["success"], answer
    kiln.run("gc")
    assert exported(kiln, third, THERE) == digest
    instance = there.run_instances(ImageId=third, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    there.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    there.terminate_instances(InstanceIds=[instance])


def space_used(kiln):
    total = 0
    for folder, _, files in os.walk(os.path.join(kiln.data, "objects")):
        total += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
    return total


def specification(number, resource, **tags):
    """TagSpecification.N, which Debian's boto3 does not know here."""
    flat = {f"TagSpecification.{number}.ResourceType": resource}
    for at, (key, value) in enumerate(tags.items(), 1):
        flat |= {f"TagSpecification.{number}.Tag.{at}.Key": key, f"TagSpecification.{number}.Tag.{at}.Value": value}
    return flat


def test_CP_4_tags_are_copied_when_asked_for(kiln):
    ec2 = kiln.client("ec2", HERE)
    source = register(kiln, "tagged")
    ec2.create_tags(Resources=[source], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    plain = ec2.copy_image(Name="plain", SourceImageId=source, SourceRegion=HERE)["ImageId"]
    assert "Tags" not in describe(ec2, plain)
    more = {
        **specification(1, "image", b="3", c="4"),
        **specification(2, "snapshot", s="5"),
        "Name": "both", "SourceImageId": source, "SourceRegion": HERE, "CopyImageTags": "true",
    }  # fmt: skip
    both = query(kiln, "CopyImage", more).texts("imageId")[0]
    image = describe(ec2, both)
    assert {tag["Key"]: tag["Value"] for tag in image["Tags"]} == {"a": "1", "b": "3", "c": "4"}
    snapshot = ec2.describe_snapshots(SnapshotIds=[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert snapshot["Tags"] == [{"Key": "s", "Value": "5"}]


def test_CP_2_only_who_may_read_the_bytes_copies_them(kiln):
    ec2 = kiln.client("ec2", HERE)
    source = register(kiln, "shared")
    account = kiln.account("bob")
    bob = account.client("ec2", HERE)
    request = {"Name": "mine", "SourceImageId": source, "SourceRegion": HERE}
    expect("AuthFailure", bob.copy_image, **request)
    ec2.modify_image_attribute(ImageId=source, LaunchPermission={"Add": [{"Group": "all"}]})
    assert "storage of this ami" in expect("InvalidRequest", bob.copy_image, **request)
    assert bob.describe_images(Owners=["self"])["Images"] == []
    # What the service provides is for everybody.
    kiln.run("import", os.path.join(kiln.home, "disk.raw"), "--name", "provided", "--provide", "/aws/service/test/one")
    provided = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    image = describe(bob, bob.copy_image(Name="mine", SourceImageId=provided, SourceRegion=HERE)["ImageId"])
    assert image["OwnerId"] == account.id and not image["Public"] and "ImageOwnerAlias" not in image


def test_CP_1_a_token_copies_once(kiln):
    ec2 = kiln.client("ec2", THERE)
    source = register(kiln, "once")
    request = {"Name": "once", "SourceImageId": source, "SourceRegion": HERE, "ClientToken": "t" * 128}  # IDM-1
    expect("InvalidClientToken", ec2.copy_image, **(request | {"ClientToken": "t" * 129}))
    assert ec2.copy_image(**request)["ImageId"] == ec2.copy_image(**request)["ImageId"]
    expect("IdempotentParameterMismatch", ec2.copy_image, **(request | {"Name": "twice"}))
    expect("InvalidAMIName.Duplicate", ec2.copy_image, **(request | {"ClientToken": "other"}))


def test_CP_6_mistakes_are_told_and_change_nothing(kiln):
    ec2 = kiln.client("ec2", THERE)
    source = register(kiln, "mistakes")
    request = {"Name": "wrong", "SourceImageId": source, "SourceRegion": HERE}
    before = len(ec2.describe_images(Owners=["self"])["Images"]), len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
    expect("DryRunOperation", ec2.copy_image, DryRun=True, **request)
    expect("InvalidAMIID.NotFound", ec2.copy_image, **(request | {"SourceImageId": UNKNOWN}))
    expect("InvalidAMIID.NotFound", ec2.copy_image, **(request | {"SourceRegion": THERE}))
    expect("InvalidAMIID.Malformed", ec2.copy_image, **(request | {"SourceImageId": "ami-x"}))
    assert "moon-1" in expect("InvalidRegion", ec2.copy_image, **(request | {"SourceRegion": "moon-1"}))
    expect("InvalidAMIName.Malformed", ec2.copy_image, **(request | {"Name": "what?"}))
    expect("InvalidParameterValue", ec2.copy_image, Description="x" * 256, **request)
    expect("UnsupportedOperation", ec2.copy_image, Encrypted=True, **request)
    expect("InvalidParameterCombination", ec2.copy_image, KmsKeyId="alias/mine", **request)
    expect("InvalidParameterValue", ec2.copy_image, DestinationOutpostArn="arn:aws:outposts:us-east-1:1:outpost/op-1", **request)
    for place in ("DestinationAvailabilityZone", "DestinationAvailabilityZoneId"):
        assert query(kiln, "CopyImage", request | {place: "eu-west-1-lhr-1a"}, region=THERE).code == "InvalidZone.NotFound", place
    for wrong in (specification(1, "volume", a="b"), {"SnapshotCopyCompletionDurationMinutes": "20"}):
        assert query(kiln, "CopyImage", request | wrong, region=THERE).code == "InvalidParameterValue", wrong
    assert query(kiln, "DisableImage", {"ImageId": source}).status == 200
    expect("InvalidAMIID.Unavailable", ec2.copy_image, **request)
    assert before == (len(ec2.describe_images(Owners=["self"])["Images"]), len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]))


def test_CP_1_the_aws_cli_copies(kiln):
    source = register(kiln, "by the cli")
    words = ["ec2", "copy-image", "--name", "cli", "--source-image-id", source, "--source-region", HERE, "--description", "by hand"]
    copy = kiln.aws(*words, region=THERE)["ImageId"]
    assert describe(kiln.client("ec2", THERE), copy)["Description"] == "by hand"


def test_CON_4_a_screenshot_is_a_picture(kiln):
    ec2 = kiln.client("ec2", HERE)
    image = register(kiln, "shown", BootMode="legacy-bios", TpmSupport="")
    instance = ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    answer = ec2.get_console_screenshot(InstanceId=instance, WakeUp=True)
    assert answer["InstanceId"] == instance and base64.b64decode(answer["ImageData"]).startswith(b"\xff\xd8\xff")
    expect("DryRunOperation", ec2.get_console_screenshot, InstanceId=instance, DryRun=True)
    expect("InvalidInstanceID.NotFound", ec2.get_console_screenshot, InstanceId="i-0123456789abcdef0")
    ec2.stop_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    assert "not running" in expect("IncorrectInstanceState", ec2.get_console_screenshot, InstanceId=instance)


if __name__ == "__main__":
    kiln_test.main(seconds=300)
