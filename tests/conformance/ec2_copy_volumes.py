#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CopyVolumes: copies of available and attached volumes are there at once with the bytes of that moment, whatever the size,
and leave no snapshot; sizes, types, tags and client tokens; what is refused; a service that is killed."""

import json
import os
import subprocess
import sys
import threading
import time

from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

ZONE = "us-east-1b"
UNKNOWN = "vol-0123456789abcdef0"
MIB = 1 << 20


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def copy_volumes(kiln, keys=None, **parameters):
    """What the installed clients are too old to know; the copy as its answer shows it."""
    answer = query(kiln, "CopyVolumes", parameters, keys=keys)
    if answer.status != 200:
        raise ClientError({"Error": {"Code": answer.code, "Message": answer.message}}, "CopyVolumes")
    (item,) = answer.root.findall("{*}volumeSet/{*}item")
    assert item.findall("{*}attachmentSet/{*}item") == [], answer.body
    tags = {tag.findtext("{*}key"): tag.findtext("{*}value") for tag in item.findall("{*}tagSet/{*}item")}
    shown = {name: item.findtext("{*}" + name) for name in ("volumeId", "status", "sourceVolumeId", "size")}
    return {**shown, "tags": tags}


def make(ec2, size=1, **more):
    return ec2.create_volume(AvailabilityZone=ZONE, Size=size, **more)["VolumeId"]


def one(ec2, volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def copy(kiln, source, **more):
    made = copy_volumes(kiln, SourceVolumeId=source, **more)
    assert made["status"] == "creating" and made["sourceVolumeId"] == source, made
    ec2 = kiln.client("ec2")
    wait_until(lambda: one(ec2, made["volumeId"])["State"] == "available", 30, "the copy is available")
    return one(ec2, made["volumeId"])


def source_of(kiln, volume):
    return query(kiln, "DescribeVolumes", {"VolumeId.1": volume}).texts("volumeSet/item/sourceVolumeId")


def read(kiln, volume, length=MIB):
    export = json.loads(kiln.run("nbd", volume).stdout)["socket"]
    command = ["qemu-io", "-r", "-f", "raw", "-c", f"read -v 0 {length}", f"nbd+unix:///?socket={export}"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout.split("read ")[0]


def write(socket, offset, length, pattern):
    command = ["qemu-io", "-f", "raw", "-c", f"write -P {pattern} {offset} {length}", f"nbd+unix:///?socket={socket}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)


def running_disk(kiln, ec2):
    """A running instance's root volume, and the socket its machine has."""
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
    instance = made["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    (disk,) = json.loads(kiln.run("inspect", instance).stdout)["volumes"]
    return disk["volumeId"], disk["socket"]


def test_VOL_12_a_copy_of_an_available_volume(service):
    ec2 = service.client("ec2")
    source = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=service.snapshot, VolumeType="gp3", Size=3)["VolumeId"]
    snapshots = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    made = copy(service, source)
    assert (made["Size"], made["VolumeType"], made["SnapshotId"]) == (3, "gp2", ""), made
    assert made["AvailabilityZone"] == ZONE and not made["Encrypted"], made
    assert source_of(service, made["VolumeId"]) == [source] and source_of(service, source) == []
    assert read(service, made["VolumeId"]) == read(service, source)
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == snapshots, "no snapshot is left"
    again = copy(service, made["VolumeId"], Size=500, VolumeType="gp3", Iops=4000, Throughput=300)  # of a copy
    assert (again["Size"], again["VolumeType"], again["Iops"], again["Throughput"]) == (500, "gp3", 4000, 300), again
    assert read(service, again["VolumeId"]) == read(service, source)
    for volume in (source, made["VolumeId"]):
        service.run("nbd", "--stop", volume, check=False)
        ec2.delete_volume(VolumeId=volume)
    assert read(service, again["VolumeId"])  # it needs neither


def test_VOL_12_a_copy_of_a_running_disk_has_the_bytes_of_that_moment(service):
    ec2 = service.client("ec2")
    source, socket = running_disk(service, ec2)
    write(socket, 0, 65536, 0x11)
    made = copy(service, source)
    write(socket, 0, 65536, 0x22)
    kept, now = read(service, made["VolumeId"], 65536), read(service, source, 65536)
    assert "11 11 11 11" in kept and "22 22" not in kept, kept[:200]
    assert "22 22 22 22" in now and "11 11" not in now, now[:200]
    assert one(ec2, source)["State"] == "in-use" and one(ec2, made["VolumeId"])["State"] == "available"


