#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Zones by their ids wherever they go by name; how near instances are to each other; instance types by what they have."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

ZONES = {"us-east-1a": "use1-az1", "us-east-1b": "use1-az2"}


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.instances, daemon.volumes = {}, {}
        for zone, zone_id in ZONES.items():
            made = ask(daemon, "RunInstances", ImageId=daemon.image, InstanceType="t3.nano", MinCount="1", MaxCount="1", Placement_AvailabilityZoneId=zone_id)
            assert made.texts("instancesSet/item/placement/availabilityZone") == [zone], made.body
            assert made.texts("instancesSet/item/placement/availabilityZoneId") == [zone_id], made.body
            (daemon.instances[zone],) = made.texts("instancesSet/item/instanceId")
            made = ask(daemon, "CreateVolume", Size="1", AvailabilityZoneId=zone_id)
            assert made.texts("availabilityZone") == [zone] and made.texts("availabilityZoneId") == [zone_id], made.body
            (daemon.volumes[zone],) = made.texts("volumeId")
        ec2 = daemon.client("ec2")
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        wait_until(lambda: len(ec2.describe_instances(Filters=running)["Reservations"]) == len(ZONES), 30, "they run")
        yield daemon


def ask(kiln, action, **parameters):
    return query(kiln, action, {name.replace("_", "."): value for name, value in parameters.items()})


def test_REG_2_what_lies_in_a_zone_is_found_by_the_zone_s_id(kiln):
    places = (
        ("DescribeInstances", "reservationSet/item/instancesSet/item", "placement/", "instanceId", kiln.instances),
        ("DescribeInstanceStatus", "instanceStatusSet/item", "", "instanceId", kiln.instances),
        ("DescribeVolumes", "volumeSet/item", "", "volumeId", None),
        ("DescribeVolumeStatus", "volumeStatusSet/item", "", "volumeId", None),
        ("DescribeSubnets", "subnetSet/item", "", "subnetId", None),
        ("DescribeNetworkInterfaces", "networkInterfaceSet/item", "", "networkInterfaceId", None),
    )
    for action, item, inner, name, wanted in places:
        every = ask(kiln, action)
        by_name = every.texts(f"{item}/{inner}availabilityZone")
        assert every.texts(f"{item}/{inner}availabilityZoneId") == [f"use1-az{'abcdef'.index(zone[-1]) + 1}" for zone in by_name], (action, every.body)
        for zone, zone_id in ZONES.items():
            found = ask(kiln, action, Filter_1_Name="availability-zone-id", Filter_1_Value_1=zone_id)
            same = ask(kiln, action, Filter_1_Name="availability-zone", Filter_1_Value_1=zone)
            assert found.texts(f"{item}/{name}") == same.texts(f"{item}/{name}") != [], (action, found.body)
            assert set(found.texts(f"{item}/{inner}availabilityZoneId")) == {zone_id}, (action, found.body)
            assert wanted is None or found.texts(f"{item}/{name}") == [wanted[zone]], (action, found.body)
        assert ask(kiln, action, Filter_1_Name="availability-zone-id", Filter_1_Value_1="use1-az9").texts(f"{item}/{name}") == []


def test_INS_8_running_instances_share_the_nodes_above_them(kiln):
    answer = ask(kiln, "DescribeInstanceTopology")
    assert answer.texts("instanceSet/item/instanceId") == list(kiln.instances.values()), answer.body
    assert answer.texts("instanceSet/item/zoneId") == list(ZONES.values()) and answer.texts("instanceSet/item/instanceType") == ["t3.nano"] * 2
    nodes = answer.texts("instanceSet/item/networkNodeSet/item")
    assert len(nodes) == 6 and all(re.fullmatch("nn-[0-9a-f]{17}", node) for node in nodes), nodes
    assert nodes[0] == nodes[3] and nodes[1] != nodes[4] and nodes[2] != nodes[5], nodes  # one region, two zones
    one, other = kiln.instances.values()
    for filters in (("zone-id", "use1-az2"), ("availability-zone", "us-east-1b")):
        found = ask(kiln, "DescribeInstanceTopology", Filter_1_Name=filters[0], Filter_1_Value_1=filters[1])
        assert found.texts("instanceSet/item/instanceId") == [other], found.body
    assert ask(kiln, "DescribeInstanceTopology", Filter_1_Name="instance-type", Filter_1_Value_1="p4*").texts("instanceSet/item") == []
    assert ask(kiln, "DescribeInstanceTopology", InstanceId_1=one).texts("instanceSet/item/instanceId") == [one]
    first = ask(kiln, "DescribeInstanceTopology", MaxResults="1")
    second = ask(kiln, "DescribeInstanceTopology", MaxResults="1", NextToken=first.texts("nextToken")[0])
    assert first.texts("instanceSet/item/instanceId") + second.texts("instanceSet/item/instanceId") == [one, other] and not second.texts("nextToken")
    for parameters, code in (
        ({"InstanceId_1": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ({"GroupName_1": "near"}, "InvalidPlacementGroup.Unknown"),
        ({"InstanceId_1": one, "MaxResults": "5"}, "InvalidParameterCombination"),
        ({"MaxResults": "0"}, "InvalidParameterValue"),
        ({"Filter_1_Name": "colour", "Filter_1_Value_1": "red"}, "InvalidParameterValue"),
        ({"DryRun": "true"}, "DryRunOperation"),
    ):
        assert ask(kiln, "DescribeInstanceTopology", **parameters).code == code, parameters


def test_INS_8_only_running_instances_are_told_of(kiln):
    ec2 = kiln.client("ec2")
    (instance,) = ask(kiln, "RunInstances", ImageId=kiln.image, InstanceType="t2.nano", MinCount="1", MaxCount="1").texts("instancesSet/item/instanceId")
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    assert instance in ask(kiln, "DescribeInstanceTopology").texts("instanceSet/item/instanceId")
    ec2.terminate_instances(InstanceIds=[instance])
    assert ask(kiln, "DescribeInstanceTopology", InstanceId_1=instance).texts("instanceSet/item") == []


def find(ec2, **requirements):
    wanted = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}} | requirements
    pages = ec2.get_paginator("get_instance_types_from_instance_requirements").paginate(
        ArchitectureTypes=["x86_64"], VirtualizationTypes=["hvm"], InstanceRequirements=wanted, PaginationConfig={"PageSize": 4})  # fmt: skip
    return {item["InstanceType"] for page in pages for item in page["InstanceTypes"]}


