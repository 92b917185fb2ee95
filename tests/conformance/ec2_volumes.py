#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Volumes over the scripted hypervisor: made, described, attached, detached and deleted, with the mistakes people make."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import refusal  # noqa: E402

ZONE = "us-east-1a"
UNKNOWN = "vol-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def one(ec2, volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def instance_state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def launch(kiln, ec2):
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)
    instance = made["Instances"][0]["InstanceId"]
    wait_until(lambda: instance_state(ec2, instance) == "running", 30, "it runs")
    return instance


def test_VOL_2_a_volume_is_made_empty_or_from_a_snapshot(service):
    ec2 = service.client("ec2")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}]
    made = ec2.create_volume(AvailabilityZone=ZONE, Size=3, VolumeType="gp3", TagSpecifications=tags)
    assert made["State"] == "creating" and made["Size"] == 3 and not made.get("Attachments"), made
    ec2.get_waiter("volume_available").wait(VolumeIds=[made["VolumeId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    seen = one(ec2, made["VolumeId"])
    assert seen["State"] == "available" and seen["SnapshotId"] == "" and seen["Tags"] == tags[0]["Tags"], seen
    assert seen["AvailabilityZone"] == ZONE and not seen["Encrypted"] and seen["VolumeType"] == "gp3"
    assert (seen["Iops"], seen["Throughput"]) == (made["Iops"], made["Throughput"]) == (3000, 125), seen
    cloned = service.aws("ec2", "create-volume", "--availability-zone", ZONE, "--snapshot-id", service.snapshot)
    assert cloned["SnapshotId"] == service.snapshot and cloned["Size"] == 1 and cloned["VolumeType"] == "gp2"
    assert cloned["Iops"] == 100 and "Throughput" not in cloned, cloned
    assert ec2.create_volume(AvailabilityZone=ZONE, Size=200)["Iops"] == 600
    assert "Iops" not in ec2.create_volume(AvailabilityZone=ZONE, Size=1, VolumeType="standard")


def test_VOL_20_a_volume_shows_the_performance_its_type_gives_it(service):
    ec2 = service.client("ec2")

    def shown(volume):
        return volume.get("Iops"), volume.get("Throughput")

    for kind, size, more, expected in (
        ("gp3", 1, {}, (3000, 125)),
        ("gp3", 8, {"Iops": 3500}, (3500, 125)),
        ("gp3", 8, {"Throughput": 200}, (3000, 200)),
        ("gp2", 1, {}, (100, None)),
        ("gp2", 50, {}, (150, None)),
        ("gp2", 6000, {}, (16000, None)),
        ("io1", 8, {"Iops": 200}, (200, None)),
        ("st1", 125, {}, (None, None)),
        ("standard", 1, {}, (None, None)),
    ):
        made = ec2.create_volume(AvailabilityZone=ZONE, Size=size, VolumeType=kind, **more)
        assert shown(made) == shown(one(ec2, made["VolumeId"])) == expected, (kind, size, made)
        ec2.delete_volume(VolumeId=made["VolumeId"])
    copied, changed = (ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(2))
    answer = query(service, "CopyVolumes", {"SourceVolumeId": copied, "VolumeType": "gp3"})
    assert answer.texts("volumeSet/item/iops") == ["3000"] and answer.texts("volumeSet/item/throughput") == ["125"], answer.body
    (copy,) = answer.texts("volumeSet/item/volumeId")
    wait_until(lambda: one(ec2, copy)["State"] == "available", 30, "the copy is available")
    ec2.delete_volume(VolumeId=copy)
    # Of a modification, too; the filters are by what is shown.
    ec2.modify_volume(VolumeId=changed, Size=40)
    (change,) = ec2.describe_volumes_modifications(VolumeIds=[changed])["VolumesModifications"]
    assert (change["OriginalIops"], change["TargetIops"]) == (100, 120), change
    filters = [{"Name": "target-iops", "Values": ["120"]}, {"Name": "targetMultiAttachEnabled", "Values": ["false"]}]
    (found,) = ec2.describe_volumes_modifications(Filters=filters)["VolumesModifications"]
    assert found["VolumeId"] == changed, found


def test_VOL_20_an_image_takes_the_performance_of_the_volume(service):
    ec2 = service.client("ec2")
    devices = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3"}}]
    made = ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=devices)
    instance = made["Instances"][0]["InstanceId"]
    wait_until(lambda: instance_state(ec2, instance) == "running", 30, "it runs")
    # CI-9: what is restated as it is changes nothing.
    restated = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp3", "Iops": 3000, "Throughput": 125}}]
    image = ec2.create_image(InstanceId=instance, Name="as shown", NoReboot=True, BlockDeviceMappings=restated)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    (seen,) = ec2.describe_images(ImageIds=[image])["Images"]
    ebs = {m["DeviceName"]: m["Ebs"] for m in seen["BlockDeviceMappings"]}
    assert (ebs["/dev/sdf"]["Iops"], ebs["/dev/sdf"]["Throughput"]) == (3000, 125), ebs
    assert "Iops" not in ebs["/dev/xvda"], ebs


def test_VOL_20_the_mapping_of_a_registered_image_tells_the_performance_of_gp3(service):
    ec2 = service.client("ec2")

    def figures(of):
        return of.get("Iops"), of.get("Throughput")

    def device(name, **ebs):
        return {"DeviceName": name, "Ebs": ebs}

    image = ec2.register_image(
        Name="performance", Architecture="x86_64", VirtualizationType="hvm", RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[
            device("/dev/xvda", SnapshotId=service.snapshot, VolumeType="gp3"),
            device("/dev/sdf", VolumeSize=8, VolumeType="gp3", Iops=3500, DeleteOnTermination=True),
            device("/dev/sdg", VolumeSize=8, VolumeType="gp3", Throughput=200, DeleteOnTermination=True),
            device("/dev/sdh", VolumeSize=8, DeleteOnTermination=True),
        ],
    )["ImageId"]  # fmt: skip
    expected = {"/dev/xvda": (3000, 125), "/dev/sdf": (3500, 125), "/dev/sdg": (3000, 200), "/dev/sdh": (None, None)}
    (seen,) = ec2.describe_images(ImageIds=[image])["Images"]
    assert {m["DeviceName"]: figures(m["Ebs"]) for m in seen["BlockDeviceMappings"]} == expected, seen

    def launched(*devices):
        made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=list(devices))
        instance = made["Instances"][0]["InstanceId"]
        wait_until(lambda: instance_state(ec2, instance) == "running", 30, "it runs")
        volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return {v["Attachments"][0]["Device"]: (v["VolumeType"], *figures(v)) for v in volumes}

    as_registered = {name: ("gp3", *of) for name, of in expected.items() if of[0]} | {"/dev/sdh": ("gp2", 100, None)}
    assert launched() == as_registered
    # BDM-9: another type takes none of them; what is said of the same one goes over them.
    assert launched(
        device("/dev/xvda", VolumeType="gp2"), device("/dev/sdf", VolumeType="standard"), device("/dev/sdg", VolumeType="io1", Iops=100),
        device("/dev/sdh", VolumeType="gp3"),
    ) == {
        "/dev/xvda": ("gp2", 100, None), "/dev/sdf": ("standard", None, None), "/dev/sdg": ("io1", 100, None), "/dev/sdh": ("gp3", 3000, 125),
    }  # fmt: skip
    assert launched(device("/dev/xvda", Throughput=300), device("/dev/sdf", VolumeType="gp3", Iops=4000)) == as_registered | {
        "/dev/xvda": ("gp3", 3000, 300), "/dev/sdf": ("gp3", 4000, 125),
    }  # fmt: skip
    ec2.deregister_image(ImageId=image)


def test_VOL_10_no_volume_is_managed_by_another_service(service):
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    for name, value, expected in (("operator.managed", "false", [volume]), ("operator.managed", "true", []), ("operator.principal", "*", [])):
        filters = [{"Name": name, "Values": [value]}]
        assert [v["VolumeId"] for v in ec2.describe_volumes(VolumeIds=[volume], Filters=filters)["Volumes"]] == expected, name
    assert query(service, "DescribeVolumes", {"VolumeId.1": volume}).texts("volumeSet/item/operator/managed") == ["false"]


def test_VOL_2_mistakes_at_creation(service):
    ec2 = service.client("ec2")
    create = ec2.create_volume
    assert refusal(create, AvailabilityZone=ZONE)[0] == "MissingParameter"
    assert refusal(create, AvailabilityZone="mars-1a", Size=1)[0] == "InvalidZone.NotFound"
    assert refusal(create, AvailabilityZone=ZONE, SnapshotId="snap-0123456789abcdef0")[0] == "InvalidSnapshot.NotFound"
    assert refusal(create, AvailabilityZone=ZONE, SnapshotId="snap-zz")[0] == "InvalidParameterValue"
    assert refusal(create, AvailabilityZone=ZONE, Size=0)[0] == "InvalidParameterValue"
    assert refusal(create, AvailabilityZone=ZONE, Size=65537)[0] == "InvalidParameterValue"
    assert refusal(create, AvailabilityZone=ZONE, Size=1, VolumeType="floppy")[0] == "UnknownVolumeType"
    assert refusal(create, AvailabilityZone=ZONE, Size=1, DryRun=True)[0] == "DryRunOperation"
    assert refusal(create, AvailabilityZone=ZONE, Size=1, Encrypted=True)[0] == "UnsupportedOperation"


def test_IDM_a_client_token_makes_one_volume(service):
    ec2 = service.client("ec2")
    first = ec2.create_volume(AvailabilityZone=ZONE, Size=2, ClientToken="once")["VolumeId"]
    assert ec2.create_volume(AvailabilityZone=ZONE, Size=2, ClientToken="once")["VolumeId"] == first
    other = refusal(ec2.create_volume, AvailabilityZone=ZONE, Size=4, ClientToken="once")
    assert other[0] == "IdempotentParameterMismatch"


def test_VOL_10_FLT_10_no_volume_is_managed_by_somebody_else(service):
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    for name, value, found in (("operator.managed", "false", [volume]), ("operator.managed", "true", []), ("operator.principal", "*", [])):
        filters = [{"Name": name, "Values": [value]}, {"Name": "volume-id", "Values": [volume]}]
        assert [v["VolumeId"] for v in ec2.describe_volumes(Filters=filters)["Volumes"]] == found, name
    assert query(service, "DescribeVolumes", {"VolumeId.1": volume}).texts("volumeSet/item/operator/managed") == ["false"]


def test_VOL_4_VOL_5_a_running_instance_takes_a_volume_and_lets_it_go(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    answer = ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    assert answer["State"] == "attaching" and answer["Device"] == "/dev/sdf", answer
    assert one(ec2, volume)["State"] == "in-use"
    wait_until(lambda: one(ec2, volume)["Attachments"][0]["State"] == "attached", 30, "it is attached")
    attachment = one(ec2, volume)["Attachments"][0]
    assert attachment["InstanceId"] == instance and attachment["DeleteOnTermination"] is False
    found = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}, {"Name": "attachment.device", "Values": ["/dev/sdf"]}]
    )["Volumes"]
    assert [v["VolumeId"] for v in found] == [volume]

    second = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    assert refusal(ec2.attach_volume, VolumeId=volume, InstanceId=instance, Device="/dev/sdg")[0] == "VolumeInUse"
    assert refusal(ec2.attach_volume, VolumeId=second, InstanceId=instance, Device="/dev/sdf") == (
        "InvalidParameterValue",
        "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use",
    )
    assert refusal(ec2.attach_volume, VolumeId=second, InstanceId=instance, Device="nonsense")[0] == "InvalidParameterValue"
    assert refusal(ec2.delete_volume, VolumeId=volume) == ("VolumeInUse", f"Volume {volume} is currently attached to {instance}")
    elsewhere = ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"]
    assert refusal(ec2.attach_volume, VolumeId=elsewhere, InstanceId=instance, Device="/dev/sdg")[0] == (
        "InvalidVolume.ZoneMismatch"
    )

    detached = ec2.detach_volume(VolumeId=volume)
    assert detached["State"] == "detaching", detached
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert refusal(ec2.detach_volume, VolumeId=volume) == (
        "IncorrectState",
        f"Volume '{volume}' is in the 'available' state.",
    )
    root = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]["VolumeId"]
    assert refusal(ec2.detach_volume, VolumeId=root)[0] == "OperationNotPermitted"
    for gone in (volume, second, elsewhere):
        ec2.delete_volume(VolumeId=gone)
        assert refusal(ec2.describe_volumes, VolumeIds=[gone]) == (
            "InvalidVolume.NotFound",
            f"The volume '{gone}' does not exist.",
        )


