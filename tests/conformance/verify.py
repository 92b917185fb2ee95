#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln verify: what is whole is said to be whole, with what was read; a flipped byte is found where it is, and nothing else
is; ids that are none, or somebody else's."""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20
CHUNK = 64 << 10


def import_disk(kiln, name, content):
    path = os.path.join(kiln.home, name + ".raw")
    with open(path, "wb") as disk:
        disk.write(content)
    return json.loads(kiln.run("import", path, "--name", name, "--json").stdout)


def verify(kiln, thing, status=0, keys=None):
    done = kiln.run("verify", thing, "--json", check=False, keys=keys)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def wait_for_tree(kiln, snapshot):
    """Until the snapshot is a tree and its layer has gone."""
    kiln_test.wait_until(lambda: (lambda r: r["rootDigest"] and not r["checkedBlocks"])(verify(kiln, snapshot)["results"][0]), 60, "a tree")


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.first = import_disk(kiln, "first", os.urandom(MIB))
        kiln.second = import_disk(kiln, "second", os.urandom(MIB))
        for made in (kiln.first, kiln.second):
            wait_for_tree(kiln, made["snapshotId"])
        yield kiln


def test_what_is_whole_is_said_to_be_whole(service):
    """INT-1"""
    told = verify(service, service.first["imageId"])
    assert told["damaged"] is False
    (result,) = told["results"]
    assert result["id"] == service.first["snapshotId"] and result["device"], result
    assert result["checkedBytes"] == MIB and result["checkedChunks"] == MIB // CHUNK, result
    assert result["checkedNodes"] >= 6 and result["damage"] == [] and len(result["rootDigest"]) == 64, result
    words = service.run("verify", service.first["imageId"]).stdout
    assert "whole" in words and result["rootDigest"] in words, words


def test_an_image_of_several_snapshots_and_a_volume(service):
    """INT-1"""
    ec2 = service.client("ec2")
    mappings = [
        {"DeviceName": f"/dev/xvd{letter}", "Ebs": {"SnapshotId": made["snapshotId"]}}
        for letter, made in (("a", service.first), ("b", service.second))
    ]
    image = ec2.register_image(Name="two", RootDeviceName="/dev/xvda", BlockDeviceMappings=mappings, Architecture="x86_64")["ImageId"]
    results = verify(service, image)["results"]
    assert [r["device"] for r in results] == ["/dev/xvda", "/dev/xvdb"], results
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, SnapshotId=service.first["snapshotId"])["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
    (result,) = verify(service, volume)["results"]
    # The base past the caches, and then all of it as a guest reads it.
    assert result["id"] == volume and result["checkedBytes"] == 2 * MIB, result
    empty = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[empty])
    (result,) = verify(service, empty)["results"]
    assert result["checkedBytes"] == 0 and result["rootDigest"] == "", result


def test_a_flipped_byte_is_found_where_it_is(service):
    """INT-1, INT-2"""
    packs = sorted(glob.glob(os.path.join(service.data, "**", "pack-*"), recursive=True), key=os.path.getsize)
    path = packs[-1]  # of chunks
    place = os.path.getsize(path) // 2
    with open(path, "r+b") as pack:
        pack.seek(place)
        byte = pack.read(1)[0]
        pack.seek(place)
        pack.write(bytes([byte ^ 4]))
    hit = None
    for made in (service.first, service.second):
        done = service.run("verify", made["imageId"], "--json", check=False)
        told = json.loads(done.stdout)
        assert done.returncode == (1 if told["damaged"] else 0), done
        if told["damaged"]:
            assert hit is None, "one chunk is of one image"
            hit = (made, told["results"][0])
    assert hit, "the flipped byte was not found"
    made, result = hit
    (damage,) = result["damage"]
    assert result["damagedRanges"] == 1 and result["checkedChunks"] == MIB // CHUNK - 1, result
    assert damage["part"] == "chunk" and damage["length"] == CHUNK and damage["offset"] % CHUNK == 0, damage
    assert path.endswith(damage["pack"]) and damage["packOffset"] <= place < damage["packOffset"] + CHUNK + 64, damage
    done = service.run("verify", made["snapshotId"], check=False)
    assert done.returncode == 1 and "DAMAGED" in done.stdout and damage["id"] in done.stdout and "backup" in done.stderr, done
    with open(path, "r+b") as pack:
        pack.seek(place)
        pack.write(bytes([byte]))
    assert verify(service, made["imageId"])["damaged"] is False


def test_ids_that_are_none_or_of_somebody_else(service):
    """INT-3"""
    other = service.account("verify-other")
    keys = other.pair
    for thing, code, who in (
        ("ami-1", "InvalidAMIID.Malformed", None),
        ("ami-0123456789abcdef0", "InvalidAMIID.NotFound", None),
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound", None),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound", None),
        ("i-0123456789abcdef0", "InvalidParameterValue", None),
        (service.first["snapshotId"], "InvalidSnapshot.NotFound", keys),
        (service.first["imageId"], "AuthFailure", keys),
    ):
        done = service.run("verify", thing, check=False, keys=who)
        assert done.returncode == 1 and code in done.stderr and done.stdout == "", (thing, done)


if __name__ == "__main__":
    kiln_test.main()
