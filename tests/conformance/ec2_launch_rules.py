#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a launch takes from its image and request, what stays fixed, and what a launch leaves when it fails."""

import contextlib
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service("--gc-grace", "0") as kiln:
        yield kiln


def register(service, name, **more):
    request = {
        "Name": name, "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "EnaSupport": True,
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}], **more,
    }  # fmt: skip
    return service.client("ec2").register_image(**request)["ImageId"]


def launch(service, **more):
    request = {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1, **more}
    (made,) = service.client("ec2").run_instances(**request)["Instances"]
    return made


def describe(service, instance):
    return service.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def firmware(service, instance):
    """Debian's boto3 does not know this member."""
    (mode,) = query(service, "DescribeInstances", {"InstanceId.1": instance}).texts("reservationSet/item/instancesSet/item/currentInstanceBootMode")
    return mode


def wait_for(service, instance, state):
    wait_until(lambda: describe(service, instance)["State"]["Name"] == state, 30, f"{instance} is {state}")


def end(service, *instances):
    service.client("ec2").terminate_instances(InstanceIds=list(instances))
    for instance in instances:
        wait_for(service, instance, "terminated")


def test_RUN_2_the_type_defaults_to_m1_small(service):
    ec2 = service.client("ec2")
    (made,) = ec2.run_instances(ImageId=service.image, MinCount=1, MaxCount=1)["Instances"]
    assert made["InstanceType"] == "m1.small" == describe(service, made["InstanceId"])["InstanceType"]
    other = launch(service, InstanceType="t2.micro")
    assert other["InstanceType"] == "t2.micro"
    for unknown in ("t9.huge", "M1.SMALL", "m1"):
        message = expect("InvalidParameterValue", ec2.run_instances, ImageId=service.image, MinCount=1, MaxCount=1, InstanceType=unknown)
        assert unknown in message, message
    end(service, made["InstanceId"], other["InstanceId"])


def test_RUN_5_volumes_are_made_by_the_mapping_in_the_zone_of_the_instance(service):
    ec2 = service.client("ec2")
    made = launch(
        service, Placement={"AvailabilityZone": "us-east-1c"},
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 3500, "Throughput": 130}},
            {"DeviceName": "/dev/sdg", "Ebs": {"SnapshotId": service.snapshot}},
        ],
    )["InstanceId"]  # fmt: skip
    wait_for(service, made, "running")
    seen = describe(service, made)
    found = ec2.describe_volumes(VolumeIds=[entry["Ebs"]["VolumeId"] for entry in seen["BlockDeviceMappings"]])["Volumes"]
    assert {volume["AvailabilityZone"] for volume in found} == {"us-east-1c"} and {volume["State"] for volume in found} == {"in-use"}, found
    volumes = {volume["Attachments"][0]["Device"]: volume for volume in found}
    plain = volumes["/dev/sdf"]
    assert (plain["Size"], plain["VolumeType"], plain["Iops"], plain["Throughput"], plain["SnapshotId"]) == (8, "gp3", 3500, 130, ""), plain
    assert volumes["/dev/xvda"]["SnapshotId"] == volumes["/dev/sdg"]["SnapshotId"] == service.snapshot
    end(service, made)


def test_RUN_5_INS_3_a_launch_that_fails_says_why_and_leaves_no_volume():
    with kiln_test.api_service("--gc-grace", "0") as kiln:
        kiln.wait_stored(kiln.snapshot)
        kiln.stop()
        objects = os.path.join(kiln.data, "objects")
        for name in os.listdir(objects):  # where the image's bytes were
            os.unlink(os.path.join(objects, name))
        kiln.start()
        made = launch(kiln, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}])
        assert made["State"]["Name"] == "pending", made
        wait_for(kiln, made["InstanceId"], "terminated")
        seen = describe(kiln, made["InstanceId"])
        assert seen["StateReason"]["Code"] == "Server.InternalError", seen
        assert seen["StateReason"]["Message"].startswith("Server.InternalError: "), seen
        assert seen["BlockDeviceMappings"] == [] and kiln.client("ec2").describe_volumes()["Volumes"] == [], seen


