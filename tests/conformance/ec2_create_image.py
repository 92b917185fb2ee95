#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CreateImage over the scripted hypervisor: running with and without reboot, stopped, mappings, tags, and mistakes."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import refusal  # noqa: E402

ZONE = "us-east-1a"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def wait_for(ec2, instance, state):
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == state, 30, f"{instance} is {state}")


def launch(kiln, ec2, image=None, **more):
    made = ec2.run_instances(ImageId=image or kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)
    instance = made["Instances"][0]["InstanceId"]
    wait_for(ec2, instance, "running")
    return instance


def image_of(ec2, image):
    return ec2.describe_images(ImageIds=[image])["Images"][0]


def available(ec2, image):
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return image_of(ec2, image)


def root_of(ec2, instance):
    return one(ec2, instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def assert_same_root(kiln, instance):
    """The root volume of the instance holds the bytes of the disk that was imported."""
    served = json.loads(kiln.run("nbd", root_of(kiln.client("ec2"), instance)).stdout)
    command = ["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", kiln.raw, served["uri"]]
    subprocess.run(command, check=True, timeout=60)


def test_CI_4_a_running_instance_is_rebooted_and_stays_running(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    before = one(ec2, instance)
    made = service.aws("ec2", "create-image", "--instance-id", instance, "--name", "golden", "--description", "first")
    image = available(ec2, made["ImageId"])
    after = one(ec2, instance)
    assert after["State"]["Name"] == "running" and after["LaunchTime"] == before["LaunchTime"]
    assert image["Name"] == "golden" and image["Description"] == "first" and image["RootDeviceName"] == "/dev/xvda"
    mapping = image["BlockDeviceMappings"]
    assert len(mapping) == 1 and mapping[0]["DeviceName"] == "/dev/xvda" and mapping[0]["Ebs"]["DeleteOnTermination"]
    snapshot = ec2.describe_snapshots(SnapshotIds=[mapping[0]["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert snapshot["State"] == "completed" and snapshot["VolumeId"] == root_of(ec2, instance)
    assert snapshot["Description"] == f"Created by CreateImage({instance}) for {image['ImageId']}"  # CI-11
    assert_same_root(service, launch(service, ec2, image["ImageId"]))


def test_CI_5_CI_6_without_reboot_and_stopped(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    first = ec2.create_image(InstanceId=instance, Name="no reboot", NoReboot=True)["ImageId"]
    available(ec2, first)
    ec2.stop_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "stopped")
    second = ec2.create_image(InstanceId=instance, Name="stopped")["ImageId"]
    available(ec2, second)
    assert one(ec2, instance)["State"]["Name"] == "stopped"
    for image in (first, second):
        assert_same_root(service, launch(service, ec2, image))


def test_CI_7_CI_9_the_mapping_of_the_request_is_merged(service):
    ec2 = service.client("ec2")
    devices = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}, {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 3}}]
    instance = launch(service, ec2, BlockDeviceMappings=devices)
    made = ec2.create_image(
        InstanceId=instance,
        Name="merged",
        NoReboot=True,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdg", "NoDevice": ""},
            {"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3"}},
            {"DeviceName": "/dev/sdi", "VirtualName": "ephemeral0"},
        ],
        TagSpecifications=[
            {"ResourceType": "image", "Tags": [{"Key": "of", "Value": "image"}]},
            {"ResourceType": "snapshot", "Tags": [{"Key": "of", "Value": "snapshot"}]},
        ],
    )["ImageId"]
    image = available(ec2, made)
    mapping = {m["DeviceName"]: m for m in image["BlockDeviceMappings"]}
    assert sorted(mapping) == ["/dev/sdf", "/dev/sdh", "/dev/sdi", "/dev/xvda"], mapping
    assert mapping["/dev/sdf"]["Ebs"]["DeleteOnTermination"] and mapping["/dev/sdf"]["Ebs"]["SnapshotId"]
    assert "SnapshotId" not in mapping["/dev/sdh"]["Ebs"] and mapping["/dev/sdh"]["Ebs"]["VolumeSize"] == 5
    assert mapping["/dev/sdi"]["VirtualName"] == "ephemeral0"
    assert image["Tags"] == [{"Key": "of", "Value": "image"}]
    for device in ("/dev/sdf", "/dev/xvda"):
        snapshot = ec2.describe_snapshots(SnapshotIds=[mapping[device]["Ebs"]["SnapshotId"]])["Snapshots"][0]
        assert snapshot["Tags"] == [{"Key": "of", "Value": "snapshot"}], snapshot  # CI-16

    create = ec2.create_image

    def wrong(*entries):
        return refusal(create, InstanceId=instance, Name="wrong", NoReboot=True, BlockDeviceMappings=list(entries))[0]

    assert wrong({"DeviceName": "/dev/xvda", "NoDevice": ""}) == "InvalidBlockDeviceMapping"
    assert wrong({"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9}}) == "InvalidBlockDeviceMapping"
    assert wrong({"DeviceName": "/dev/sdj", "Ebs": {"DeleteOnTermination": True}}) == "MissingParameter"
    outpost = "arn:aws:outposts:us-east-1:111122223333:outpost/op-0123456789abcdef0"
    for name, value in (("OutpostArn", outpost), ("AvailabilityZone", "us-east-1a"), ("AvailabilityZoneId", "use1-az1")):  # BDM-20
        entry = {"DeviceName": "/dev/sdj", "Ebs.VolumeSize": "1", f"Ebs.{name}": value}
        wanted = {"InstanceId": instance, "Name": "wrong", **{f"BlockDeviceMapping.1.{key}": text for key, text in entry.items()}}
        answer = query(service, "CreateImage", wanted)
        assert answer.code == "InvalidParameterCombination" and name in answer.message, answer.body


def test_CI_18_another_boot_mode(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)

    def create(**more):  # boto3 is too old to know the parameter
        return query(service, "CreateImage", {"InstanceId": instance, "NoReboot": "true", **more})

    (made,) = create(Name="uefi", BootModeOverride="uefi").texts("imageId")
    (plain,) = create(Name="as it is").texts("imageId")
    assert image_of(ec2, made)["BootMode"] == "uefi" and available(ec2, made)["BootMode"] == "uefi"
    assert image_of(ec2, plain).get("BootMode") == one(ec2, instance).get("BootMode") == image_of(ec2, service.image).get("BootMode")
    for wrong in ("legacy-bios", "uefi-preferred"):
        answer = create(Name="wrong", BootModeOverride=wrong)
        assert answer.code == "InvalidParameterValue" and "BootModeOverride" in answer.message, answer.body
    # It boots so, where a type can.
    available(ec2, made)
    code = refusal(ec2.run_instances, ImageId=made, InstanceType="t2.nano", MinCount=1, MaxCount=1)[0]
    assert code == "InvalidParameterCombination", code


def test_CI_8_CI_10_what_an_image_takes_from_its_instance(service):
    ec2 = service.client("ec2")
    group = ec2.create_security_group(GroupName="inherited", Description="not")["GroupId"]
    key = ec2.create_key_pair(KeyName="inherited")["KeyName"]
    base = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/sda1"}
    devices = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": service.snapshot}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]
    features = {"EnaSupport": True, "SriovNetSupport": "simple", "BootMode": "uefi-preferred", "ImdsSupport": "v2.0"}
    windows = json.loads(service.run("import", service.raw, "--name", "windows", "--platform", "windows", "--json").stdout)["imageId"]
    rich = ec2.register_image(Name="rich", BlockDeviceMappings=devices, **base, **features)["ImageId"]
    poor = ec2.register_image(Name="poor", BlockDeviceMappings=devices[:1], **base)["ImageId"]
    ec2.create_tags(Resources=[rich], Tags=[{"Key": "of", "Value": "the source"}])
    ec2.modify_image_attribute(ImageId=rich, LaunchPermission={"Add": [{"UserId": "123456789012"}]})
    taken = (
        "Architecture", "VirtualizationType", "RootDeviceName", "EnaSupport", "SriovNetSupport", "BootMode", "ImdsSupport", "Platform",
        "PlatformDetails", "UsageOperation",
    )  # fmt: skip
    for source in (rich, poor, windows):
        made = ec2.run_instances(
            ImageId=source, InstanceType="t2.nano", MinCount=1, MaxCount=1, KeyName=key, SecurityGroupIds=[group], UserData="#!/bin/sh",
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "of", "Value": "the instance"}]}],
            BlockDeviceMappings=[{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"}],
        )["Instances"][0]["InstanceId"]  # fmt: skip
        wait_for(ec2, made, "running")
        image = available(ec2, ec2.create_image(InstanceId=made, Name=f"of {source}", NoReboot=True)["ImageId"])
        origin = image_of(ec2, source)
        assert {name: image.get(name) for name in taken} == {name: origin.get(name) for name in taken}, (image, origin)
        assert "Tags" not in image and image["Public"] is False, image
        assert ec2.describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")["LaunchPermissions"] == []
        # CI-8: the instance store devices of image and launch are there.
        stores = {m["DeviceName"]: m["VirtualName"] for m in image["BlockDeviceMappings"] if "VirtualName" in m}
        assert stores == {**({"/dev/sdb": "ephemeral0"} if source == rich else {}), "/dev/sdc": "ephemeral1"}, image
        # What is launched of it has nothing of the instance's own.
        again = launch(service, ec2, image["ImageId"])
        seen = one(ec2, again)
        assert "KeyName" not in seen and "Tags" not in seen and [g["GroupName"] for g in seen["SecurityGroups"]] == ["default"], seen
        assert ec2.describe_instance_attribute(InstanceId=again, Attribute="userData")["UserData"] == {}
        ec2.terminate_instances(InstanceIds=[made, again])


def test_CI_2_CI_15_mistakes_change_nothing(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    create = ec2.create_image
    assert refusal(create, InstanceId="i-0123456789abcdef0", Name="any")[0] == "InvalidInstanceID.NotFound"
    assert refusal(create, InstanceId=instance, Name="x")[0] == "InvalidAMIName.Malformed"
    assert refusal(create, InstanceId="i-0123456789abcdef0", Name="x")[0] == "InvalidAMIName.Malformed", "WIRE-9"
    assert refusal(create, InstanceId=instance, Name="base")[0] == "InvalidAMIName.Duplicate"
    assert refusal(create, InstanceId=instance, Name="dry", DryRun=True)[0] == "DryRunOperation"
    (root,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    ebs = {"VolumeSize": root["Size"], "VolumeType": root["VolumeType"], "Iops": root["Iops"]}  # CI-9: said as it is
    mapping = [{"DeviceName": root["Attachments"][0]["Device"], "Ebs": ebs}]
    assert refusal(create, InstanceId=instance, Name="dry", BlockDeviceMappings=mapping, DryRun=True)[0] == "DryRunOperation"
    snapshots = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")
    assert refusal(create, InstanceId=instance, Name="late")[0] == "InvalidInstanceID.NotFound"
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == snapshots


def test_CI_13_an_image_outlives_its_instance(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    image = ec2.create_image(InstanceId=instance, Name="survivor", NoReboot=True)["ImageId"]
    ec2.terminate_instances(InstanceIds=[instance])
    wait_for(ec2, instance, "terminated")
    available(ec2, image)
    assert_same_root(service, launch(service, ec2, image))


if __name__ == "__main__":
    kiln_test.main()
