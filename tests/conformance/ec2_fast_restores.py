#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fast snapshot restores and initialization rates, as records: who may enable them where, what is told of each snapshot and zone, what
they come to as time passes and over restarts, and the volumes that are made meanwhile."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.calls import Signer, call  # noqa: E402
from kiln_test.clock import restart_later  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, ZONE, OTHER = "us-east-1", "us-east-1a", "us-east-1b"
UNKNOWN = "snap-0123456789abcdef0"
REQUESTED, FOLLOWS = "Client.UserInitiated", "Client.UserInitiated - Lifecycle state transition"


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.friend, daemon.stranger = daemon.account("friend"), daemon.account("stranger")
        yield daemon


def make(kiln):
    """A snapshot of its own for a test."""
    return kiln.client("ec2").copy_snapshot(SourceRegion=HERE, SourceSnapshotId=kiln.snapshot)["SnapshotId"]


def restores(client, **filters):
    wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    return client.describe_fast_snapshot_restores(Filters=wanted)["FastSnapshotRestores"]


def state(client, snapshot, zone=ZONE):
    found = restores(client, snapshot_id=snapshot, availability_zone=zone)
    return found[0]["State"] if found else None


def end(client, *snapshots):
    client.disable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=list(snapshots))


def errors(answer):
    assert answer["Successful"] == [], answer
    return {(item["SnapshotId"], zone["AvailabilityZone"]): zone["Error"]["Code"] for item in answer["Unsuccessful"] for zone in item["FastSnapshotRestoreStateErrors"]}


def test_FS_1_enabled_and_disabled_as_terraform_waits_for_it(kiln):
    ec2, snapshot = kiln.client("ec2"), make(kiln)
    account = kiln.client("sts").get_caller_identity()["Account"]
    made = ec2.enable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])
    (item,) = made["Successful"]
    assert made["Unsuccessful"] == [] and item["State"] == "enabling" and item["StateTransitionReason"] == REQUESTED, made
    assert item["SnapshotId"] == snapshot and item["AvailabilityZone"] == ZONE and item["OwnerId"] == account and "EnabledTime" not in item, item
    wait_until(lambda: state(ec2, snapshot) == "enabled", 20, "they are enabled")
    (item,) = restores(ec2, snapshot_id=snapshot)
    assert item["StateTransitionReason"] == FOLLOWS and item["EnablingTime"] < item["OptimizingTime"] < item["EnabledTime"], item
    again = ec2.enable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])["Successful"]
    assert [one["State"] for one in again] == ["enabled"] and again[0]["EnablingTime"] == item["EnablingTime"], again
    off = ec2.disable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])["Successful"]
    assert [(one["State"], one["StateTransitionReason"]) for one in off] == [("disabling", REQUESTED)], off
    wait_until(lambda: state(ec2, snapshot) == "disabled", 20, "they are disabled")
    told = kiln.aws("ec2", "describe-fast-snapshot-restores", "--filters", f"Name=snapshot-id,Values={snapshot}")["FastSnapshotRestores"]
    assert "DisabledTime" in told[0] and told[0]["OwnerId"] == account, told
    assert errors(ec2.disable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])) == {(snapshot, ZONE): "IncorrectState"}


def test_FS_1_zones_go_by_name_or_by_id(kiln):
    snapshot = make(kiln)
    made = query(kiln, "EnableFastSnapshotRestores", {"AvailabilityZoneId.1": "use1-az2", "SourceSnapshotId.1": snapshot})
    assert made.texts("successful/item/availabilityZone") == [OTHER] and made.texts("successful/item/availabilityZoneId") == ["use1-az2"], made.body
    found = query(kiln, "DescribeFastSnapshotRestores", {"Filter.1.Name": "availability-zone-id", "Filter.1.Value.1": "use1-az2"})
    assert found.texts("fastSnapshotRestoreSet/item/snapshotId") == [snapshot], found.body
    both = query(kiln, "EnableFastSnapshotRestores", {"AvailabilityZoneId.1": "use1-az2", "AvailabilityZone.1": ZONE, "SourceSnapshotId.1": snapshot})
    assert both.code == "InvalidParameterCombination", both.body
    for parameters, code in (
        ({"AvailabilityZoneId.1": "use9-az2", "SourceSnapshotId.1": snapshot}, "InvalidZone.NotFound"),
        ({"SourceSnapshotId.1": snapshot}, "MissingParameter"),
        ({"AvailabilityZone.1": ZONE}, "MissingParameter"),
        ({"AvailabilityZone.1": ZONE, "SourceSnapshotId.1": "snap-zz"}, "InvalidParameterValue"),
        ({"AvailabilityZone.1": ZONE} | {f"SourceSnapshotId.{number}": snapshot for number in range(1, 12)}, "InvalidRequest"),
        ({"AvailabilityZone.1": ZONE, "SourceSnapshotId.1": snapshot, "DryRun": "true"}, "DryRunOperation"),
    ):
        for action in ("EnableFastSnapshotRestores", "DisableFastSnapshotRestores"):
            assert query(kiln, action, parameters).code == code, (action, parameters)
    query(kiln, "DisableFastSnapshotRestores", {"AvailabilityZone.1": OTHER, "SourceSnapshotId.1": snapshot})


