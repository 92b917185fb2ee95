#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ModifyVolume and DescribeVolumesModifications: sizes, types and performance of volumes that are available, attached to a
stopped or a running instance; what is refused; and what survives the end of the daemon."""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

ZONE = "us-east-1a"
UNKNOWN = "vol-0123456789abcdef0"
GIB = 1 << 30


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def make(ec2, size=1, **more):
    return ec2.create_volume(AvailabilityZone=ZONE, Size=size, **more)["VolumeId"]


def one(ec2, volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def modification(ec2, volume):
    return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]


def modify(ec2, volume, **changes):
    """Returns the modification once it is completed."""
    answer = ec2.modify_volume(VolumeId=volume, **changes)["VolumeModification"]
    assert answer["ModificationState"] == "modifying" and answer["Progress"] == 0, answer
    wait_until(lambda: modification(ec2, volume)["ModificationState"] == "completed", 30, f"{volume} is modified")
    return modification(ec2, volume)


def launch(kiln, ec2):
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
    wait_until(lambda: state(ec2, made["InstanceId"]) == "running", 30, "it runs")
    return made["InstanceId"]


def state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def root_of(ec2, instance):
    return ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"][0]["VolumeId"]


def served_size(path):
    """What the NBD server at this socket says of its export to a client that connects now."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        stream = client.makefile("rb")
        stream.read(18)
        client.sendall(struct.pack(">IQII", 3, 0x49484156454F5054, 1, 0))  # EXPORT_NAME, no zeroes
        return struct.unpack(">Q", stream.read(8))[0]


def test_VOL_8_an_available_volume_grows_and_changes_its_type(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    done = modify(ec2, volume, Size=100)
    assert (done["OriginalSize"], done["TargetSize"], done["Progress"]) == (1, 100, 100), done
    assert (done["OriginalIops"], done["TargetIops"]) == (100, 300) and "TargetThroughput" not in done, done
    assert done["OriginalVolumeType"] == done["TargetVolumeType"] == "gp2" and done["EndTime"] >= done["StartTime"]
    assert one(ec2, volume)["Size"] == 100 and one(ec2, volume)["State"] == "available"
    done = modify(ec2, volume, VolumeType="gp3")
    assert (done["TargetVolumeType"], done["TargetIops"], done["TargetThroughput"]) == ("gp3", 3000, 125), done
    done = modify(ec2, volume, Iops=8000, Throughput=500)
    assert (done["OriginalIops"], done["TargetIops"], done["TargetThroughput"]) == (3000, 8000, 500), done
    seen = one(ec2, volume)
    assert (seen["VolumeType"], seen["Iops"], seen["Throughput"], seen["Size"]) == ("gp3", 8000, 500, 100), seen
    snapshot = ec2.create_snapshot(VolumeId=volume)
    assert snapshot["VolumeSize"] == 100, snapshot
    expect("InvalidBlockDeviceMapping", ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=snapshot["SnapshotId"], Size=99)
    answer = service.aws("ec2", "modify-volume", "--volume-id", make(ec2), "--size", "2")
    assert answer["VolumeModification"]["TargetSize"] == 2


def test_VOL_8_the_volume_of_a_running_instance_is_larger_for_whoever_connects(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    (disk,) = json.loads(service.run("inspect", instance).stdout)["volumes"]
    root, path = disk["volumeId"], disk["socket"]
    assert served_size(path) == GIB
    modify(ec2, root, Size=300)
    assert served_size(path) == 300 * GIB
    assert one(ec2, root)["Size"] == 300 and one(ec2, root)["State"] == "in-use"
    ec2.stop_instances(InstanceIds=[instance])
    wait_until(lambda: state(ec2, instance) == "stopped", 30, "it is stopped")
    modify(ec2, root, Size=301)
    ec2.start_instances(InstanceIds=[instance])
    wait_until(lambda: state(ec2, instance) == "running", 30, "it runs again")
    assert served_size(path) == 301 * GIB


def test_VOL_8_a_modification_outlives_the_daemon(service):
    ec2 = service.client("ec2")
    volumes = [make(ec2, 2) for _ in range(3)]
    for volume in volumes:
        ec2.modify_volume(VolumeId=volume, Size=77, VolumeType="gp3")
    service.kill9()
    service.start()
    ec2 = service.client("ec2")
    for volume in volumes:
        wait_until(lambda v=volume: modification(ec2, v)["ModificationState"] == "completed", 30, "the next daemon goes on")
        assert (one(ec2, volume)["Size"], one(ec2, volume)["VolumeType"]) == (77, "gp3")
        assert served_size(json.loads(service.run("nbd", volume).stdout)["socket"]) == 77 * GIB


def test_VOL_8_mistakes(service):
    ec2 = service.client("ec2")
    volume = make(ec2, 10)
    assert refusal(ec2.modify_volume, VolumeId=volume) == (
        "InvalidParameterValue",
        "Must specify at least one of Size, VolumeType, Iops, Throughput and MultiAttachEnabled.",
    )
    assert refusal(ec2.modify_volume, VolumeId=volume, Size=9) == (
        "InvalidParameterValue",
        "New size cannot be smaller than existing size",
    )
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId=volume, Size=16385)
    expect("UnknownVolumeType", ec2.modify_volume, VolumeId=volume, VolumeType="floppy")
    expect("InvalidParameterCombination", ec2.modify_volume, VolumeId=volume, Iops=3000)
    expect("InvalidParameterCombination", ec2.modify_volume, VolumeId=volume, Throughput=125)
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId=volume, VolumeType="gp3", Iops=2999)
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId=volume, VolumeType="gp3", Throughput=2001)
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId=volume, VolumeType="io1")  # 3000 are too many for 10 GiB
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId=volume, VolumeType="st1")
    expect("InvalidParameterCombination", ec2.modify_volume, VolumeId=volume, MultiAttachEnabled=True)
    expect("InvalidVolume.NotFound", ec2.modify_volume, VolumeId=UNKNOWN, Size=11)
    expect("InvalidParameterValue", ec2.modify_volume, VolumeId="vol-zz", Size=11)
    expect("DryRunOperation", ec2.modify_volume, VolumeId=volume, Size=11, DryRun=True)
    other = service.account().client("ec2")
    expect("InvalidVolume.NotFound", other.modify_volume, VolumeId=volume, Size=11)
    expect("InvalidVolumeModification.NotFound", ec2.describe_volumes_modifications, VolumeIds=[volume])
    assert one(ec2, volume)["Size"] == 10
    root = root_of(ec2, launch(service, ec2))
    expect("BootForVolumeTypeUnsupported", ec2.modify_volume, VolumeId=root, Size=500, VolumeType="sc1")