def test_RUN_12_the_image_notes_its_last_launch(service):
    ec2 = service.client("ec2")
    image = register(service, "noted")

    def noted():
        return ec2.describe_image_attribute(ImageId=image, Attribute="lastLaunchedTime").get("LastLaunchedTime", {}).get("Value")

    assert noted() is None
    expect("DryRunOperation", ec2.run_instances, ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, DryRun=True)
    expect("InvalidParameterValue", ec2.run_instances, ImageId=image, InstanceType="t9.huge", MinCount=1, MaxCount=1)
    assert noted() is None, "nothing was launched"
    made = launch(service, ImageId=image)
    assert noted() == made["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%S.000Z"), (noted(), made)
    end(service, made["InstanceId"])
    ec2.deregister_image(ImageId=image)


def test_RUN_13_INS_4_VOL_13_an_instance_needs_its_image_and_snapshot_no_more(service):
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=service.snapshot)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    image = register(service, "leaving", BootMode="uefi-preferred", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}])
    made = launch(service, ImageId=image, InstanceType="t3.nano")["InstanceId"]
    ec2.deregister_image(ImageId=image)
    ec2.delete_snapshot(SnapshotId=snapshot)
    expect("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[snapshot])
    wait_for(service, made, "running")

    def fixed():
        seen = describe(service, made)
        return [seen[name] for name in ("ImageId", "Architecture", "RootDeviceName", "VirtualizationType", "BootMode")] + [firmware(service, made)]

    assert fixed() == [image, "x86_64", "/dev/xvda", "hvm", "uefi-preferred", "uefi"], fixed()
    root = describe(service, made)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]["SnapshotId"] == snapshot
    service.run("gc", "--json")
    service.run("verify", root)  # every byte of it is there
    ec2.stop_instances(InstanceIds=[made])
    wait_for(service, made, "stopped")
    # Not even while it is stopped, nor by a type whose new instances start with a BIOS.
    change = ec2.modify_instance_attribute
    for attribute, value in (("kernel", "aki-01234567"), ("ramdisk", "ari-01234567"), ("rootDeviceName", "/dev/sda1")):
        code = "InvalidParameterValue" if attribute == "rootDeviceName" else "UnsupportedOperation"
        expect(code, change, InstanceId=made, Attribute=attribute, Value=value)
    change(InstanceId=made, InstanceType={"Value": "t2.nano"})
    assert fixed() == [image, "x86_64", "/dev/xvda", "hvm", "uefi-preferred", "uefi"], fixed()
    ec2.start_instances(InstanceIds=[made])
    wait_for(service, made, "running")
    assert fixed() == [image, "x86_64", "/dev/xvda", "hvm", "uefi-preferred", "uefi"], fixed()
    assert ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]["SnapshotId"] == snapshot
    end(service, made)


def test_BM_1_firmware_is_what_image_and_type_agree_on(service):
    ec2 = service.client("ec2")
    uefi = {
        kind["InstanceType"]: "uefi" in kind["SupportedBootModes"]
        for kind in ec2.describe_instance_types(InstanceTypes=["t2.nano", "t3.nano"])["InstanceTypes"]
    }
    assert uefi == {"t2.nano": False, "t3.nano": True}, uefi
    for mode, kind, expected in (
        (None, "t2.nano", "legacy-bios"),
        (None, "t3.nano", "legacy-bios"),
        ("legacy-bios", "t3.nano", "legacy-bios"),
        ("uefi", "t3.nano", "uefi"),
        ("uefi-preferred", "t3.nano", "uefi"),
        ("uefi-preferred", "t2.nano", "legacy-bios"),
        ("uefi", "t2.nano", None),
    ):
        image = register(service, "firmware", **({"BootMode": mode} if mode else {}))
        if expected:
            made = launch(service, ImageId=image, InstanceType=kind)
            assert (firmware(service, made["InstanceId"]), made.get("BootMode")) == (expected, mode), (mode, kind, made)
            end(service, made["InstanceId"])
        else:
            message = expect("InvalidParameterCombination", ec2.run_instances, ImageId=image, InstanceType=kind, MinCount=1, MaxCount=1)
            assert "uefi" in message and kind in message, message
        ec2.deregister_image(ImageId=image)


