#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots shared with accounts and with everybody, copied within and across regions, and block public access, through boto3 and
Debian's aws: the owner, whom it is shared with, everybody, and a stranger who sees nothing."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
UNKNOWN = "snap-0123456789abcdef0"


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(3 << 20))
            disk.truncate(8 << 20)
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.friend, daemon.stranger = daemon.account("friend"), daemon.account("stranger")
        yield daemon


def make(kiln):
    """A snapshot of its own for a test."""
    copy = kiln.client("ec2", HERE).copy_snapshot(SourceRegion=HERE, SourceSnapshotId=kiln.base["snapshotId"])
    return copy["SnapshotId"]


def share(kiln, snapshot, *accounts, public=False):
    add = [{"UserId": account.id} for account in accounts] + ([{"Group": "all"}] if public else [])
    kiln.client("ec2", HERE).modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": add})


def permissions(kiln, snapshot):
    told = kiln.client("ec2", HERE).describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert told["SnapshotId"] == snapshot
    return told["CreateVolumePermissions"]


def seen(client, **request):
    return {snapshot["SnapshotId"] for page in client.get_paginator("describe_snapshots").paginate(**request) for snapshot in page["Snapshots"]}


def test_SS_1_permissions_are_added_removed_and_reset_in_both_forms(kiln):
    ec2, snapshot = kiln.client("ec2", HERE), make(kiln)
    assert permissions(kiln, snapshot) == []
    share(kiln, snapshot, kiln.friend)
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[kiln.stranger.id], GroupNames=["all"])
    everybody = [{"Group": "all"}] + [{"UserId": name} for name in sorted([kiln.friend.id, kiln.stranger.id])]
    assert permissions(kiln, snapshot) == everybody
    share(kiln, snapshot, kiln.friend)  # is there already
    assert permissions(kiln, snapshot) == everybody
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="remove", GroupNames=["all"])
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Remove": [{"UserId": kiln.stranger.id}]})
    assert permissions(kiln, snapshot) == [{"UserId": kiln.friend.id}]
    kiln.aws("ec2", "modify-snapshot-attribute", "--snapshot-id", snapshot, "--attribute", "createVolumePermission", "--operation-type", "add", "--user-ids", kiln.stranger.id)
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert permissions(kiln, snapshot) == []
    both = [{"UserId": kiln.friend.id}]  # as Packer sends it: in both forms, without an operation
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": both}, UserIds=[kiln.friend.id])
    assert permissions(kiln, snapshot) == both
    expect("MissingParameter", ec2.modify_snapshot_attribute, SnapshotId=snapshot, CreateVolumePermission={"Add": both}, UserIds=[kiln.stranger.id])
    assert permissions(kiln, snapshot) == both
    told = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="productCodes")
    assert told["ProductCodes"] == []


def test_SS_1_bad_requests_change_nothing(kiln):
    ec2, snapshot = kiln.client("ec2", HERE), make(kiln)
    share(kiln, snapshot, kiln.friend)

    def refused(code, **request):
        return expect(code, ec2.modify_snapshot_attribute, **({"SnapshotId": snapshot} | request))

    friend = {"UserId": kiln.friend.id}
    refused("MissingParameter")
    refused("InvalidUserID.Malformed", CreateVolumePermission={"Add": [{"UserId": "1234"}]})
    refused("InvalidParameterValue", CreateVolumePermission={"Add": [{"Group": "some"}]})
    refused("InvalidParameterCombination", CreateVolumePermission={"Add": [friend | {"Group": "all"}]})
    refused("InvalidParameterCombination", CreateVolumePermission={"Add": [{"Group": "all"}], "Remove": [friend]})
    refused("MissingParameter", UserIds=[kiln.stranger.id])
    refused("InvalidParameterValue", UserIds=[kiln.stranger.id], OperationType="take")
    refused("InvalidParameterValue", CreateVolumePermission={"Add": [{"UserId": f"{number:012}"} for number in range(501)]})
    refused("InvalidSnapshot.NotFound", SnapshotId=UNKNOWN, CreateVolumePermission={"Add": [friend]})
    refused("InvalidParameterValue", SnapshotId="snap-x", CreateVolumePermission={"Add": [friend]})
    refused("DryRunOperation", CreateVolumePermission={"Add": [{"Group": "all"}]}, DryRun=True)
    expect("InvalidParameterValue", ec2.describe_snapshot_attribute, SnapshotId=snapshot, Attribute="colour")
    expect("DryRunOperation", ec2.reset_snapshot_attribute, SnapshotId=snapshot, Attribute="createVolumePermission", DryRun=True)
    assert permissions(kiln, snapshot) == [friend]


