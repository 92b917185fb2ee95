#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln serve --topology FILE: the service follows the file, and says what is wrong with a bad one."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

LAB = {"name": "lab-1", "zones": [{"name": "lab-1a", "id": "lab1-az1"}, {"name": "lab-1b", "id": "lab1-az2"}]}

LOCAL = {"name": "lab-1-bos-1a", "id": "lab1-bos1-az1", "type": "local-zone", "parent": "lab-1a"}
OUTPOST = "arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef0"


def with_zone(*further, **changes):
    """The lab with a local zone, with these members instead; None: without."""
    zone = {name: value for name, value in {**LOCAL, **changes}.items() if value is not None}
    return {"regions": [{**LAB, "zones": [*LAB["zones"], zone, *further]}]}


def with_outpost(**changes):
    return {"regions": [{**LAB, "outposts": [{"arn": OUTPOST, "zone": "lab-1a", **changes}]}]}


@kiln_test.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="kt-", dir=TEMPORARY) as path:
        yield path


def write(folder, content):
    path = os.path.join(folder, "topology.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(folder, content):
    """What the daemon prints when it refuses to start."""
    command = [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--listen", "127.0.0.1:0", "--topology", write(folder, content)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
    assert done.returncode != 0, done.stderr
    return done.stdout + done.stderr


def test_TOP_1_REG_3_REG_4_regions_and_zones_follow_the_file(folder):
    far = {"name": "far-2", "endpoint": "far.example.org", "zones": [{"name": "far-2c", "id": "far2-az3"}]}
    with kiln_test.Kiln("--hypervisor", "fake", "--topology", write(folder, {"regions": [LAB, far]}), region="lab-1") as kiln:
        ec2 = kiln.client("ec2")
        regions = {r["RegionName"]: r["Endpoint"] for r in ec2.describe_regions()["Regions"]}
        assert regions == {"lab-1": "ec2.lab-1.amazonaws.com", "far-2": "far.example.org"}, regions
        zones = {z["ZoneName"]: z["ZoneId"] for z in ec2.describe_availability_zones()["AvailabilityZones"]}
        assert zones == {"lab-1a": "lab1-az1", "lab-1b": "lab1-az2"}
        assert [z["ZoneName"] for z in ec2.describe_availability_zones(ZoneIds=["lab1-az2"])["AvailabilityZones"]] == ["lab-1b"]
        expect("InvalidParameterValue", ec2.describe_regions, RegionNames=["us-east-1"])
        expect("AuthFailure", kiln.client("ec2", region="us-east-1").describe_regions)
        found = [(s["AvailabilityZone"], s["AvailabilityZoneId"]) for s in ec2.describe_subnets()["Subnets"]]
        assert found == [("lab-1a", "lab1-az1"), ("lab-1b", "lab1-az2")]
        places = ec2.describe_instance_type_offerings(LocationType="availability-zone")["InstanceTypeOfferings"]
        assert {o["Location"] for o in places} == {"lab-1a", "lab-1b"}
        # The profile that was written names a region which exists.
        assert kiln.account().id
        with open(os.path.join(kiln.data, "config"), encoding="ascii") as file:
            assert "region = lab-1" in file.read()


def test_NET_1_a_zone_that_joins_gets_a_subnet(folder):
    smaller = {"regions": [{**LAB, "zones": LAB["zones"][1:]}]}
    with kiln_test.Kiln("--hypervisor", "fake", "--topology", write(folder, smaller), region="lab-1") as kiln:
        before = kiln.client("ec2").describe_subnets()["Subnets"]
        write(folder, {"regions": [LAB]})
        kiln.restart()
        after = {s["AvailabilityZone"]: s for s in kiln.client("ec2").describe_subnets()["Subnets"]}
        assert sorted(after) == ["lab-1a", "lab-1b"] and after["lab-1b"] == before[0]
        assert after["lab-1a"]["CidrBlock"] != before[0]["CidrBlock"] and after["lab-1a"]["VpcId"] == before[0]["VpcId"]


def test_TOP_2_a_bad_file_is_refused_with_the_place(folder):
    zone = {"name": "lab-1a", "id": "lab1-az1"}
    for content, words in (
        ('{"regions": [\n  {"name" "lab-1"}]}', "line 2, column 17: this is not JSON"),
        ("", "this is not JSON"),
        ("[]", "the document: must be an object"),
        ({}, "regions: is missing"),
        ({"regions": []}, "regions: must be a list with at least one entry"),
        ({"regions": [LAB], "zones": []}, "the document: has an unknown member 'zones'"),
        ({"regions": [{**LAB, "zone": 1}]}, "regions[0]: has an unknown member 'zone'"),
        ({"regions": [{"name": "lab-1"}]}, "regions[0].zones: is missing"),
        ({"regions": [{"name": "Lab 1", "zones": [zone]}]}, "regions[0].name: 'Lab 1' is not a name"),
        ({"regions": [{"name": 7, "zones": [zone]}]}, "regions[0].name: must be a text"),
        ({"regions": [LAB, LAB]}, "regions[1].name: 'lab-1' is used twice"),
        ({"regions": [{**LAB, "endpoint": "a b"}]}, "regions[0].endpoint: must be a host name"),
        ({"regions": [{**LAB, "zones": [zone, {**zone, "name": "lab-1b"}]}]}, "regions[0].zones[1].id: 'lab1-az1' is used twice"),
        ({"regions": [{**LAB, "zones": [{"name": "lab-2a", "id": "x"}]}]}, "regions[0].zones[0].name: 'lab-2a' must be the region's name"),
        ({"regions": [{**LAB, "zones": [{"name": "lab-1a"}]}]}, "regions[0].zones[0].id: is missing"),
        ({"regions": [{**LAB, "zones": [zone] * 17}]}, "regions[0].zones: has 17 entries; at most 16 are possible"),
        ('{"regions": [{"name": "lab-1", "name": "lab-2"}]}', "the member 'name' stands twice"),
        ("[" * 100 + "]" * 100, "nested too deep"),
        ({"regions": [{**LAB, "optInStatus": "perhaps"}]}, "regions[0].optInStatus: 'perhaps' is none of opt-in-not-required, opted-in, not-opted-in"),
        ({"regions": [{**LAB, "optInStatus": "not-opted-in"}]}, "regions[0].optInStatus: the first region must be one that can be used"),
        (with_zone(type="edge"), "regions[0].zones[2].type: 'edge' is none of availability-zone, local-zone, wavelength-zone"),
        (with_zone(name="lab-1c"), "regions[0].zones[2].name: 'lab-1c' must be the region's name, a hyphen and more, as lab-1-lax-1a"),
        (with_zone(name="lab-1-bos-1"), "regions[0].zones[2].name: 'lab-1-bos-1' must end in a letter"),
        (with_zone(parent=None), "regions[0].zones[2].parent: is missing"),
        (with_zone(parent="lab-1x"), "regions[0].zones[2].parent: 'lab-1x' is no availability zone of lab-1"),
        (with_zone(parent="lab-1-bos-1a"), "regions[0].zones[2].parent: 'lab-1-bos-1a' is no availability zone of lab-1"),
        (with_zone(group="lab-1"), "regions[0].zones[2].group: 'lab-1' must be the region's name, a hyphen and more"),
        (with_zone(networkBorderGroup="x"), "regions[0].zones[2].networkBorderGroup: 'x' must be the region's name, a hyphen and more"),
        (with_zone(groupLongName="x" * 256), "regions[0].zones[2].groupLongName: has more than 255 bytes"),
        (with_zone(type="wavelength-zone"), "regions[0].zones[2].group: is missing"),
        (with_zone({**LOCAL, "name": "lab-1-bos-wlz-1", "id": "w1", "type": "wavelength-zone", "group": "lab-1-bos-1"}),
         "regions[0].zones[3].group: 'lab-1-bos-1' has zones of another type"),
        ({"regions": [{**LAB, "zones": [{**zone, "group": "lab-1"}]}]}, "regions[0].zones[0].group: an availability zone has none"),
        ({"regions": [{**LAB, "zones": [LOCAL, zone]}]}, "regions[0].zones[0].type: the first zone must be an availability zone"),
        ({"regions": [{**LAB, "outposts": []}]}, "regions[0].outposts: must be a list with at least one entry"),
        (with_outpost(arn="op-1"), "regions[0].outposts[0].arn: 'op-1' must be as arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef0"),
        (with_outpost(arn=OUTPOST.replace("lab-1", "lab-2")), "regions[0].outposts[0].arn: 'arn:aws:outposts:lab-2"),
        (with_outpost(arn=OUTPOST.replace("f0", "g0")), "regions[0].outposts[0].arn: '"),
        (with_outpost(zone="lab-1c"), "regions[0].outposts[0].zone: 'lab-1c' is no availability zone of lab-1"),
        (with_outpost(rack=1), "regions[0].outposts[0]: has an unknown member 'rack'"),
    ):
        printed = refused(folder, content)
        assert words in printed and "topology.json" in printed, (content, printed)
    missing = subprocess.run(
        [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--topology", os.path.join(folder, "none")],
        capture_output=True, text=True, timeout=60, env=clean_environment(), check=False,
    )  # fmt: skip
    assert missing.returncode != 0 and "topology file" in missing.stderr + missing.stdout, missing.stderr


if __name__ == "__main__":
    kiln_test.main()