def test_STP_a_stopped_instance_gets_another_root(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    ec2.stop_instances(InstanceIds=[instance])
    wait_until(lambda: instance_state(ec2, instance) == "stopped", 30, "it is stopped")
    root = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]["VolumeId"]
    ec2.detach_volume(VolumeId=root, InstanceId=instance, Device="/dev/xvda")
    assert one(ec2, root)["State"] == "available"
    assert refusal(ec2.start_instances, InstanceIds=[instance]) == (
        "IncorrectInstanceState",
        f"Instance '{instance}' does not have a volume attached at root (/dev/xvda)",
    )
    fresh = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=service.snapshot)["VolumeId"]
    ec2.attach_volume(VolumeId=fresh, InstanceId=instance, Device="/dev/xvda")
    ec2.start_instances(InstanceIds=[instance])
    wait_until(lambda: instance_state(ec2, instance) == "running", 30, "it runs again")
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(lambda: instance_state(ec2, instance) == "terminated", 30, "it is terminated")
    assert one(ec2, fresh)["State"] == "available"  # VOL-4: attached later, it stays


def test_VOL_10_filters_pages_and_unknown_ids(service):
    ec2 = service.client("ec2")
    mine = {ec2.create_volume(AvailabilityZone=ZONE, Size=7)["VolumeId"] for _ in range(6)}
    filters = [{"Name": "size", "Values": ["7"]}, {"Name": "status", "Values": ["avail*"]}]
    pages = list(ec2.get_paginator("describe_volumes").paginate(Filters=filters, PaginationConfig={"PageSize": 5}))
    assert [len(page["Volumes"]) for page in pages] == [5, 1]
    assert {v["VolumeId"] for page in pages for v in page["Volumes"]} == mine
    assert refusal(ec2.describe_volumes, VolumeIds=[UNKNOWN])[0] == "InvalidVolume.NotFound"
    assert refusal(ec2.describe_volumes, VolumeIds=["vol-zz"])[0] == "InvalidParameterValue"
    assert refusal(ec2.describe_volumes, Filters=[{"Name": "colour", "Values": ["red"]}])[0] == "InvalidParameterValue"


if __name__ == "__main__":
    kiln_test.main()