def test_SNP_13_SS_3_whom_it_is_shared_with_sees_it_and_makes_of_it_what_it_likes(kiln):
    snapshot = make(kiln)
    share(kiln, snapshot, kiln.friend)
    friend, stranger = (account.client("ec2", region=HERE) for account in (kiln.friend, kiln.stranger))
    owner = kiln.client("ec2", HERE)
    account = owner.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["OwnerId"]
    assert snapshot in seen(friend) and snapshot in seen(friend, OwnerIds=[account])
    assert snapshot in seen(friend, RestorableByUserIds=["self"]) and snapshot not in seen(friend, OwnerIds=["self"])
    assert snapshot not in seen(friend, RestorableByUserIds=["all"])
    # To whom else it is shared is the owner's affair.
    assert snapshot in seen(owner, RestorableByUserIds=[kiln.friend.id])
    assert snapshot not in seen(friend, RestorableByUserIds=[account])
    for request in ({}, {"OwnerIds": [account]}, {"SnapshotIds": [snapshot]}, {"RestorableByUserIds": ["self"]}, {"RestorableByUserIds": [kiln.friend.id]}):
        assert seen(stranger, **request) == set(), request

    zone = HERE + "a"
    volume = friend.create_volume(SnapshotId=snapshot, AvailabilityZone=zone)["VolumeId"]
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    image = friend.register_image(Name="theirs", RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", BlockDeviceMappings=mapping)["ImageId"]
    copy = friend.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=snapshot)["SnapshotId"]
    friend.create_tags(Resources=[snapshot], Tags=[{"Key": "mine", "Value": "yes"}])
    assert friend.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Tags"] == [{"Key": "mine", "Value": "yes"}]
    assert "Tags" not in owner.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    # What owners do it may not do.
    for call, more in (
        (friend.modify_snapshot_attribute, {"CreateVolumePermission": {"Add": [{"Group": "all"}]}}),
        (friend.reset_snapshot_attribute, {"Attribute": "createVolumePermission"}),
        (friend.describe_snapshot_attribute, {"Attribute": "createVolumePermission"}),
        (friend.delete_snapshot, {}),
    ):
        expect("InvalidSnapshot.NotFound", call, SnapshotId=snapshot, **more)
    for call, more in (
        (stranger.create_volume, {"AvailabilityZone": zone, "SnapshotId": snapshot}),
        (stranger.copy_snapshot, {"SourceRegion": HERE, "SourceSnapshotId": snapshot}),
        (stranger.create_tags, {"Resources": [snapshot], "Tags": [{"Key": "a", "Value": "b"}]}),
        (stranger.register_image, {"Name": "not this", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mapping}),
    ):
        expect("InvalidSnapshot.NotFound", call, **more)

    # SNP-20: whose image it is the owner is not told.
    message = expect("InvalidSnapshot.InUse", owner.delete_snapshot, SnapshotId=snapshot)
    assert image not in message and "another account" in message, message
    # An image of what one was given does not give it to others.
    friend.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": kiln.stranger.id}]})
    launch = {"ImageId": image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    expect("InvalidSnapshot.NotFound", stranger.run_instances, **launch)
    expect("InvalidRequest", stranger.copy_image, Name="not this", SourceImageId=image, SourceRegion=HERE)
    made = friend.run_instances(**launch)["Instances"][0]["InstanceId"]

    # After it is taken back: what was made stays, nothing new is made, by the image neither.
    owner.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert snapshot not in seen(friend, OwnerIds=[account])
    expect("InvalidSnapshot.NotFound", friend.create_volume, SnapshotId=snapshot, AvailabilityZone=zone)
    expect("InvalidSnapshot.NotFound", friend.run_instances, **launch)
    assert friend.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] in ("creating", "available")
    assert copy in seen(friend, OwnerIds=["self"])
    friend.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1})
    friend.deregister_image(ImageId=image)
    owner.delete_snapshot(SnapshotId=snapshot)
    friend.create_volume(SnapshotId=copy, AvailabilityZone=zone)


def test_SNP_13_pages_go_over_own_shared_and_public_ones(kiln):
    expected = set()
    for _ in range(4):
        expected.add(make(kiln))
    for snapshot in expected:
        share(kiln, snapshot, kiln.friend)
    others = [make(kiln) for _ in range(4)]
    share(kiln, others[0], public=True)
    friend = kiln.friend.client("ec2", region=HERE)
    own = {friend.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=next(iter(expected)))["SnapshotId"] for _ in range(3)}
    got = [snapshot["SnapshotId"] for page in friend.get_paginator("describe_snapshots").paginate(PaginationConfig={"PageSize": 5}) for snapshot in page["Snapshots"]]
    assert len(got) == len(set(got)) and expected | own | {others[0]} <= set(got) and not set(others[1:]) & set(got)