def test_FS_1_each_snapshot_has_its_answer_and_five_are_enough(kiln):
    ec2, snapshots = kiln.client("ec2"), [make(kiln) for _ in range(6)]
    enable = ec2.enable_fast_snapshot_restores
    made = enable(AvailabilityZones=[ZONE, OTHER], SourceSnapshotIds=[snapshots[0], UNKNOWN])
    assert {item["AvailabilityZone"] for item in made["Successful"]} == {ZONE, OTHER}, made
    assert [item["SnapshotId"] for item in made["Unsuccessful"]] == [UNKNOWN], made
    assert [zone["Error"]["Code"] for zone in made["Unsuccessful"][0]["FastSnapshotRestoreStateErrors"]] == ["InvalidSnapshot.NotFound"] * 2, made
    made = enable(AvailabilityZones=[ZONE], SourceSnapshotIds=snapshots)
    assert len(made["Successful"]) == 5, made
    (over,) = made["Unsuccessful"]
    assert over["FastSnapshotRestoreStateErrors"][0]["Error"]["Code"] == "ResourceLimitExceeded", over
    pages = list(ec2.get_paginator("describe_fast_snapshot_restores").paginate(PaginationConfig={"PageSize": 2}, Filters=[{"Name": "state", "Values": ["enab*", "optimizing"]}]))
    listed = [(item["SnapshotId"], item["AvailabilityZone"]) for page in pages for item in page["FastSnapshotRestores"]]
    assert len(listed) == len(set(listed)) == 6 and len(pages) >= 3, listed
    expect("InvalidParameterValue", ec2.describe_fast_snapshot_restores, Filters=[{"Name": "colour", "Values": ["red"]}])
    ec2.disable_fast_snapshot_restores(AvailabilityZones=[OTHER], SourceSnapshotIds=[snapshots[0]])
    end(ec2, *snapshots)


def test_FS_1_others_enable_what_they_may_read_and_see_their_own_alone(kiln):
    ec2, friend, stranger = kiln.client("ec2"), kiln.friend.client("ec2"), kiln.stranger.client("ec2")
    snapshot = make(kiln)
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": kiln.friend.id}]})
    ec2.enable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])
    made = friend.enable_fast_snapshot_restores(AvailabilityZones=[OTHER], SourceSnapshotIds=[snapshot])
    assert [item["OwnerId"] for item in made["Successful"]] == [kiln.friend.id], made
    for action in (stranger.enable_fast_snapshot_restores, stranger.disable_fast_snapshot_restores):
        foreign, missing = (action(AvailabilityZones=[ZONE], SourceSnapshotIds=[name]) for name in (snapshot, UNKNOWN))
        assert str(foreign["Unsuccessful"]).replace(snapshot, UNKNOWN) == str(missing["Unsuccessful"]) and foreign["Successful"] == [], foreign
    assert [item["AvailabilityZone"] for item in restores(ec2, snapshot_id=snapshot)] == [ZONE]
    assert [item["AvailabilityZone"] for item in restores(friend)] == [OTHER] and restores(stranger) == []
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")  # FS-3
    assert state(friend, snapshot, OTHER) == "disabling" and state(ec2, snapshot) in ("enabling", "optimizing", "enabled")
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert restores(friend) == [] and restores(ec2, snapshot_id=snapshot) == []


