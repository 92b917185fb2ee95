#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""DescribeVolumeStatus, EnableVolumeIO, DescribeVolumeAttribute and ModifyVolumeAttribute: volumes that are well, one whose
data is damaged and one that cannot be opened; filters, pages, mistakes and strangers."""

import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

ZONE = "us-east-1a"
UNKNOWN = "vol-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def make(ec2, size=1, **more):
    return ec2.create_volume(AvailabilityZone=ZONE, Size=size, **more)["VolumeId"]


def status(ec2, volume):
    return ec2.describe_volume_status(VolumeIds=[volume])["VolumeStatuses"][0]


def detail(item):
    return {entry["Name"]: entry["Status"] for entry in item["VolumeStatus"]["Details"]}


def flip(path, place):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 4]))


def read_all(kiln, volume):
    """Exit status of reading the whole volume as a client does."""
    export = json.loads(kiln.run("nbd", volume).stdout)["socket"]
    command = ["nbdcopy", f"nbd+unix:///?socket={export}", "null:"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False).returncode


def test_VOL_17_a_volume_that_is_well(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    item = status(ec2, volume)
    assert item["VolumeStatus"]["Status"] == "ok" and item["AvailabilityZone"] == ZONE, item
    assert item["Events"] == [] and item["Actions"] == [], item
    raw = query(service, "DescribeVolumeStatus", {"VolumeId.1": volume})
    assert raw.texts("volumeStatusSet/item/availabilityZoneId") == ["use1-az1"], raw.body
    assert detail(item) == {"io-enabled": "passed", "io-performance": "not-applicable"}, item
    ec2.enable_volume_io(VolumeId=volume)  # there is nothing to enable
    (seen,) = service.aws("ec2", "describe-volume-status", "--volume-ids", volume)["VolumeStatuses"]
    assert seen["VolumeStatus"]["Status"] == "ok", seen


def test_VOL_14_damage_that_is_read_impairs_a_volume(service):
    ec2 = service.client("ec2")
    snapshot = service.snapshot
    wait_until(
        lambda: not json.loads(service.run("verify", snapshot, "--json").stdout)["results"][0]["checkedBlocks"], 60, "a tree"
    )
    volume = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    packs = sorted(glob.glob(os.path.join(service.data, "**", "pack-*"), recursive=True), key=os.path.getsize)
    place = os.path.getsize(packs[-1]) // 2
    flip(packs[-1], place)
    assert status(ec2, volume)["VolumeStatus"]["Status"] == "ok", "nobody has read it yet"
    assert read_all(service, volume) != 0
    item = status(ec2, volume)
    assert item["VolumeStatus"]["Status"] == "impaired" and detail(item)["io-enabled"] == "passed", item
    (event,), (action,) = item["Events"], item["Actions"]
    assert event["EventType"] == action["EventType"] == "potential-data-inconsistency", item
    assert action["Code"] == "enable-volume-io" and action["EventId"] == event["EventId"], item
    assert event["EventId"].startswith("evol-") and event["NotBefore"] and event["Description"], event
    for name, value in (
        ("volume-status.status", "impaired"),
        ("event.event-type", "potential-*"),
        ("event.event-id", event["EventId"]),
        ("action.code", "enable-volume-io"),
        ("action.event-id", event["EventId"]),
        ("event.description", "Data of the volume*"),
    ):
        found = ec2.describe_volume_status(Filters=[{"Name": name, "Values": [value]}])["VolumeStatuses"]
        assert [entry["VolumeId"] for entry in found] == [volume], (name, found)
    # It is noted, so it outlives the service, which finds nothing wrong now; a restart does not acknowledge it.
    service.stop()
    flip(packs[-1], place)
    service.start()
    ec2 = service.client("ec2")
    item = status(ec2, volume)
    assert item["VolumeStatus"]["Status"] == "impaired" and item["Events"][0]["EventId"] == event["EventId"], item
    ec2.enable_volume_io(VolumeId=volume)
    assert status(ec2, volume)["VolumeStatus"]["Status"] == "ok" and status(ec2, volume)["Events"] == []
    assert read_all(service, volume) == 0
    assert status(ec2, volume)["VolumeStatus"]["Status"] == "ok"


def test_VOL_14_a_volume_that_cannot_be_opened(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    before = set(glob.glob(os.path.join(service.data, "**", "*.map"), recursive=True))
    assert read_all(service, volume) == 0  # its layer has files now
    (path,) = set(glob.glob(os.path.join(service.data, "**", "*.map"), recursive=True)) - before
    service.stop()
    for slot in (0, 4096):
        flip(path, slot + 16)
    service.start()
    ec2 = service.client("ec2")
    assert status(ec2, volume)["VolumeStatus"]["Status"] == "ok", "nobody has opened it yet"
    assert service.run("nbd", volume, check=False).returncode != 0
    item = status(ec2, volume)
    assert item["VolumeStatus"]["Status"] == "impaired" and detail(item)["io-enabled"] == "failed", item
    for call in (ec2.enable_volume_io, ec2.create_snapshot):
        message = expect("IncorrectState", call, VolumeId=volume)
        assert volume in message and "layer" not in message, message
    assert ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [volume]}])["Snapshots"] == []
    for slot in (0, 4096):
        flip(path, slot + 16)
    service.aws("ec2", "enable-volume-io", "--volume-id", volume)
    item = status(ec2, volume)
    assert item["VolumeStatus"]["Status"] == "ok" and detail(item)["io-enabled"] == "passed", item
    assert read_all(service, volume) == 0


def test_VOL_18_attributes(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    answer = ec2.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")
    assert answer["AutoEnableIO"] == {"Value": False} and answer["VolumeId"] == volume, answer
    ec2.modify_volume_attribute(VolumeId=volume, AutoEnableIO={"Value": True})
    assert ec2.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")["AutoEnableIO"] == {"Value": True}
    service.aws("ec2", "modify-volume-attribute", "--volume-id", volume, "--no-auto-enable-io")
    told = service.aws("ec2", "describe-volume-attribute", "--volume-id", volume, "--attribute", "autoEnableIO")
    assert told["AutoEnableIO"] == {"Value": False}, told
    assert ec2.describe_volume_attribute(VolumeId=volume, Attribute="productCodes")["ProductCodes"] == []
    expect("InvalidParameterValue", ec2.describe_volume_attribute, VolumeId=volume, Attribute="size")
    expect("MissingParameter", ec2.modify_volume_attribute, VolumeId=volume)
    expect("DryRunOperation", ec2.modify_volume_attribute, VolumeId=volume, AutoEnableIO={"Value": True}, DryRun=True)
    expect("DryRunOperation", ec2.describe_volume_attribute, VolumeId=volume, Attribute="autoEnableIO", DryRun=True)
    assert ec2.describe_volume_attribute(VolumeId=volume, Attribute="autoEnableIO")["AutoEnableIO"] == {"Value": False}


def test_VOL_17_mistakes_and_strangers(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    other = service.account().client("ec2")
    for who, wanted in ((other, volume), (ec2, UNKNOWN)):
        expect("InvalidVolume.NotFound", who.describe_volume_status, VolumeIds=[wanted])
        expect("InvalidVolume.NotFound", who.enable_volume_io, VolumeId=wanted)
        expect("InvalidVolume.NotFound", who.describe_volume_attribute, VolumeId=wanted, Attribute="productCodes")
        expect("InvalidVolume.NotFound", who.modify_volume_attribute, VolumeId=wanted, AutoEnableIO={"Value": True})
    assert other.describe_volume_status()["VolumeStatuses"] == []
    expect("InvalidParameterValue", ec2.describe_volume_status, VolumeIds=["vol-zz"])
    expect("InvalidParameterValue", ec2.enable_volume_io, VolumeId="vol-zz")
    expect("InvalidParameterCombination", ec2.describe_volume_status, VolumeIds=[volume], MaxResults=5)
    expect("InvalidParameterValue", ec2.describe_volume_status, MaxResults=4)
    expect("DryRunOperation", ec2.describe_volume_status, DryRun=True)
    expect("DryRunOperation", ec2.enable_volume_io, VolumeId=volume, DryRun=True)
    code, text = refusal(ec2.describe_volume_status, Filters=[{"Name": "size", "Values": ["1"]}])
    assert code == "InvalidParameterValue" and text == "The filter 'size' is invalid", text


def test_VOL_17_pages(service):
    ec2 = service.client("ec2")
    made = [make(ec2) for _ in range(7)]
    pages, token = [], None
    while token != "":
        page = ec2.describe_volume_status(MaxResults=5, **({"NextToken": token} if token else {}))
        assert len(page["VolumeStatuses"]) <= 5
        pages += [item["VolumeId"] for item in page["VolumeStatuses"]]
        token = page.get("NextToken", "")
    assert len(pages) == len(set(pages)) and set(made) <= set(pages), pages
    assert pages == [v["VolumeId"] for v in ec2.describe_volume_status()["VolumeStatuses"]]
    well = [{"Name": "volume-status.status", "Values": ["ok"]}, {"Name": "availability-zone", "Values": [ZONE]}]
    assert set(made) <= {v["VolumeId"] for v in ec2.describe_volume_status(Filters=well)["VolumeStatuses"]}
    ec2.delete_volume(VolumeId=made[0])
    expect("InvalidVolume.NotFound", ec2.describe_volume_status, VolumeIds=made[:1])


if __name__ == "__main__":
    kiln_test.main(seconds=120)