def test_SNP_15_SNP_16_a_copy_in_another_region_is_whole_and_its_owners(kiln):
    source = make(kiln)
    share(kiln, source, kiln.friend)
    kiln.client("ec2", HERE).create_tags(Resources=[source], Tags=[{"Key": "not", "Value": "copied"}])
    there = kiln.friend.client("ec2", region=THERE)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    answer = there.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=source, TagSpecifications=tags)
    assert answer["Tags"] == tags[0]["Tags"]
    copy = there.describe_snapshots(SnapshotIds=[answer["SnapshotId"]])["Snapshots"][0]
    assert copy["State"] == "completed" and copy["Progress"] == "100%" and copy["VolumeId"] == "vol-ffffffff"
    assert copy["OwnerId"] == kiln.friend.id and copy["Tags"] == tags[0]["Tags"]
    assert copy["Description"] == ""
    named = there.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=source, Description="named")["SnapshotId"]
    assert there.describe_snapshots(SnapshotIds=[named])["Snapshots"][0]["Description"] == "named"
    # Whom the source is shared with is not copied.
    assert there.describe_snapshot_attribute(SnapshotId=named, Attribute="createVolumePermission")["CreateVolumePermissions"] == []
    timed = query(kiln, "CopySnapshot", {"SourceRegion": HERE, "SourceSnapshotId": source, "CompletionDurationMinutes": "30"}, region=THERE)
    (of_owner,) = timed.texts("snapshotId")
    shown = query(kiln, "DescribeSnapshots", {"SnapshotId.1": of_owner}, region=THERE)
    assert shown.texts("snapshotSet/item/transferType") == ["time-based"] and shown.texts("snapshotSet/item/completionDurationMinutes") == ["30"]
    of_type = [{"Name": "transfer-type", "Values": ["time-based"]}]
    assert seen(kiln.client("ec2", THERE), OwnerIds=["self"], Filters=of_type) == {of_owner}

    path = os.path.join(kiln.home, "copy.raw")
    digests = set()
    for snapshot, region in ((source, HERE), (of_owner, THERE)):
        kiln.run("export", "--region", region, snapshot, path, "--force")
        with open(path, "rb") as file:
            digests.add(hashlib.sha256(file.read()).hexdigest())
    assert len(digests) == 1


def test_SNP_15_bad_copies_are_refused(kiln):
    ec2 = kiln.client("ec2", HERE)

    def refused(code, **request):
        expect(code, ec2.copy_snapshot, **({"SourceRegion": HERE, "SourceSnapshotId": kiln.base["snapshotId"]} | request))

    refused("InvalidSnapshot.NotFound", SourceSnapshotId=UNKNOWN)
    refused("InvalidSnapshot.NotFound", SourceRegion=THERE)
    refused("InvalidRegion", SourceRegion="nowhere-1")
    refused("UnsupportedOperation", Encrypted=True)
    refused("InvalidParameterCombination", KmsKeyId="alias/a")
    refused("InvalidParameterValue", Description="x" * 256)
    refused("InvalidParameterValue", TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}])
    refused("DryRunOperation", DryRun=True)
    bad = query(kiln, "CopySnapshot", {"SourceRegion": HERE, "SourceSnapshotId": kiln.base["snapshotId"], "CompletionDurationMinutes": "20"})
    assert bad.code == "InvalidParameterValue", bad.body


