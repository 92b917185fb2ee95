#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instance types and where they are offered; launching more than the host has."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    # Room for five t2.nano.
    with kiln_test.api_service("--fake-memory", "2600") as kiln:
        yield kiln


def types(ec2, **query):
    return {t["InstanceType"]: t for t in ec2.describe_instance_types(**query)["InstanceTypes"]}


def test_TYP_1_the_catalogue_has_what_clients_read(service):
    ec2 = service.client("ec2")
    known = types(ec2)
    assert {name.split(".")[0] for name in known} == {"t2", "t3", "t3a", "m5", "m5d", "c5", "c5d", "m3", "m1"} and len(known) >= 20
    for name, facts in known.items():
        assert re.fullmatch(r"[a-z]+\d[a-z]*\.[a-z0-9]+", name), name  # Terraform takes the name apart
        cpus, disks = facts["VCpuInfo"], facts["EbsInfo"]
        assert cpus["DefaultVCpus"] == cpus["DefaultCores"] * cpus["DefaultThreadsPerCore"], name
        assert facts["Hypervisor"] in ("nitro", "xen") and "x86_64" in facts["ProcessorInfo"]["SupportedArchitectures"]
        assert facts["InstanceStorageSupported"] == ("InstanceStorageInfo" in facts)
        assert ("EbsOptimizedInfo" in disks) == (disks["EbsOptimizedSupport"] != "unsupported")
        assert facts["NetworkInfo"]["MaximumNetworkInterfaces"] >= 2 and not facts["BareMetal"]
    t3, m1 = known["t3.micro"], known["m1.small"]
    assert t3["MemoryInfo"]["SizeInMiB"] == 1024 and t3["VCpuInfo"]["DefaultVCpus"] == 2 and t3["BurstablePerformanceSupported"]
    assert t3["NetworkInfo"]["EnaSupport"] == "required" and t3["SupportedBootModes"] == ["legacy-bios", "uefi"]
    assert m1["SupportedVirtualizationTypes"] == ["hvm", "paravirtual"] and not m1["CurrentGeneration"]
    assert m1["SupportedRootDeviceTypes"] == ["ebs", "instance-store"] and m1["InstanceStorageInfo"]["Disks"][0]["Type"] == "hdd"
    assert known["m5d.large"]["InstanceStorageInfo"]["TotalSizeInGB"] == 75
    assert known["c5d.large"]["InstanceStorageInfo"] == {
        "TotalSizeInGB": 50, "Disks": [{"SizeInGB": 50, "Count": 1, "Type": "ssd"}], "NvmeSupport": "required", "EncryptionSupport": "unsupported"}  # fmt: skip
    shown = query(service, "DescribeInstanceTypes", {"InstanceType.1": "t3.nano"})
    for name, value in (
        ("ebsInfo/maximumEbsAttachments", "28"), ("ebsInfo/attachmentLimitType", "dedicated"), ("rebootMigrationSupport", "unsupported"),
        ("networkInfo/flexibleEnaQueuesSupport", "unsupported"),
    ):  # fmt: skip
        assert shown.texts(f"instanceTypeSet/item/{name}") == [value], (name, shown.body)
    one = service.aws("ec2", "describe-instance-types", "--instance-types", "t2.nano", "--query", "InstanceTypes[].MemoryInfo.SizeInMiB")
    assert one == [512]


