#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""RegisterImage and the block device mappings of images and launches, rule by rule: what is taken, and what is refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

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


def request(service, *entries, **more):
    return {
        "Name": "an image", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": ROOT,
        "BlockDeviceMappings": list(entries) or [root(service)], **more,
    }  # fmt: skip


def registered(service, *entries, **more):
    """What is described of an image that is registered so; it is deregistered again."""
    image = service.ec2.register_image(**request(service, *entries, **more))["ImageId"]
    seen = service.ec2.describe_images(ImageIds=[image])["Images"][0]
    service.ec2.deregister_image(ImageId=image)
    return seen


def refused(service, code, *entries, **more):
    """RegisterImage is refused, and nothing of it is left."""
    message = expect(code, service.ec2.register_image, **request(service, *entries, **more))
    assert service.ec2.describe_images(Filters=[{"Name": "name", "Values": ["an image"]}])["Images"] == []
    return message


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


def ebs_of(image, device):
    (ebs,) = [entry["Ebs"] for entry in image["BlockDeviceMappings"] if entry["DeviceName"] == device]
    return ebs


def test_RI_1_RI_2_the_root_is_a_snapshot(service):
    assert registered(service)["RootDeviceType"] == "ebs"
    # Terraform sends an empty location beside the mapping.
    assert registered(service, ImageLocation="")["RootDeviceType"] == "ebs"
    message = expect("UnsupportedOperation", service.ec2.register_image, Name="an image", ImageLocation="bucket/image.manifest.xml")
    assert "ImageLocation" in message, message
    words = "No root snapshot specified in device mapping."
    for entries, more in (
        ([root(service)], {"RootDeviceName": "/dev/sda1"}),
        ([root(service)], {"RootDeviceName": "xvda"}),  # the same device, but not the same name
        ([data(ROOT, VolumeSize=1)], {}),
        ([{"DeviceName": ROOT, "VirtualName": "ephemeral0"}], {}),
        ([dict(root(service), NoDevice="")], {}),
        ([data("/dev/sdf", SnapshotId=service.snapshot)], {}),
    ):
        message = refused(service, "InvalidBlockDeviceMapping", *entries, **more)
        assert message == words, (entries, more, message)


def test_RI_5_the_root_is_no_cold_disk(service):
    for kind in ("st1", "sc1"):
        refused(service, "BootForVolumeTypeUnsupported", root(service, VolumeType=kind, VolumeSize=125))
        seen = registered(service, root(service), data("/dev/sdf", VolumeType=kind, VolumeSize=125))
        assert ebs_of(seen, "/dev/sdf")["VolumeType"] == kind, seen
    for kind in ("gp2", "gp3", "standard"):
        assert ebs_of(registered(service, root(service, VolumeType=kind)), ROOT)["VolumeType"] == kind


def test_RI_6_encryption_is_that_of_the_snapshot(service):
    assert ebs_of(registered(service), ROOT)["Encrypted"] is False
    for wrong in ({"Encrypted": False}, {"Encrypted": True}, {"KmsKeyId": "alias/mine"}):
        refused(service, "InvalidParameterCombination", root(service, **wrong))
        refused(service, "InvalidParameterCombination", root(service), data("/dev/sdf", SnapshotId=service.large, **wrong))
    refused(service, "InvalidParameterCombination", root(service), data("/dev/sdf", VolumeSize=1, KmsKeyId="alias/mine"))
    seen = registered(service, root(service), data("/dev/sdf", VolumeSize=1, Encrypted=False))
    assert ebs_of(seen, "/dev/sdf")["Encrypted"] is False, seen