def test_CP_2_an_image_is_copied_by_who_may_read_its_snapshots_too(kiln):
    snapshot = make(kiln)
    owner, friend = kiln.client("ec2", HERE), kiln.friend.client("ec2", region=HERE)
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}]
    image = owner.register_image(Name="shared", RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", BlockDeviceMappings=mapping)["ImageId"]
    owner.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": kiln.friend.id}]})
    message = expect("InvalidRequest", friend.copy_image, Name="copy", SourceImageId=image, SourceRegion=HERE)
    assert message == "You do not have permission to access the storage of this ami"
    share(kiln, snapshot, kiln.friend)
    copy = friend.copy_image(Name="copy", SourceImageId=image, SourceRegion=HERE)["ImageId"]
    assert friend.describe_images(ImageIds=[copy])["Images"][0]["State"] == "available"


def test_SS_4_block_public_access_for_snapshots(kiln):
    snapshot = make(kiln)
    share(kiln, snapshot, public=True)
    stranger = kiln.stranger.client("ec2", region=HERE)
    owner = kiln.client("ec2", HERE)

    def state(region=HERE):
        answer = query(kiln, "GetSnapshotBlockPublicAccessState", region=region)
        assert answer.texts("managedBy") == ["account"]
        return answer.texts("state")[0]

    assert state() == "unblocked" and snapshot in seen(stranger, RestorableByUserIds=["all"])
    answer = query(kiln, "EnableSnapshotBlockPublicAccess", {"State": "block-new-sharing"})
    assert answer.texts("state") == ["block-new-sharing"] and state() == "block-new-sharing"
    other = make(kiln)
    expect("OperationNotPermitted", owner.modify_snapshot_attribute, SnapshotId=other, CreateVolumePermission={"Add": [{"Group": "all"}]})
    share(kiln, snapshot, public=True)  # is public already
    share(kiln, other, kiln.friend)
    assert snapshot in seen(stranger)
    query(kiln, "EnableSnapshotBlockPublicAccess", {"State": "block-all-sharing"})
    assert snapshot not in seen(stranger) and permissions(kiln, snapshot) == [{"Group": "all"}]
    expect("InvalidSnapshot.NotFound", stranger.create_volume, SnapshotId=snapshot, AvailabilityZone=HERE + "a")
    assert other in seen(kiln.friend.client("ec2", region=HERE))
    assert state(THERE) == "unblocked"
    assert query(kiln, "EnableSnapshotBlockPublicAccess", {"State": "unblocked"}).code == "InvalidParameterValue"
    assert query(kiln, "EnableSnapshotBlockPublicAccess", {"State": "all"}).code == "InvalidParameterValue"
    assert query(kiln, "EnableSnapshotBlockPublicAccess").code == "MissingParameter"
    assert query(kiln, "DisableSnapshotBlockPublicAccess", {"DryRun": "true"}).code == "DryRunOperation"
    assert state() == "block-all-sharing"
    assert query(kiln, "DisableSnapshotBlockPublicAccess").texts("state") == ["unblocked"]
    assert snapshot in seen(stranger)


def test_LP_12_block_public_access_for_images(kiln):
    owner = kiln.client("ec2", HERE)

    def register(name):
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.base["snapshotId"]}}]
        return owner.register_image(Name=name, RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64", BlockDeviceMappings=mapping)["ImageId"]

    def state():
        answer = query(kiln, "GetImageBlockPublicAccessState")
        assert answer.texts("managedBy") == ["account"]
        return answer.texts("imageBlockPublicAccessState")[0]

    everybody = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
    first, second = register("public one"), register("public two")
    owner.modify_image_attribute(ImageId=first, **everybody)
    assert state() == "unblocked"
    blocked = query(kiln, "EnableImageBlockPublicAccess", {"ImageBlockPublicAccessState": "block-new-sharing"})
    assert blocked.texts("imageBlockPublicAccessState") == ["block-new-sharing"] and state() == "block-new-sharing"
    expect("OperationNotPermitted", owner.modify_image_attribute, ImageId=second, **everybody)
    owner.modify_image_attribute(ImageId=first, **everybody)
    owner.modify_image_attribute(ImageId=second, LaunchPermission={"Add": [{"UserId": kiln.friend.id}]})
    shown = kiln.stranger.client("ec2", region=HERE).describe_images(ExecutableUsers=["all"])["Images"]
    assert [image["ImageId"] for image in shown] == [first]
    assert query(kiln, "EnableImageBlockPublicAccess", {"ImageBlockPublicAccessState": "unblocked"}).code == "InvalidParameterValue"
    assert query(kiln, "DisableImageBlockPublicAccess", {"DryRun": "true"}).code == "DryRunOperation"
    assert query(kiln, "DisableImageBlockPublicAccess").texts("imageBlockPublicAccessState") == ["unblocked"]
    owner.modify_image_attribute(ImageId=second, **everybody)


def test_LP_10_whom_an_image_is_shared_with_takes_itself_off_the_list(kiln):
    owner, friend = kiln.client("ec2", HERE), kiln.friend.client("ec2", region=HERE)
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.base["snapshotId"]}}]
    image = owner.register_image(Name="unwanted", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping)["ImageId"]
    expect("InvalidAMIID.NotFound", friend.cancel_image_launch_permission, ImageId=image)
    owner.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": kiln.friend.id}, {"Group": "all"}]})
    expect("DryRunOperation", friend.cancel_image_launch_permission, ImageId=image, DryRun=True)
    assert friend.cancel_image_launch_permission(ImageId=image)["Return"]
    told = owner.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]
    assert told == [{"Group": "all"}]
    expect("OperationNotPermitted", friend.cancel_image_launch_permission, ImageId=image)  # by being public
    expect("OperationNotPermitted", owner.cancel_image_launch_permission, ImageId=image)
    owner.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"Group": "all"}]})
    expect("InvalidAMIID.NotFound", friend.describe_images, ImageIds=[image])


if __name__ == "__main__":
    kiln_test.main()