def test_TYP_4_instance_types_are_found_by_what_they_have(kiln):
    ec2 = kiln.client("ec2")
    types = {item["InstanceType"]: item for page in ec2.get_paginator("describe_instance_types").paginate() for item in page["InstanceTypes"]}
    plain = {name for name, item in types.items() if not item["BurstablePerformanceSupported"] and "hvm" in item["SupportedVirtualizationTypes"]}
    assert find(ec2) == plain and len(plain) > 4, plain  # more than a page of them
    assert find(ec2, VCpuCount={"Min": 2, "Max": 4}) == {name for name in plain if 2 <= types[name]["VCpuInfo"]["DefaultVCpus"] <= 4}
    burstable = {name for name, item in types.items() if item["BurstablePerformanceSupported"]}
    assert burstable and find(ec2, BurstablePerformance="required") == burstable
    with_disks = {name for name in plain if types[name]["InstanceStorageSupported"] and types[name]["InstanceStorageInfo"]["Disks"][0]["Type"] == "ssd"}
    assert with_disks and find(ec2, LocalStorage="required", LocalStorageTypes=["ssd"]) == with_disks
    assert find(ec2, AllowedInstanceTypes=["m5.*"]) == {name for name in plain if name.startswith("m5.")}
    assert find(ec2, BareMetal="required") == set() and find(ec2, AcceleratorCount={"Min": 1}) == set()
    assert kiln.aws("ec2", "get-instance-types-from-instance-requirements", "--architecture-types", "arm64", "--virtualization-types", "hvm",
                    "--instance-requirements", "VCpuCount={Min=1},MemoryMiB={Min=1}")["InstanceTypes"] == []  # fmt: skip


def test_TYP_4_what_cannot_be_known_is_refused_by_name(kiln):
    ec2, get = kiln.client("ec2"), kiln.client("ec2").get_instance_types_from_instance_requirements
    least = {"VCpuCount": {"Min": 0}, "MemoryMiB": {"Min": 0}}
    for unknown in ({"SpotMaxPricePercentageOverLowestPrice": 5}, {"OnDemandMaxPricePercentageOverLowestPrice": 5}, {"NetworkBandwidthGbps": {"Min": 1.0}}):
        message = expect("UnsupportedOperation", get, ArchitectureTypes=["x86_64"], VirtualizationTypes=["hvm"], InstanceRequirements=least | unknown)
        assert next(iter(unknown)) in message, message
    for code, more in (
        ("InvalidParameterValue", {"VCpuCount": {"Min": 3, "Max": 2}}),
        ("InvalidParameterValue", {"BareMetal": "maybe"}),
        ("InvalidParameterValue", {"CpuManufacturers": ["zilog"]}),
        ("InvalidParameterCombination", {"AllowedInstanceTypes": ["t3.*"], "ExcludedInstanceTypes": ["t2.*"]}),
    ):
        expect(code, get, ArchitectureTypes=["x86_64"], VirtualizationTypes=["hvm"], InstanceRequirements=least | more)
    whole = {"ArchitectureType.1": "x86_64", "VirtualizationType.1": "hvm", "InstanceRequirements.VCpuCount.Min": "1", "InstanceRequirements.MemoryMiB.Min": "1"}
    for left_out in whole:
        rest = {name: value for name, value in whole.items() if name != left_out}
        assert query(kiln, "GetInstanceTypesFromInstanceRequirements", rest).code == "MissingParameter", left_out
    assert query(kiln, "GetInstanceTypesFromInstanceRequirements", whole | {"DryRun": "true"}).code == "DryRunOperation"
    assert query(kiln, "GetInstanceTypesFromInstanceRequirements", whole | {"MaxResults": "0"}).code == "InvalidParameterValue"
    assert query(kiln, "GetInstanceTypesFromInstanceRequirements", whole | {"Context": "reserved"}).code == "UnsupportedOperation"
    assert ec2.describe_instance_types(InstanceTypes=["t3.nano"])["InstanceTypes"]


if __name__ == "__main__":
    kiln_test.main()