def test_VOL_8_a_volume_is_modified_four_times_a_day(service):
    ec2 = service.client("ec2")
    volume = make(ec2)
    for size in range(2, 6):
        modify(ec2, volume, Size=size)
    code, text = refusal(ec2.modify_volume, VolumeId=volume, Size=6)
    assert code == "VolumeModificationRateExceeded" and text.startswith("You've reached the maximum modification rate"), text
    assert one(ec2, volume)["Size"] == 5
    modify(ec2, make(ec2), Size=2)  # each by itself


def test_VOL_9_modifications_are_listed_by_filter_and_page(service):
    ec2 = service.client("ec2")
    before = len(ec2.describe_volumes_modifications()["VolumesModifications"])
    never = make(ec2)
    grown = [make(ec2) for _ in range(6)]
    for size, volume in enumerate(grown, 2):
        modify(ec2, volume, Size=size)
    listed = [m["VolumeId"] for m in ec2.describe_volumes_modifications()["VolumesModifications"]]
    assert len(listed) == before + 6 and set(grown) <= set(listed) and never not in listed
    wanted = [{"Name": "volume-id", "Values": grown}, {"Name": "target-size", "Values": ["3", "4"]}]
    found = ec2.describe_volumes_modifications(Filters=wanted)["VolumesModifications"]
    assert [m["VolumeId"] for m in found] == grown[1:3], found
    assert refusal(ec2.describe_volumes_modifications, Filters=[{"Name": "size", "Values": ["1"]}])[0] == "InvalidParameterValue"
    pages, token = [], None
    while token != "":
        more = {"NextToken": token} if token else {}
        page = ec2.describe_volumes_modifications(MaxResults=5, Filters=wanted[:1], **more)
        pages += [m["VolumeId"] for m in page["VolumesModifications"]]
        token = page.get("NextToken", "")
    assert pages == grown


if __name__ == "__main__":
    kiln_test.main(seconds=120)