def test_IDM_1_client_tokens_have_at_most_64_characters_or_128(service):
    ec2 = service.client("ec2")
    made = launch(service, ClientToken="t" * 64)["InstanceId"]
    assert launch(service, ClientToken="t" * 64)["InstanceId"] == made
    copy = {"Name": "copied", "SourceImageId": service.image, "SourceRegion": "us-east-1"}
    calls = (
        (ec2.run_instances, 64, {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}),
        (ec2.create_volume, 64, {"AvailabilityZone": "us-east-1a", "Size": 1}),
        (ec2.copy_image, 128, copy),
    )
    for call, most, request in calls:
        message = expect("InvalidClientToken", call, **request, ClientToken="t" * (most + 1))
        assert str(most) in message, message
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 1
    end(service, made)


def test_TAG_6_tags_are_set_with_the_creation_or_nothing_is_made(service):
    ec2 = service.client("ec2")

    def count():
        instances = sum(len(r["Instances"]) for r in ec2.describe_instances()["Reservations"])
        return instances, len(ec2.describe_volumes()["Volumes"]), len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]), len(ec2.describe_tags()["Tags"])

    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    before = count()
    many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
    for tags, code in ((many, "TagLimitExceeded"), ([{"Key": "aws:mine", "Value": "v"}], "InvalidParameterValue")):
        for resource in ("instance", "volume", "network-interface"):
            wrong = [{"ResourceType": resource, "Tags": tags}]
            expect(code, ec2.run_instances, ImageId=service.image, InstanceType="t2.nano", MinCount=2, MaxCount=2, TagSpecifications=wrong)
        expect(code, ec2.create_volume, AvailabilityZone="us-east-1a", Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}])
        expect(code, ec2.create_snapshot, VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}])
    assert count() == before
    # With the creation: the first answer has them.
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": many[:50]}])
    assert len(made["Tags"]) == 50 and len(ec2.describe_tags()["Tags"]) == before[3] + 50
    ec2.delete_volume(VolumeId=made["VolumeId"])


@contextlib.contextmanager
def changed_document(kiln, table, row, **members):
    """Members of a row's document are others, as no request can make them, in the catalog of a stopped service."""
    kiln.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(kiln.data, "catalog.sqlite"))) as catalog, catalog:
        (document,) = catalog.execute(f"SELECT doc FROM {table} WHERE id = ?", (row,)).fetchone()
        catalog.execute(f"UPDATE {table} SET doc = ? WHERE id = ?", (json.dumps({**json.loads(document), **members}), row))
    kiln.start()
    yield kiln.client("ec2")


def test_RUN_8_CI_3_what_only_ebs_backed_instances_have():
    with kiln_test.api_service() as kiln:
        made = launch(kiln)["InstanceId"]
        wait_for(kiln, made, "running")
        ec2 = kiln.client("ec2")
        change = {"InstanceId": made, "InstanceInitiatedShutdownBehavior": {"Value": "terminate"}}
        ec2.modify_instance_attribute(**change)
        ec2.create_image(InstanceId=made, Name="of ebs", NoReboot=True)
        ec2.stop_instances(InstanceIds=[made])
        wait_for(kiln, made, "stopped")
        with changed_document(kiln, "instances", made, root_device_type="instance-store") as ec2:
            assert describe(kiln, made)["RootDeviceType"] == "instance-store"
            expect("InvalidParameterCombination", ec2.modify_instance_attribute, **change)
            message = expect("InvalidParameterValue", ec2.create_image, InstanceId=made, Name="of another", NoReboot=True)
            assert "does not have an 'ebs' root device type" in message, message


def test_PC_9_platform_and_billing_go_together(service):
    ec2 = service.client("ec2")
    made = json.loads(service.run("import", service.raw, "--name", "windows", "--platform", "windows", "--json").stdout)["imageId"]
    for image, platform, details, operation in (
        (made, "windows", "Windows", "RunInstances:0002"),
        (register(service, "linux"), None, "Linux/UNIX", "RunInstances"),
    ):
        instance = launch(service, ImageId=image)["InstanceId"]
        for seen in (ec2.describe_images(ImageIds=[image])["Images"][0], describe(service, instance)):
            assert (seen.get("Platform"), seen["PlatformDetails"], seen["UsageOperation"]) == (platform, details, operation), seen
        end(service, instance)


