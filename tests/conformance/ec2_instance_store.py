#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instance store disks: which there are, how long their bytes live, and that nothing else has them. The fake hypervisor runs no
guest; the test writes to the disks' files as one would."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

GB = 1_000_000_000
ROOT = "/dev/xvda"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        kiln.ec2 = kiln.client("ec2")
        mapping = [{"DeviceName": ROOT, "Ebs": {"SnapshotId": kiln.snapshot}}]
        base = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": ROOT, "EnaSupport": True}
        kiln.plain = kiln.ec2.register_image(Name="plain", BlockDeviceMappings=mapping, **base)["ImageId"]
        kiln.mapped = kiln.ec2.register_image(Name="mapped", BlockDeviceMappings=[*mapping, store("/dev/sdb", 0), store("/dev/sdc", 1)], **base)["ImageId"]
        yield kiln


def store(device, number):
    return {"DeviceName": device, "VirtualName": f"ephemeral{number}"}


def launch(service, kind, image=None, *entries):
    (made,) = service.ec2.run_instances(
        ImageId=image or service.plain, InstanceType=kind, MinCount=1, MaxCount=1, BlockDeviceMappings=list(entries))["Instances"]  # fmt: skip
    service.ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return made["InstanceId"]


def end(service, *instances):
    service.ec2.terminate_instances(InstanceIds=list(instances))
    service.ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def disks(service, instance):
    """Path and size of each, by name."""
    directory = os.path.join(service.data, "instances", instance)
    return {
        name.removesuffix(".raw"): (os.path.join(directory, name), os.stat(os.path.join(directory, name)).st_size)
        for name in (os.listdir(directory) if os.path.isdir(directory) else [])
        if name.startswith("ephemeral")
    }


def size_of(gigabytes):
    return gigabytes * GB // 4096 * 4096


def test_IST_1_IST_3_which_disks_there_are(service):
    for kind, image, entries, expected in (
        ("t3.nano", service.mapped, [], {}),
        ("m3.medium", service.plain, [], {}),
        ("m3.medium", service.plain, [store("/dev/sdd", 0)], {"ephemeral0": size_of(4)}),
        ("m3.medium", service.plain, [store("/dev/sdd", 23)], {}),
        ("m3.medium", service.mapped, [], {"ephemeral0": size_of(4)}),  # it has one
        ("m3.medium", service.mapped, [{"DeviceName": "/dev/sdb", "NoDevice": ""}], {}),
        ("m3.medium", service.mapped, [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}}], {}),
        ("c5d.large", service.plain, [], {"ephemeral0": size_of(50)}),
        ("c5d.large", service.mapped, [{"DeviceName": "/dev/sdb", "NoDevice": ""}], {"ephemeral0": size_of(50)}),
    ):
        instance = launch(service, kind, image, *entries)
        found = disks(service, instance)
        assert {name: size for name, (_, size) in found.items()} == expected, (kind, entries, found)
        assert all(os.stat(path).st_blocks == 0 for path, _ in found.values()), found
        seen = service.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        assert all("Ebs" in entry for entry in seen["BlockDeviceMappings"]), seen
        end(service, instance)
        assert disks(service, instance) == {}


def test_IST_1_the_device_of_a_disk_is_taken(service):
    volume = service.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    mapped, nvme = launch(service, "m3.medium", service.mapped), launch(service, "c5d.large", service.mapped)
    words = expect("InvalidParameterValue", service.ec2.attach_volume, VolumeId=volume, InstanceId=mapped, Device="/dev/sdb")
    assert words.endswith("Attachment point /dev/sdb is already in use"), words
    # /dev/sdc is mapped to a disk that the type does not have, and entries for NVMe disks mean nothing.
    for instance, device in ((mapped, "/dev/sdc"), (nvme, "/dev/sdb")):
        service.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
        service.ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        wait_until(lambda: service.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"] == "attached", 30, "it is attached")
        service.ec2.detach_volume(VolumeId=volume)
        service.ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    end(service, mapped, nvme)


def test_IST_2_how_long_the_bytes_live(service):
    ec2 = service.ec2
    instance = launch(service, "c5d.large")

    def path():
        return disks(service, instance)["ephemeral0"][0]

    def content():
        with open(path(), "rb") as disk:
            return disk.read(5)

    with open(path(), "r+b") as disk:
        disk.write(b"bytes")
    ec2.reboot_instances(InstanceIds=[instance])
    status = {"InstanceIds": [instance], "IncludeAllInstances": True}
    wait_until(lambda: ec2.describe_instance_status(**status)["InstanceStatuses"][0]["InstanceState"]["Name"] == "running", 30, "it runs")
    image = ec2.create_image(InstanceId=instance, Name="with a reboot")["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert content() == b"bytes"
    ec2.stop_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert disks(service, instance) == {}
    ec2.start_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert content() == bytes(5) and os.stat(path()).st_blocks == 0
    # Another type has other disks.
    ec2.stop_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.nano"})
    ec2.start_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert disks(service, instance) == {}
    end(service, instance)


def test_IST_4_CI_8_images_have_the_entries_and_not_the_bytes(service):
    ec2 = service.ec2
    instance = launch(service, "m3.medium", service.mapped)
    with open(disks(service, instance)["ephemeral0"][0], "r+b") as disk:
        disk.write(b"bytes")
    image = ec2.create_image(InstanceId=instance, Name="of a store", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    entries = {entry["DeviceName"]: entry for entry in ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]}
    assert sorted(entries) == ["/dev/sdb", "/dev/sdc", ROOT] and [d for d, e in entries.items() if "Ebs" in e] == [ROOT], entries
    assert entries["/dev/sdb"]["VirtualName"] == "ephemeral0" and entries["/dev/sdc"]["VirtualName"] == "ephemeral1", entries
    assert len(ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"]) == 1
    again = launch(service, "m3.medium", image)
    with open(disks(service, again)["ephemeral0"][0], "rb") as disk:
        assert disk.read(5) == bytes(5)
    end(service, instance, again)


if __name__ == "__main__":
    kiln_test.main()