def test_RI_7_a_size_is_at_least_the_snapshots(service):
    seen = registered(service, root(service), data("/dev/sdf", SnapshotId=service.large))
    assert (ebs_of(seen, ROOT)["VolumeSize"], ebs_of(seen, "/dev/sdf")["VolumeSize"]) == (1, 3), seen
    for size in (3, 4):
        seen = registered(service, root(service), data("/dev/sdf", SnapshotId=service.large, VolumeSize=size))
        assert ebs_of(seen, "/dev/sdf")["VolumeSize"] == size, seen
    message = refused(service, "InvalidBlockDeviceMapping", root(service), data("/dev/sdf", SnapshotId=service.large, VolumeSize=2))
    assert message == f"Volume of size 2GB is smaller than snapshot '{service.large}', expect size >= 3GB", message


def test_RI_10_network_features_need_hvm(service):
    seen = registered(service, EnaSupport=True, SriovNetSupport="simple")
    assert seen["EnaSupport"] is True and seen["SriovNetSupport"] == "simple", seen
    seen = registered(service)
    assert seen["EnaSupport"] is False and "SriovNetSupport" not in seen, seen
    seen = registered(service, VirtualizationType="paravirtual", SriovNetSupport="simple", EnaSupport=False)
    assert seen["EnaSupport"] is False and "SriovNetSupport" not in seen, seen
    refused(service, "InvalidParameterCombination", VirtualizationType="paravirtual", EnaSupport=True)
    for value in ("Simple", "fast"):
        refused(service, "InvalidParameterValue", SriovNetSupport=value)


def test_RI_11_what_needs_uefi(service):
    assert registered(service, BootMode="uefi", TpmSupport="v2.0")["TpmSupport"] == "v2.0"
    for mode in ({}, {"BootMode": "legacy-bios"}, {"BootMode": "uefi-preferred"}):
        refused(service, "InvalidParameterCombination", TpmSupport="v2.0", **mode)
    refused(service, "InvalidParameterCombination", Architecture="arm64", BootMode="legacy-bios")
    for architecture, mode in (("arm64", "uefi"), ("x86_64", "legacy-bios")):
        seen = registered(service, Architecture=architecture, BootMode=mode)
        assert (seen["Architecture"], seen["BootMode"]) == (architecture, mode), seen