def test_VOL_6_a_volume_goes_at_once_and_its_bytes_follow(service):
    ec2 = service.client("ec2")
    layers = os.path.join(service.data, "layers")
    service.wait_stored(service.snapshot)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=service.snapshot)["VolumeId"]
    layer = json.loads(service.run("inspect", volume).stdout)["activeLayer"]
    # Opened once, so that it has files.
    service.run("nbd", volume)
    assert any(layer in name for name in os.listdir(layers)), os.listdir(layers)
    service.run("nbd", volume, "--stop")
    ec2.delete_volume(VolumeId=volume)
    expect("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[volume])
    expect("InvalidVolume.NotFound", ec2.delete_volume, VolumeId=volume)
    wait_until(lambda: not any(layer in name for name in os.listdir(layers)), 30, "its bytes are gone")


def test_INS_4_what_scripts_read_of_every_instance_is_there(service):
    ec2 = service.client("ec2")
    answer = query(
        service, "RunInstances",
        {"ImageId": service.image, "InstanceType": "t2.nano", "MinCount": "1", "MaxCount": "1",
         "BlockDeviceMapping.1.DeviceName": "/dev/sdb", "BlockDeviceMapping.1.Ebs.VolumeSize": "1"},
    )  # fmt: skip
    (made,) = answer.texts("instancesSet/item/instanceId")
    wait_for(service, made, "running")
    described = query(service, "DescribeInstances", {"InstanceId.1": made})
    for instance, seen in (("instancesSet/item", answer), ("reservationSet/item/instancesSet/item", described)):
        for name, value in (
            ("productCodes", ""), ("maintenanceOptions/autoRecovery", "default"), ("maintenanceOptions/rebootMigration", "default"),
            ("networkPerformanceOptions/bandwidthWeighting", "default"), ("privateDnsNameOptions/hostnameType", "ip-name"),
            ("privateDnsNameOptions/enableResourceNameDnsARecord", "false"), ("operator/managed", "false"),
            ("networkInterfaceSet/item/operator/managed", "false"),
        ):  # fmt: skip
            assert seen.texts(f"{instance}/{name}") == [value], (name, seen.body)
        # The root first, though the other's name is before it.
        assert seen.texts(f"{instance}/blockDeviceMapping/item/deviceName") == ["/dev/xvda", "/dev/sdb"], seen.body
    assert describe(service, made)["ProductCodes"] == []
    end(service, made)


def test_INS_6_every_filter_finds_an_instance_by_what_it_has(service):
    ec2 = service.client("ec2")
    key = ec2.create_key_pair(KeyName="filters")["KeyName"]
    made = launch(
        service, KeyName=key, ClientToken="filters",
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "blue"}]},
            {"ResourceType": "network-interface", "Tags": [{"Key": "side", "Value": "front"}]},
        ],
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}],
    )["InstanceId"]  # fmt: skip
    wait_for(service, made, "running")
    other = launch(service)["InstanceId"]
    wait_for(service, other, "running")
    seen = describe(service, made)
    reservation = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]
    (interface,) = seen["NetworkInterfaces"]
    attached = {entry["DeviceName"]: entry["Ebs"] for entry in seen["BlockDeviceMappings"]}["/dev/sdf"]
    own = {  # what the other one has not
        "instance-id": made, "reservation-id": reservation["ReservationId"], "client-token": "filters", "key-name": key,
        "private-ip-address": seen["PrivateIpAddress"], "private-dns-name": seen["PrivateDnsName"], "tag:role": "blue", "tag-key": "role",
        "tag-value": "blue", "block-device-mapping.volume-id": attached["VolumeId"], "block-device-mapping.device-name": "/dev/sdf",
        "network-interface.network-interface-id": interface["NetworkInterfaceId"], "network-interface.mac-address": interface["MacAddress"],
        "network-interface.addresses.private-ip-address": seen["PrivateIpAddress"],
        "network-interface.attachment.attachment-id": interface["Attachment"]["AttachmentId"],
        "network-interface.tag-key": "side", "network-interface.tag-value": "front",
    }  # fmt: skip
    common = {
        "architecture": "x86_64", "availability-zone": "us-east-1a", "image-id": service.image, "instance-type": "t2.nano",
        "instance-state-name": "running", "instance-state-code": "16", "launch-index": "0", "owner-id": reservation["OwnerId"],
        "root-device-name": "/dev/xvda", "root-device-type": "ebs", "virtualization-type": "hvm", "hypervisor": "xen",
        "vpc-id": seen["VpcId"], "subnet-id": seen["SubnetId"], "instance.group-id": seen["SecurityGroups"][0]["GroupId"],
        "instance.group-name": "default", "group-id": seen["SecurityGroups"][0]["GroupId"], "group-name": "default",
        "block-device-mapping.status": "attached", "platform-details": "Linux/UNIX", "usage-operation": "RunInstances",
        "network-interface.subnet-id": seen["SubnetId"], "source-dest-check": "true",
        "current-instance-boot-mode": "legacy-bios", "tenancy": "default", "monitoring-state": "disabled",
        "metadata-options.http-tokens": "optional", "metadata-options.http-put-response-hop-limit": "1",
        "metadata-options.http-endpoint": "enabled", "metadata-options.http-protocol-ipv4": "enabled",
        "metadata-options.http-protocol-ipv6": "disabled", "metadata-options.instance-metadata-tags": "disabled",
        "metadata-options.state": "applied", "enclave-options.enabled": "false", "hibernation-options.configured": "false",
        "maintenance-options.auto-recovery": "default", "private-dns-name-options.hostname-type": "ip-name",
        "operator.managed": "false", "network-interface.operator.managed": "false",
        "network-interface.attachment.network-card-index": "0",
        "capacity-reservation-specification.capacity-reservation-preference": "open",
    }  # fmt: skip
    for expected, filters in (({made}, own), ({made, other}, common)):
        for name, value in filters.items():
            for wanted, values in ((expected, [value]), (expected, ["nothing", value]), (set(), ["nothing"])):
                page = ec2.describe_instances(Filters=[{"Name": name, "Values": values}, {"Name": "instance-id", "Values": [made, other]}])
                found = {i["InstanceId"] for r in page["Reservations"] for i in r["Instances"]}
                assert found == wanted, (name, values, found)
    for name in (  # nothing here is or has that; it is no mistake to ask
        "instance-lifecycle", "spot-instance-request-id", "ipv6-address", "placement-group-name", "host-id", "affinity", "requester-id",
        "capacity-reservation-id", "product-code", "product-code.type", "kernel-id", "ramdisk-id", "outpost-arn", "tpm-support",
        "network-interface.association.allocation-id", "network-interface.ipv6-addresses.ipv6-address", "operator.principal",
    ):  # fmt: skip
        assert ec2.describe_instances(Filters=[{"Name": name, "Values": ["*"]}])["Reservations"] == [], name
    for name in ("network-interface.tag-key", "network-interface.tag-value"):  # the instance's tags are not those of its interface
        for tag in ("role", "blue"):
            assert ec2.describe_instances(Filters=[{"Name": name, "Values": [tag]}])["Reservations"] == [], (name, tag)
    ec2.modify_instance_metadata_options(InstanceId=made, HttpTokens="required")
    required = [{"Name": "metadata-options.http-tokens", "Values": ["required"]}, {"Name": "instance-id", "Values": [made, other]}]
    assert [i["InstanceId"] for r in ec2.describe_instances(Filters=required)["Reservations"] for i in r["Instances"]] == [made]
    answer = query(service, "DescribeInstances", {"Filter.1.Name": "colour", "Filter.1.Value.1": "red"})
    assert answer.code == "InvalidParameterValue", answer.body
    end(service, made, other)


if __name__ == "__main__":
    kiln_test.main()
