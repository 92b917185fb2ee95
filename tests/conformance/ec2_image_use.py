#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may use an image, and that its snapshots are not shared with it."""

import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        kiln.ec2 = kiln.client("ec2")
        kiln.listed, kiln.stranger = kiln.account("listed"), kiln.account("stranger")
        yield kiln


def launch(ec2, image):
    request = {"ImageId": image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    instance = ec2.run_instances(**request)["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    seen = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return instance, seen["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def share(service, **change):
    service.ec2.modify_image_attribute(ImageId=service.image, LaunchPermission=change)


def test_LP_2_owner_listed_accounts_and_everybody_when_public(service):
    listed, stranger = service.listed.client("ec2"), service.stranger.client("ec2")

    def who():
        """Who launches it, and who is shown it: the same ones."""
        launched, shown = set(), set()
        for name, ec2 in (("owner", service.ec2), ("listed", listed), ("stranger", stranger)):
            try:
                ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=1, MaxCount=1, DryRun=True)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                assert code in ("DryRunOperation", "AuthFailure"), error
                launched |= {name} if code == "DryRunOperation" else set()
            shown |= {name} if ec2.describe_images()["Images"] else set()
        assert launched == shown, (launched, shown)
        return launched

    assert who() == {"owner"}
    share(service, Add=[{"UserId": service.listed.id}])
    assert who() == {"owner", "listed"}
    share(service, Add=[{"Group": "all"}])
    assert who() == {"owner", "listed", "stranger"}
    share(service, Remove=[{"UserId": service.listed.id}])
    assert who() == {"owner", "listed", "stranger"}, "it is public"
    share(service, Remove=[{"Group": "all"}])
    assert who() == {"owner"}


def test_LP_8_a_launch_reads_what_its_caller_may_not(service):
    other = service.listed
    ec2, ebs = other.client("ec2"), other.client("ebs")
    share(service, Add=[{"UserId": other.id}])
    (entry,) = ec2.describe_images(ImageIds=[service.image])["Images"][0]["BlockDeviceMappings"]
    snapshot = entry["Ebs"]["SnapshotId"]
    assert snapshot == service.snapshot
    instance, volume = launch(ec2, service.image)
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["SnapshotId"] == snapshot
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    image = {"Name": "mine", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mapping}

    def refused():
        assert ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"] == [] == ec2.describe_snapshots()["Snapshots"]
        expect("InvalidSnapshot.NotFound", ec2.create_volume, AvailabilityZone="us-east-1a", SnapshotId=snapshot)
        expect("InvalidSnapshot.NotFound", ec2.register_image, **image)
        expect("InvalidSnapshot.NotFound", ec2.copy_snapshot, SourceRegion="us-east-1", SourceSnapshotId=snapshot)
        expect("InvalidRequest", ec2.copy_image, Name="copy", SourceRegion="us-east-1", SourceImageId=service.image)
        expect("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId=snapshot)
        for words in (("inspect", snapshot), ("verify", snapshot), ("export", snapshot, os.path.join(service.home, "out.raw"))):
            done = other.run(*words, check=False)
            assert done.returncode != 0 and "InvalidSnapshot.NotFound" in done.stderr, (words, done.stderr)

    refused()
    # Not even beside the image's own, where a launch names it itself.
    second = service.ec2.create_snapshot(VolumeId=service.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"])["SnapshotId"]
    service.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[second], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    request = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    more = [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": second}}]
    expect("InvalidSnapshot.NotFound", ec2.run_instances, **request, BlockDeviceMappings=more)
    # The bytes are there, for the instance and for whom it belongs to.
    own = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[own], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    with open(service.raw, "rb") as file:
        (block,) = ebs.list_snapshot_blocks(SnapshotId=own)["Blocks"]
        got = ebs.get_snapshot_block(SnapshotId=own, **block)
        data = got["BlockData"].read()
        assert data == file.read(len(data)) and base64.b64decode(got["Checksum"])
    ec2.delete_snapshot(SnapshotId=own)
    # With the permission of the snapshot too, it is read.
    service.ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": other.id}]})
    made = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)["VolumeId"]
    ec2.delete_volume(VolumeId=made)
    service.ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    refused()
    share(service, Remove=[{"UserId": other.id}])
    ec2.terminate_instances(InstanceIds=[instance])


if __name__ == "__main__":
    kiln_test.main()