def test_RI_15_IMG_2_images_name_snapshots_and_leave_them_as_they_are(service):
    ec2 = service.ec2
    snapshot = snapshot_of(ec2, 1)
    before = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    entries = [root(service), data("/dev/sdf", SnapshotId=snapshot)]
    first = ec2.register_image(**request(service, *entries))["ImageId"]
    second = ec2.register_image(**request(service, *entries, Name="another image"))["ImageId"]
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"] == before
    # It is not locked: it is tagged, and volumes are made of it.
    ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "a", "Value": "b"}])
    assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Tags"] == [{"Key": "a", "Value": "b"}]
    ec2.delete_volume(VolumeId=ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)["VolumeId"])
    for image in (first, second):  # as long as one of them names it
        expect("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
        ec2.deregister_image(ImageId=image)
        assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed"
    ec2.delete_snapshot(SnapshotId=snapshot)
    expect("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[snapshot])


def test_BDM_3_an_entry_needs_a_snapshot_or_a_size(service):
    message = refused(service, "MissingParameter", root(service), data("/dev/sdf", VolumeType="gp3"))
    assert "size" in message and "snapshotId" in message, message
    run = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    expect("MissingParameter", service.ec2.run_instances, **run, BlockDeviceMappings=[data("/dev/sdf", DeleteOnTermination=True)])
    expect("MissingParameter", service.ec2.create_volume, AvailabilityZone="us-east-1a")
    (instance,) = launched(service, data("/dev/sdf", VolumeSize=2), data("/dev/sdg", SnapshotId=service.large))
    volumes = volumes_of(service, instance)
    assert (volumes["/dev/sdf"]["Size"], volumes["/dev/sdg"]["Size"]) == (2, 3), volumes
    end(service, instance)


def test_BDM_7_the_type_defaults_to_gp2(service):
    seen = registered(service, root(service), data("/dev/sdf", VolumeSize=1), data("/dev/sdg", VolumeSize=1, VolumeType="gp3"))
    assert [ebs_of(seen, device)["VolumeType"] for device in (ROOT, "/dev/sdf", "/dev/sdg")] == ["gp2", "gp2", "gp3"], seen
    (instance,) = launched(service, data("/dev/sdf", VolumeSize=1), data("/dev/sdg", VolumeSize=1, VolumeType="gp3"))
    assert {device: volume["VolumeType"] for device, volume in volumes_of(service, instance).items()} == {
        ROOT: "gp2", "/dev/sdf": "gp2", "/dev/sdg": "gp3"}  # fmt: skip
    end(service, instance)


def test_BDM_12_a_volume_is_not_smaller_than_its_snapshot(service):
    words = f"Volume of size 2GB is smaller than snapshot '{service.large}', expect size >= 3GB"
    run = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    wrong = [data("/dev/sdf", SnapshotId=service.large, VolumeSize=2)]
    message = expect("InvalidBlockDeviceMapping", service.ec2.run_instances, **run, BlockDeviceMappings=wrong)
    assert message == words, message
    # Also where the size is the launch's and the snapshot the image's.
    image = service.ec2.register_image(**request(service, data(ROOT, SnapshotId=service.large)))["ImageId"]
    message = expect("InvalidBlockDeviceMapping", service.ec2.run_instances, **dict(run, ImageId=image), BlockDeviceMappings=[data(ROOT, VolumeSize=2)])
    assert message == words, message
    (instance,) = launched(service, data(ROOT, VolumeSize=4), ImageId=image)
    assert volumes_of(service, instance)[ROOT]["Size"] == 4
    end(service, instance)
    service.ec2.deregister_image(ImageId=image)
    assert refusal(service.ec2.create_volume, AvailabilityZone="us-east-1a", SnapshotId=service.large, Size=2)[1] == words


def test_BDM_13_an_instance_takes_28_volumes(service):
    letters = "bcdefghijklmnopqrstuvwxyz"
    devices = [f"/dev/sd{letter}" for letter in letters] + ["/dev/xvdba", "/dev/xvdbb", "/dev/xvdbc"]
    entries = [data(device, VolumeSize=1, DeleteOnTermination=True) for device in devices]
    assert len(entries) == 28
    run = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    message = expect("AttachmentLimitExceeded", service.ec2.run_instances, **run, BlockDeviceMappings=entries)
    assert "28" in message, message
    (instance,) = launched(service, *entries[:27])  # and the root
    assert len(volumes_of(service, instance)) == 28
    more = service.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    attach = {"VolumeId": more, "InstanceId": instance["InstanceId"], "Device": devices[27]}
    service.ec2.get_waiter("instance_running").wait(InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    expect("AttachmentLimitExceeded", service.ec2.attach_volume, **attach)
    # One goes, and there is room.
    first = volumes_of(service, instance)[devices[0]]["VolumeId"]
    service.ec2.detach_volume(VolumeId=first)
    wait_until(lambda: len(volumes_of(service, instance)) == 27, 30, "one is detached")
    service.ec2.attach_volume(**attach)
    assert len(volumes_of(service, instance)) == 28
    end(service, instance)


def test_BDM_14_instances_list_ebs_devices_only(service):
    ephemeral = {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}
    (instance,) = launched(service, ephemeral, data("/dev/sdf", VolumeSize=1))
    seen = service.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert [entry["DeviceName"] for entry in seen["BlockDeviceMappings"]] == [ROOT, "/dev/sdf"], seen  # INS-4: the root first
    assert all(set(entry) == {"DeviceName", "Ebs"} for entry in seen["BlockDeviceMappings"]), seen
    listed = query(service, "DescribeInstanceAttribute", {"InstanceId": instance["InstanceId"], "Attribute": "blockDeviceMapping"})
    assert listed.texts("blockDeviceMapping/item/deviceName") == [ROOT, "/dev/sdf"], listed.body
    end(service, instance)


if __name__ == "__main__":
    kiln_test.main()
