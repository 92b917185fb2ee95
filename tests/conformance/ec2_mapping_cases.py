#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Block device mappings, case by case: what each way to say a device comes to in a launch and in an image of an instance, or the
code and the words with which it is refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.refusals import refusal  # noqa: E402

ROOT = "/dev/xvda"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        kiln.ec2 = kiln.client("ec2")
        kiln.large = snapshot_of(kiln.ec2, 3)
        yield kiln


def snapshot_of(ec2, size):
    """A completed snapshot of an empty volume."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=size)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.delete_volume(VolumeId=volume)
    return snapshot


def root(service, **ebs):
    return {"DeviceName": ROOT, "Ebs": {"SnapshotId": service.snapshot, **ebs}}


def data(device, **ebs):
    return {"DeviceName": device, "Ebs": ebs}


def register(service, *entries, **more):
    return service.ec2.register_image(**{
        "Name": "all kinds", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": ROOT, "BlockDeviceMappings": list(entries), **more,
    })  # fmt: skip


def launched(service, *entries, count=1, **more):
    return service.ec2.run_instances(**{
        "ImageId": service.image, "InstanceType": "t2.nano", "MinCount": count, "MaxCount": count,
        "BlockDeviceMappings": list(entries), **more,
    })["Instances"]  # fmt: skip


def volumes_of(service, instance):
    found = service.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}])
    return {volume["Attachments"][0]["Device"]: volume for volume in found["Volumes"]}


def end(service, *instances):
    ids = [instance["InstanceId"] for instance in instances]
    service.ec2.terminate_instances(InstanceIds=ids)
    service.ec2.get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def launch_cases(service):
    """What an image with a root, a data volume and a store is launched with, and what comes of it: by device (size, snapshot,
    whether it goes with the instance, type), or code and message."""
    unchanged = {ROOT: (1, "root", True, "gp2"), "/dev/sdh": (5, "large", True, "gp3")}
    other = snapshot_of(service.ec2, 2)
    mapping, value, combination = "InvalidBlockDeviceMapping", "InvalidParameterValue", "InvalidParameterCombination"
    return other, (
        # Nothing said, nothing changed.
        ([], unchanged),
        ([data("/dev/sdh", DeleteOnTermination=True)], unchanged),
        # NoDevice: its presence decides; one that is not there is nothing.
        ([{"DeviceName": "/dev/sdh", "NoDevice": ""}], {ROOT: unchanged[ROOT]}),
        ([{"DeviceName": "sdh", "NoDevice": "false", "Ebs": {"VolumeSize": 9}}], {ROOT: unchanged[ROOT]}),
        ([{"DeviceName": "/dev/sdz", "NoDevice": ""}], unchanged),
        ([{"DeviceName": ROOT, "NoDevice": ""}], (mapping, f"The root device '{ROOT}' cannot be removed or replaced")),
        # Field by field: what an entry does not say stays.
        ([data("/dev/sdh", VolumeSize=7)], unchanged | {"/dev/sdh": (7, "large", True, "gp3")}),
        ([data("sdh", DeleteOnTermination=False)], unchanged | {"/dev/sdh": (5, "large", False, "gp3")}),
        ([data("/dev/sdh", VolumeType="gp2")], unchanged | {"/dev/sdh": (5, "large", True, "gp2")}),
        ([data("/dev/sdh", VolumeSize=2)], (mapping, f"Volume of size 2GB is smaller than snapshot '{service.large}', expect size >= 3GB")),
        ([data("/dev/sdh", SnapshotId=other)], unchanged | {"/dev/sdh": (5, other, True, "gp3")}),
        ([data("/dev/sdh", SnapshotId=other, VolumeSize=1)], (mapping, f"Volume of size 1GB is smaller than snapshot '{other}', expect size >= 2GB")),
        ([data("/dev/sdh", SnapshotId="snap-0fedcba9876543210")], ("InvalidSnapshot.NotFound", "The snapshot 'snap-0fedcba9876543210' does not exist.")),
        # New ones: empty, of a snapshot, of neither.
        ([data("/dev/sdf", VolumeSize=2)], unchanged | {"/dev/sdf": (2, "", False, "gp2")}),
        ([data("/dev/sdf", SnapshotId=other)], unchanged | {"/dev/sdf": (2, other, False, "gp2")}),
        ([data("/dev/sdf", SnapshotId=other, VolumeSize=4, DeleteOnTermination=True)], unchanged | {"/dev/sdf": (4, other, True, "gp2")}),
        ([data("/dev/sdf", DeleteOnTermination=True)], ("MissingParameter", "The request must contain the parameter size or snapshotId")),
        ([data("/dev/sdf", VolumeSize=0)], (value, "Volume of 0GiB is too small; minimum is 1GiB.")),
        ([data("/dev/sdf", VolumeSize=16385)], (value, "Volume of 16385GiB is too large; maximum is 16384GiB.")),
        ([data("/dev/sdf", VolumeSize=9, VolumeType="gp4")], ("UnknownVolumeType", "Unsupported volume type 'gp4' for volume creation.")),
        ([data("/dev/sdf", VolumeSize=9, VolumeType="io1")], ("MissingParameter", "The request must contain the parameter iops")),
        ([data("/dev/sdf", VolumeSize=9, VolumeType="gp2", Iops=100)], (combination, "The parameter iops is not supported for gp2 volumes.")),
        ([data("/dev/sdf", VolumeSize=9, VolumeType="io1", Iops=500)], (value, "Iops to volume size ratio of 55.6 is too high; maximum is 50")),
        # The root, by the name the image has for it; another name is another volume.
        ([data(ROOT, VolumeSize=2)], unchanged | {ROOT: (2, "root", True, "gp2")}),
        ([data("xvda", VolumeSize=2)], unchanged | {ROOT: (2, "root", True, "gp2")}),
        ([data(ROOT, DeleteOnTermination=False)], unchanged | {ROOT: (1, "root", False, "gp2")}),
        ([data(ROOT, VolumeType="gp3", Iops=3000, Throughput=125)], unchanged | {ROOT: (1, "root", True, "gp3")}),
        ([data(ROOT, SnapshotId=service.snapshot)], unchanged),
        ([data(ROOT, SnapshotId=other)], (mapping, "snapshotId cannot be modified on root device")),
        ([data(ROOT, VolumeType="st1", VolumeSize=125)], ("BootForVolumeTypeUnsupported", "The volume type st1 cannot be a boot device.")),
        ([data("/dev/sda1", VolumeSize=2)], unchanged | {"/dev/sda1": (2, "", False, "gp2")}),
        ([{"DeviceName": ROOT, "VirtualName": "ephemeral0"}], (mapping, f"The root device '{ROOT}' cannot be removed or replaced")),
        # Instance stores, and what becomes the other thing.
        ([{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral23"}], unchanged),
        ([{"DeviceName": "/dev/sdh", "VirtualName": "ephemeral0"}], {ROOT: unchanged[ROOT]}),
        ([data("/dev/sdb", VolumeSize=1)], unchanged | {"/dev/sdb": (1, "", False, "gp2")}),
        ([data("/dev/sdb", DeleteOnTermination=True)], ("MissingParameter", "The request must contain the parameter size or snapshotId")),
        ([{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral24"}], (mapping, "Invalid virtual name 'ephemeral24'")),
        ([{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral01"}], (mapping, "Invalid virtual name 'ephemeral01'")),
        ([{"DeviceName": "/dev/sdc", "VirtualName": "disk"}], (mapping, "Invalid virtual name 'disk'")),
        ([{"DeviceName": "/dev/sdc"}], (mapping, "The device '/dev/sdc' must have exactly one of Ebs, VirtualName and NoDevice")),
        ([{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0", "Ebs": {"VolumeSize": 1}}],
         (mapping, "The device '/dev/sdc' must have exactly one of Ebs, VirtualName and NoDevice")),
        # Names.
        ([data("/dev/sdf", VolumeSize=1), data("sdf", VolumeSize=1)], (mapping, "The device 'sdf' is used in more than one block-device mapping")),
        ([data("/dev/sdf1", VolumeSize=1)], (mapping, "Invalid device name /dev/sdf1")),
        ([data("/dev/vda", VolumeSize=1)], (mapping, "Invalid device name /dev/vda")),
        # Encryption.
        ([data("/dev/sdf", VolumeSize=1, Encrypted=False)], unchanged | {"/dev/sdf": (1, "", False, "gp2")}),
        ([data("/dev/sdf", VolumeSize=1, KmsKeyId="alias/mine")],
         ("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")),
        ([data("/dev/sdf", VolumeSize=1, Encrypted=True)],
         ("UnsupportedOperation", "Encrypted volumes are not built yet; leave out Encrypted and KmsKeyId.")),
    )  # fmt: skip


def test_BDM_1_BDM_2_BDM_4_BDM_8_BDM_9_BDM_10_BDM_11_BDM_17_every_case_of_a_launch(service):
    ec2 = service.ec2
    entries = [root(service), data("/dev/sdh", SnapshotId=service.large, VolumeSize=5, VolumeType="gp3", DeleteOnTermination=True)]
    store = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    image = register(service, *entries, store)["ImageId"]
    other, cases = launch_cases(service)
    names = {service.snapshot: "root", service.large: "large", "": "", other: other}
    for over, expected in cases:
        if isinstance(expected, tuple):
            before = (len(ec2.describe_instances()["Reservations"]), len(ec2.describe_volumes()["Volumes"]))
            got = refusal(
                ec2.run_instances, ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, BlockDeviceMappings=over)  # fmt: skip
            assert got == expected, (over, got)
            assert before == (len(ec2.describe_instances()["Reservations"]), len(ec2.describe_volumes()["Volumes"])), over
            continue
        (instance,) = launched(service, *over, ImageId=image)
        seen = {
            device: (volume["Size"], names[volume["SnapshotId"]], volume["Attachments"][0]["DeleteOnTermination"], volume["VolumeType"])
            for device, volume in volumes_of(service, instance).items()
        }
        assert seen == expected, (over, seen)
        end(service, instance)
    ec2.deregister_image(ImageId=image)


def test_BDM_6_a_paravirtual_disk_is_whole_or_partitions(service):
    entries = [data("/dev/sda1", SnapshotId=service.snapshot), data("/dev/sdc", VolumeSize=1)]
    base = {"VirtualizationType": "paravirtual", "RootDeviceName": "/dev/sda1"}
    for device, words in (
        ("/dev/sdc2", "The devices '/dev/sdc' and '/dev/sdc2' are a disk and a partition of it"),
        ("/dev/sda", "The devices '/dev/sda1' and '/dev/sda' are a disk and a partition of it"),
    ):
        got = refusal(lambda **more: register(service, *entries, data(device, VolumeSize=1), **more), **base)
        assert got == ("InvalidBlockDeviceMapping", words), got
    for device in ("/dev/sda2", "/dev/sdd3", "/dev/hdc1"):
        service.ec2.deregister_image(ImageId=register(service, *entries, data(device, VolumeSize=1), **base)["ImageId"])


def test_CI_9_every_case_of_an_image_of_an_instance(service):
    ec2 = service.ec2
    (instance,) = launched(service, data("/dev/sdf", VolumeSize=9, VolumeType="io1", Iops=100), {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"})
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    whole = {ROOT: (1, True), "/dev/sdf": (9, False), "/dev/sdb": "ephemeral0"}
    mapping = "InvalidBlockDeviceMapping"

    def unchangeable(field):
        return mapping, f"The device '/dev/sdf' is an attached volume: its {field} cannot be changed."

    for over, expected in (
        ([], whole),
        ([data("/dev/sdf", DeleteOnTermination=True)], whole | {"/dev/sdf": (9, True)}),
        ([data("sdf", VolumeSize=9, VolumeType="io1", Iops=100, Encrypted=False)], whole),  # as it is
        ([data(ROOT, DeleteOnTermination=False)], whole | {ROOT: (1, False)}),
        ([data("/dev/sdf", VolumeSize=10)], unchangeable("VolumeSize")),
        ([data("/dev/sdf", VolumeType="gp3")], unchangeable("VolumeType")),
        ([data("/dev/sdf", Iops=200)], unchangeable("Iops")),
        ([data("/dev/sdf", Throughput=125)], unchangeable("Throughput")),
        ([data("/dev/sdf", SnapshotId=service.large)], unchangeable("SnapshotId")),
        ([data("/dev/sdf", KmsKeyId="alias/mine")], unchangeable("KmsKeyId")),
        ([data("/dev/sdf", Encrypted=True)], unchangeable("Encrypted")),
        ([{"DeviceName": "/dev/sdf", "NoDevice": ""}], {ROOT: (1, True), "/dev/sdb": "ephemeral0"}),
        ([{"DeviceName": "/dev/sdb", "NoDevice": ""}], {ROOT: (1, True), "/dev/sdf": (9, False)}),
        ([{"DeviceName": "/dev/sdz", "NoDevice": ""}], whole),
        ([{"DeviceName": ROOT, "NoDevice": ""}], (mapping, f"The root device '{ROOT}' cannot be left out.")),
        ([{"DeviceName": "/dev/sdf", "VirtualName": "ephemeral1"}], (mapping, "The device '/dev/sdf' is an attached volume and cannot become an instance store.")),
        ([{"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"}], whole | {"/dev/sdc": "ephemeral1"}),
        ([data("/dev/sdb", VolumeSize=2)], whole | {"/dev/sdb": (2, False)}),
        ([data("/dev/sdg", VolumeSize=2, DeleteOnTermination=True)], whole | {"/dev/sdg": (2, True)}),
        ([data("/dev/sdg", SnapshotId=service.large)], whole | {"/dev/sdg": (3, False)}),
        ([data("/dev/sdg", DeleteOnTermination=True)], ("MissingParameter", "The request must contain the parameter size or snapshotId")),
        ([data("/dev/sdg", SnapshotId=service.large, VolumeSize=2)],
         (mapping, f"Volume of size 2GB is smaller than snapshot '{service.large}', expect size >= 3GB")),
        ([data("/dev/sdg", SnapshotId=service.large, Encrypted=False)],
         ("InvalidParameterCombination", "The parameter Encrypted must not be given for the device '/dev/sdg', which has a snapshot.")),
        ([data("/dev/sdg", VolumeSize=1), data("sdg", VolumeSize=1)], (mapping, "The device 'sdg' is used in more than one block-device mapping")),
    ):  # fmt: skip
        create = {"InstanceId": instance["InstanceId"], "Name": "a case", "NoReboot": True, "BlockDeviceMappings": over}
        if isinstance(expected, tuple):
            assert refusal(ec2.create_image, **create) == expected, over
            continue
        image = ec2.create_image(**create)["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        seen = {
            entry["DeviceName"]: entry.get("VirtualName") or (entry["Ebs"]["VolumeSize"], entry["Ebs"]["DeleteOnTermination"])
            for entry in ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
        }
        assert seen == expected, (over, seen)
        ec2.deregister_image(ImageId=image)
    assert ec2.describe_images(Filters=[{"Name": "name", "Values": ["a case"]}])["Images"] == []
    end(service, instance)


if __name__ == "__main__":
    kiln_test.main()