def test_TYP_2_filters_and_pages(service):
    ec2 = service.client("ec2")
    for name, value, expected in (
        ("instance-type", "t2.*", {"t2.nano", "t2.micro", "t2.small", "t2.medium"}),
        ("current-generation", "false", {"m1.small", "m1.medium", "m3.medium", "m3.large"}),
        ("supported-virtualization-type", "paravirtual", {"m1.small", "m1.medium", "m3.medium", "m3.large"}),
        ("memory-info.size-in-mib", "16384", {"m5.xlarge", "m5d.xlarge"}),
        ("free-tier-eligible", "true", {"t2.micro", "t3.micro"}),
        ("instance-storage-info.disk.type", "ssd", {"m3.medium", "m3.large", "m5d.large", "m5d.xlarge", "c5d.large", "c5d.xlarge"}),
        ("processor-info.sustained-clock-speed-in-ghz", "3.4", {"c5.large", "c5.xlarge", "c5d.large", "c5d.xlarge"}),
        ("ebs-info.ebs-optimized-info.baseline-throughput-in-mbps", "5.375", {"t3.nano"}),
        ("vcpu-info.default-vcpus", "4", {"m5.xlarge", "m5d.xlarge", "c5.xlarge", "c5d.xlarge"}),
        ("network-info.ena-support", "magic", set()),
        ("network-info.bandwidth-weightings", "*", set()),
        ("network-info.flexible-ena-queues-support", "supported", set()),
        ("reboot-migration-support", "supported", set()),
        ("ebs-info.attachment-limit-type", "shared", set()),
        ("ebs-info.maximum-ebs-attachments", "28", set(types(ec2))),
    ):
        assert set(types(ec2, Filters=[{"Name": name, "Values": [value]}])) == expected, name
    assert set(types(ec2, InstanceTypes=["t3.nano", "c5.large", "t3.nano"])) == {"t3.nano", "c5.large"}
    message = expect("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["t3.nano", "x9.huge"])
    assert message == "The following supplied instance types do not exist: [x9.huge]", message
    expect("InvalidParameterValue", ec2.describe_instance_types, Filters=[{"Name": "colour", "Values": ["red"]}])
    expect("DryRunOperation", ec2.describe_instance_types, DryRun=True)
    pages = list(ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 7}))
    names = [t["InstanceType"] for page in pages for t in page["InstanceTypes"]]
    assert [len(page["InstanceTypes"]) for page in pages][:2] == [7, 7] and len(names) == len(set(names)) == len(types(ec2))
    token = ec2.describe_instance_types(MaxResults=7)["NextToken"]
    elsewhere = [{"Name": "hypervisor", "Values": ["xen"]}]
    expect("InvalidNextToken", ec2.describe_instance_types, MaxResults=7, NextToken=token, Filters=elsewhere)


def test_TYP_3_every_type_is_offered_everywhere(service):
    ec2 = service.client("ec2")
    here = ec2.describe_instance_type_offerings()["InstanceTypeOfferings"]
    assert {(o["LocationType"], o["Location"]) for o in here} == {("region", "us-east-1")} and len(here) == len(types(ec2))
    query = [{"Name": "instance-type", "Values": ["t3.micro"]}]
    for kind, places in (
        ("availability-zone", {f"us-east-1{letter}" for letter in "abcdef"}),
        ("availability-zone-id", {f"use1-az{number}" for number in range(1, 7)}),
        ("outpost", set()),
    ):
        offers = ec2.describe_instance_type_offerings(LocationType=kind, Filters=query)["InstanceTypeOfferings"]
        assert {o["Location"] for o in offers} == places and {o["InstanceType"] for o in offers} <= {"t3.micro"}, kind
    at = [{"Name": "location", "Values": ["us-east-1b"]}]
    offers = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=at)["InstanceTypeOfferings"]
    assert len(offers) == len(here)
    pages = list(ec2.get_paginator("describe_instance_type_offerings").paginate(LocationType="availability-zone", PaginationConfig={"PageSize": 50}))
    seen = [(o["InstanceType"], o["Location"]) for page in pages for o in page["InstanceTypeOfferings"]]
    assert len(seen) == len(set(seen)) == 6 * len(here) and len(pages) == 3
    expect("InvalidParameterValue", ec2.describe_instance_type_offerings, LocationType="planet")
    expect("InvalidParameterValue", ec2.describe_instance_type_offerings, Filters=[{"Name": "colour", "Values": ["red"]}])
    expect("DryRunOperation", ec2.describe_instance_type_offerings, DryRun=True)


def test_RUN_1_more_than_the_host_has_is_refused(service):
    ec2 = service.client("ec2")

    def run(least, most, **more):
        return ec2.run_instances(ImageId=service.image, InstanceType="t2.nano", MinCount=least, MaxCount=most, **more)

    expect("InsufficientInstanceCapacity", run, least=6, most=6)
    ids = [i["InstanceId"] for i in run(1, 9)["Instances"]]
    assert len(ids) == 5, ids  # as many as fit
    message = expect("InsufficientInstanceCapacity", run, least=1, most=1)
    assert "t2.nano" in message, message
    expect("InsufficientInstanceCapacity", run, least=1, most=1, DryRun=True)
    ec2.terminate_instances(InstanceIds=ids[:1])
    wait_until(
        lambda: ec2.describe_instances(InstanceIds=ids[:1])["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated",
        30,
        "one instance is terminated",
    )
    assert len(run(1, 1)["Instances"]) == 1
    expect("InvalidParameterValue", ec2.run_instances, ImageId=service.image, InstanceType="x9.huge", MinCount=1, MaxCount=1)


if __name__ == "__main__":
    kiln_test.main()