def test_VOL_12_a_copy_costs_nothing_for_its_size(service):
    ec2 = service.client("ec2")
    source = make(ec2, 16384)
    begun = time.monotonic()
    made = copy(service, source)
    assert made["Size"] == 16384 and time.monotonic() - begun < 10


def test_VOL_12_tags_and_tokens(service):
    ec2 = service.client("ec2")
    source = make(ec2)
    tag = {"TagSpecification.1.ResourceType": "volume", "TagSpecification.1.Tag.1.Key": "purpose", "TagSpecification.1.Tag.1.Value": "copy"}
    first = copy_volumes(service, SourceVolumeId=source, ClientToken="t-1", **tag)
    assert first["tags"] == {"purpose": "copy"}, first
    again = copy_volumes(service, SourceVolumeId=source, ClientToken="t-1", **tag)
    assert again["volumeId"] == first["volumeId"] and again["tags"] == {"purpose": "copy"}, again
    expect("IdempotentParameterMismatch", copy_volumes, kiln=service, SourceVolumeId=source, ClientToken="t-1", Size=2)
    expect("InvalidClientToken", copy_volumes, kiln=service, SourceVolumeId=source, ClientToken="t" * 65)
    expect("InvalidParameterValue", copy_volumes, kiln=service, SourceVolumeId=source, ClientToken="t-2", VolumeType="gp3", Iops=1)
    expect("DryRunOperation", copy_volumes, kiln=service, SourceVolumeId=source, ClientToken="t-2", DryRun="true")
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(copy_volumes(service, SourceVolumeId=source, ClientToken="t-2")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {answer["volumeId"] for answer in answers}
    assert len(answers) == 6 and len(ids) == 1, (answers, ids)  # IDM-3
    told = service.aws("ec2", "describe-volumes", "--volume-ids", first["volumeId"])
    assert told["Volumes"][0]["Tags"] == [{"Key": "purpose", "Value": "copy"}], told


def test_VOL_12_mistakes(service):
    ec2 = service.client("ec2")
    source = make(ec2, 10)
    before = len(ec2.describe_volumes()["Volumes"])
    code, text = refusal(copy_volumes, kiln=service, SourceVolumeId=source, Size=9)
    assert code == "InvalidParameterValue" and "cannot be smaller" in text, text
    for code, more in (
        ("InvalidParameterValue", {"Size": 16385}),
        ("InvalidParameterValue", {"VolumeType": "st1"}),
        ("MissingParameter", {"VolumeType": "io1"}),
        ("InvalidParameterCombination", {"Throughput": 200}),
        ("UnknownVolumeType", {"VolumeType": "floppy"}),
        ("InvalidParameterCombination", {"MultiAttachEnabled": "true"}),
        ("UnsupportedOperation", {"Encrypted": "true"}),
        ("InvalidVolume.NotFound", {"SourceVolumeId": UNKNOWN}),
        ("InvalidParameterValue", {"SourceVolumeId": "vol-zz"}),
        ("MissingParameter", {"SourceVolumeId": ""}),
        ("InvalidParameterValue", {"TagSpecification.1.ResourceType": "snapshot", "TagSpecification.1.Tag.1.Key": "a"}),
        ("UnknownParameter", {"KernelId": "aki-1"}),
    ):
        expect(code, copy_volumes, kiln=service, **{"SourceVolumeId": source, **more})
    other = service.account()
    expect("InvalidVolume.NotFound", copy_volumes, kiln=service, keys=other.pair, SourceVolumeId=source)
    assert len(ec2.describe_volumes()["Volumes"]) == before


def test_VOL_12_a_copy_outlives_the_service(service):
    ec2 = service.client("ec2")
    source = make(ec2)
    stop = threading.Event()
    made = []

    def go_on():
        while not stop.is_set():
            try:
                made.append(copy_volumes(service, SourceVolumeId=source)["volumeId"])
            except Exception:  # noqa: BLE001  the service is gone
                return

    worker = threading.Thread(target=go_on)
    worker.start()
    wait_until(lambda: len(made) >= 5, 30, "some copies")
    service.kill9()
    stop.set()
    worker.join()
    service.start()
    ec2 = service.client("ec2")
    for volume in made:
        wait_until(lambda v=volume: one(ec2, v)["State"] == "available", 30, "the copy is there")
    mine = [{"Name": "status", "Values": ["creating", "error"]}]
    wait_until(lambda: not ec2.describe_volumes(Filters=mine)["Volumes"], 30, "none is left half made")
    service.stop()
    assert service.run("fsck", "--data", service.data, check=False).returncode == 0
    service.start()


if __name__ == "__main__":
    kiln_test.main(seconds=180)