def test_VOL_19_an_initialization_rate_is_kept_and_shown(kiln):
    def ask(action, **more):
        return query(kiln, action, {name.replace("_", "."): value for name, value in more.items()})

    made = ask("CreateVolume", AvailabilityZone=ZONE, SnapshotId=kiln.snapshot, VolumeInitializationRate="150")
    assert made.texts("volumeInitializationRate") == ["150"], made.body
    seen = ask("DescribeVolumes", VolumeId_1=made.texts("volumeId")[0])
    assert seen.texts("volumeSet/item/volumeInitializationRate") == ["150"] and seen.texts("volumeSet/item/fastRestored") == [], seen.body
    for rate, code in (("99", "InvalidParameterValue"), ("301", "InvalidParameterValue")):
        assert ask("CreateVolume", AvailabilityZone=ZONE, SnapshotId=kiln.snapshot, VolumeInitializationRate=rate).code == code
    assert ask("CreateVolume", AvailabilityZone=ZONE, Size="1", VolumeInitializationRate="100").code == "InvalidParameterCombination"
    launch = {"ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": "1", "MaxCount": "1", "BlockDeviceMapping_1_DeviceName": "/dev/xvda"}
    run = ask("RunInstances", **launch, BlockDeviceMapping_1_Ebs_VolumeInitializationRate="200")
    (instance,) = run.texts("instancesSet/item/instanceId")
    seen = ask("DescribeVolumes", Filter_1_Name="attachment.instance-id", Filter_1_Value_1=instance)
    assert seen.texts("volumeSet/item/volumeInitializationRate") == ["200"], seen.body
    assert ask("RunInstances", **launch, BlockDeviceMapping_1_Ebs_VolumeInitializationRate="99").code == "InvalidParameterValue"
    rated = {"Name": "rated", "BlockDeviceMapping_1_DeviceName": "/dev/sdh", "BlockDeviceMapping_1_Ebs_SnapshotId": kiln.snapshot, "BlockDeviceMapping_1_Ebs_VolumeInitializationRate": "100"}
    for action, what in (("CreateImage", {"InstanceId": instance}), ("RegisterImage", {"RootDeviceName": "/dev/sdh"})):
        refused = ask(action, **what, **rated)
        assert refused.code == "InvalidParameterCombination" and "VolumeInitializationRate" in refused.message, refused.body


def test_FS_2_volumes_are_fast_restored_as_long_as_there_are_credits(kiln):
    """The last: the service's clock is an hour ahead from here on, with ten credits for a snapshot of 1 GiB."""
    ec2, snapshot = kiln.client("ec2"), make(kiln)
    ec2.enable_fast_snapshot_restores(AvailabilityZones=[ZONE], SourceSnapshotIds=[snapshot])
    early = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    restart_later(kiln, 2 * 3600)
    signer = Signer((kiln.access_key, kiln.secret_key), age=-2 * 3600)

    def later(action, **parameters):
        answer = call(kiln.endpoint, "ec2", action, {name.replace("_", "."): value for name, value in parameters.items()}, signer)
        assert answer.status == 200, answer.body
        return answer.body

    assert "<state>enabled</state>" in later("DescribeFastSnapshotRestores", Filter_1_Name="snapshot-id", Filter_1_Value_1=snapshot)
    for zone, count in ((OTHER, 1), (ZONE, 11)):
        for _ in range(count):
            assert "fastRestored" not in later("CreateVolume", SnapshotId=snapshot, AvailabilityZone=zone)
    of_snapshot = {"Filter_1_Name": "snapshot-id", "Filter_1_Value_1": snapshot}
    fast = later("DescribeVolumes", **of_snapshot, Filter_2_Name="fast-restored", Filter_2_Value_1="true")
    slow = later("DescribeVolumes", **of_snapshot, Filter_2_Name="fast-restored", Filter_2_Value_1="false")
    assert fast.count("<fastRestored>true</fastRestored>") == fast.count("<snapshotId>") == 10, fast
    assert "fastRestored" not in slow and slow.count("<snapshotId>") == 3 and early in slow, slow


if __name__ == "__main__":
    kiln_test.main()
