#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Local zones, wavelength zones and outposts: who sees them, what is placed there, and where snapshots and images may go."""

import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.paths import TEMPORARY  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

HERE, FAR, OLD, DARK = "lab-1", "far-2", "old-3", "dark-4"
BOS, DEN, WAVE = "lab-1-bos-1a", "lab-1-den-1a", "lab-1-wl1-bos-wlz-1"
OUTPOST = "arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef0"
FAR_OUTPOST = "arn:aws:outposts:far-2:111111111111:outpost/op-0123456789abcdef1"
NO_OUTPOST = "arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef2"
TOPOLOGY = {"regions": [
    {"name": HERE,
     "zones": [
         {"name": "lab-1a", "id": "lab1-az1"}, {"name": "lab-1b", "id": "lab1-az2"},
         {"name": BOS, "id": "lab1-bos1-az1", "type": "local-zone", "parent": "lab-1a", "groupLongName": "Lab (Boston)"},
         {"name": DEN, "id": "lab1-den1-az1", "type": "local-zone", "parent": "lab-1b", "networkBorderGroup": "lab-1-mountains"},
         {"name": WAVE, "id": "lab1-wl1-bos1", "type": "wavelength-zone", "parent": "lab-1a", "group": "lab-1-wl1"},
     ],
     "outposts": [{"arn": OUTPOST, "zone": "lab-1b"}]},
    {"name": FAR, "zones": [{"name": "far-2a", "id": "far2-az1"}, {"name": "far-2-lax-1a", "id": "far2-lax1-az1", "type": "local-zone", "parent": "far-2a"}],
     "outposts": [{"arn": FAR_OUTPOST, "zone": "far-2a"}]},
    {"name": OLD, "optInStatus": "opted-in", "zones": [{"name": "old-3a", "id": "old3-az1"}]},
    {"name": DARK, "optInStatus": "not-opted-in", "zones": [{"name": "dark-4a", "id": "dark4-az1"}]},
]}  # fmt: skip


@kiln_test.fixture
def kiln():
    with tempfile.TemporaryDirectory(prefix="kt-", dir=TEMPORARY) as folder:
        path = os.path.join(folder, "topology.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(TOPOLOGY, file)
        yield from service(path)


def service(path):
    with kiln_test.Kiln("--hypervisor", "fake", "--topology", path, region=HERE) as daemon:
        disk = os.path.join(daemon.home, "disk.raw")
        with open(disk, "wb") as file:
            file.write(os.urandom(8192))
            file.truncate(1 << 20)
        made = json.loads(daemon.run("import", disk, "--name", "base", "--json").stdout)
        daemon.image, daemon.snapshot = made["imageId"], made["snapshotId"]
        daemon.ec2, daemon.far = daemon.client("ec2"), daemon.client("ec2", FAR)
        for group in ("lab-1-bos-1", "lab-1-den-1", "lab-1-wl1"):
            opt_in(daemon.ec2, group)
        opt_in(daemon.far, "far-2-lax-1")
        daemon.vpc = daemon.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        daemon.subnets = {}
        for number, zone in enumerate((BOS, DEN, WAVE)):
            daemon.subnets[zone] = subnet(daemon, number, AvailabilityZone=zone)["SubnetId"]
        daemon.subnets[OUTPOST] = subnet(daemon, 3, OutpostArn=OUTPOST)["SubnetId"]
        yield daemon


def opt_in(ec2, group):
    assert ec2.modify_availability_zone_group(GroupName=group, OptInStatus="opted-in")["Return"] is True


def subnet(kiln, number, **place):
    return kiln.ec2.create_subnet(VpcId=kiln.vpc, CidrBlock=f"172.31.{224 + number}.0/24", **place)["Subnet"]


def zones(ec2, **request):
    return [zone["ZoneName"] for zone in ec2.describe_availability_zones(**request)["AvailabilityZones"]]


def launch(kiln, place=None, **more):
    where = {} if place is None else {"SubnetId": kiln.subnets[place]} if place in kiln.subnets else {"Placement": {"AvailabilityZone": place}}
    request = {"ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, **where, **more}
    (made,) = kiln.ec2.run_instances(**request)["Instances"]
    kiln.ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return made["InstanceId"]


def end(kiln, *instances):
    kiln.ec2.terminate_instances(InstanceIds=list(instances))
    kiln.ec2.get_waiter("instance_terminated").wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def root_of(kiln, instance):
    (volume,) = kiln.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    return volume


def describe(kiln, instance):
    return kiln.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def zone_of(kiln, snapshot, region=HERE):
    """The local zone of a snapshot that is completed, or nothing. Debian's boto3 does not know the member."""
    kiln.client("ec2", region).get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    found = query(kiln, "DescribeSnapshots", {"SnapshotId.1": snapshot}, region=region).texts("snapshotSet/item/availabilityZone")
    return found[0] if found else None


def snapshots_of(ec2, image):
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return [entry["Ebs"]["SnapshotId"] for entry in ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]]


def local_image(kiln, place, name, location="local"):
    """An image of an instance in a local zone, with its snapshots there."""
    instance = launch(kiln, place)
    answer = query(kiln, "CreateImage", {"InstanceId": instance, "Name": name, "NoReboot": "true", "SnapshotLocation": location})
    (image,) = answer.texts("imageId")
    snapshots_of(kiln.ec2, image)
    end(kiln, instance)
    return image


def test_REG_3_regions_say_whether_they_are_opted_in_to(kiln):
    def regions(**request):
        return {region["RegionName"]: region["OptInStatus"] for region in kiln.ec2.describe_regions(**request)["Regions"]}

    enabled = {HERE: "opt-in-not-required", FAR: "opt-in-not-required", OLD: "opted-in"}
    assert regions() == enabled
    assert regions(AllRegions=True) == enabled | {DARK: "not-opted-in"}
    assert regions(RegionNames=[DARK]) == {DARK: "not-opted-in"}  # whoever names it sees it
    assert regions(AllRegions=True, Filters=[{"Name": "opt-in-status", "Values": ["not-*"]}]) == {DARK: "not-opted-in"}
    assert expect("InvalidParameterValue", kiln.ec2.describe_regions, RegionNames=["mars-1"]) == "Invalid region names: 'mars-1'"
    # Nothing is done there, nor copied from there.
    expect("AuthFailure", kiln.client("ec2", DARK).describe_images)
    expect("InvalidRegion", kiln.ec2.copy_image, Name="copied", SourceImageId=kiln.image, SourceRegion=DARK)
    assert kiln.client("ec2", OLD).describe_images(Owners=["self"])["Images"] == []


def test_REG_4_zones_have_all_their_fields(kiln):
    found = {zone["ZoneName"]: zone for zone in kiln.ec2.describe_availability_zones()["AvailabilityZones"]}
    assert list(found) == ["lab-1a", "lab-1b", BOS, DEN, WAVE]
    assert found["lab-1a"] == {
        "ZoneName": "lab-1a", "ZoneId": "lab1-az1", "State": "available", "RegionName": HERE, "ZoneType": "availability-zone", "GroupName": HERE,
        "NetworkBorderGroup": HERE, "OptInStatus": "opt-in-not-required", "Messages": []}  # fmt: skip
    assert {key: found[BOS].get(key) for key in ("ZoneId", "ZoneType", "GroupName", "NetworkBorderGroup", "OptInStatus", "ParentZoneName", "ParentZoneId")} == {
        "ZoneId": "lab1-bos1-az1", "ZoneType": "local-zone", "GroupName": "lab-1-bos-1", "NetworkBorderGroup": "lab-1-bos-1", "OptInStatus": "opted-in",
        "ParentZoneName": "lab-1a", "ParentZoneId": "lab1-az1"}  # fmt: skip
    assert found[DEN]["NetworkBorderGroup"] == "lab-1-mountains" and found[DEN]["ParentZoneId"] == "lab1-az2", found[DEN]
    assert (found[WAVE]["ZoneType"], found[WAVE]["GroupName"]) == ("wavelength-zone", "lab-1-wl1"), found[WAVE]
    names = query(kiln, "DescribeAvailabilityZones", {"ZoneName.1": BOS}).texts("availabilityZoneInfo/item/groupLongName")
    assert names == ["Lab (Boston)"]
    for name, values, expected in (
        ("zone-type", ["local-zone"], [BOS, DEN]),
        ("zone-type", ["*-zone"], list(found)),
        ("group-name", ["lab-1-wl?"], [WAVE]),
        ("group-name", [HERE], ["lab-1a", "lab-1b"]),
        ("group-long-name", ["Lab (*)"], [BOS]),
        ("opt-in-status", ["opted-in"], [BOS, DEN, WAVE]),
        ("parent-zone-id", ["lab1-az1"], [BOS, WAVE]),
        ("parent-zone-name", ["lab-1b"], [DEN]),
        ("zone-id", ["lab1-den1-az1"], [DEN]),
        ("zone-name", ["lab-1-*"], [BOS, DEN, WAVE]),
        ("region-name", [FAR], []),
        ("state", ["available"], list(found)),
        ("message", ["x"], []),
    ):
        assert zones(kiln.ec2, Filters=[{"Name": name, "Values": values}]) == expected, (name, values)
    expect("InvalidParameterValue", kiln.ec2.describe_availability_zones, Filters=[{"Name": "zone", "Values": ["x"]}])
    seen = kiln.aws("ec2", "describe-availability-zones", "--zone-ids", "lab1-bos1-az1")["AvailabilityZones"]
    assert [zone["ZoneName"] for zone in seen] == [BOS]


def test_REG_4_zones_are_there_for_who_opted_in(kiln):
    other = kiln.account("other")
    ec2 = other.client("ec2")
    assert zones(ec2) == ["lab-1a", "lab-1b"]
    everything = {z["ZoneName"]: z["OptInStatus"] for z in ec2.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"]}
    assert everything == {"lab-1a": "opt-in-not-required", "lab-1b": "opt-in-not-required", BOS: "not-opted-in", DEN: "not-opted-in", WAVE: "not-opted-in"}
    expect("InvalidZone.NotFound", ec2.describe_availability_zones, ZoneNames=[BOS])
    expect("InvalidZone.NotFound", ec2.describe_availability_zones, ZoneIds=["lab1-bos1-az1"])
    assert zones(ec2, ZoneNames=[BOS], AllAvailabilityZones=True) == [BOS]
    # Nothing is placed there.
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    words = expect("InvalidParameterValue", ec2.create_subnet, VpcId=vpc, CidrBlock="172.31.240.0/24", AvailabilityZone=BOS)
    assert words.endswith("following availability zones: lab-1a, lab-1b."), words
    expect("InvalidZone.NotFound", ec2.create_volume, AvailabilityZone=BOS, Size=1)
    assert query(kiln, "CreateVolume", {"AvailabilityZoneId": "lab1-bos1-az1", "Size": "1"}, keys=other.pair).code == "InvalidZone.NotFound"
    run = {"ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "Placement": {"AvailabilityZone": BOS}}
    kiln.ec2.modify_image_attribute(ImageId=kiln.image, LaunchPermission={"Add": [{"UserId": other.id}]})
    expect("InvalidZone.NotFound", ec2.run_instances, **run)
    assert {o["Location"] for o in ec2.describe_instance_type_offerings(LocationType="availability-zone")["InstanceTypeOfferings"]} == {"lab-1a", "lab-1b"}

    for request, words in (
        ({"GroupName": "lab-1-xyz-1", "OptInStatus": "opted-in"}, "groupname"),
        ({"GroupName": "far-2-lax-1", "OptInStatus": "opted-in"}, "groupname"),  # of another region
        ({"GroupName": HERE, "OptInStatus": "opted-in"}, "no opting in"),
        ({"GroupName": "lab-1-bos-1", "OptInStatus": "opt-in-not-required"}, "optinstatus"),
        ({"GroupName": "lab-1-bos-1", "OptInStatus": "in"}, "optinstatus"),
    ):
        message = expect("InvalidParameterValue", ec2.modify_availability_zone_group, **request)
        assert words in message.lower(), message
    expect("UnsupportedOperation", ec2.modify_availability_zone_group, GroupName="lab-1-bos-1", OptInStatus="not-opted-in")
    expect("DryRunOperation", ec2.modify_availability_zone_group, GroupName="lab-1-bos-1", OptInStatus="opted-in", DryRun=True)
    assert zones(ec2) == ["lab-1a", "lab-1b"]
    for _ in range(2):  # again changes nothing
        opt_in(ec2, "lab-1-bos-1")
    assert zones(ec2) == ["lab-1a", "lab-1b", BOS]
    expect("UnsupportedOperation", ec2.modify_availability_zone_group, GroupName="lab-1-bos-1", OptInStatus="not-opted-in")
    ec2.delete_volume(VolumeId=ec2.create_volume(AvailabilityZone=BOS, Size=1)["VolumeId"])
    expect("MissingInput", ec2.run_instances, **run)  # as EC2: no default subnet there
    assert zones(kiln.far) == ["far-2a", "far-2-lax-1a"]
    kiln.restart()
    kiln.ec2, kiln.far = kiln.client("ec2"), kiln.client("ec2", FAR)
    assert zones(other.client("ec2")) == ["lab-1a", "lab-1b", BOS]


def test_REG_1_REG_2_a_zone_is_named_once_by_name_or_id(kiln):
    ec2 = kiln.ec2
    for place, zone in (({"AvailabilityZone": BOS}, BOS), ({"AvailabilityZoneId": "lab1-az2"}, "lab-1b")):
        made = query(kiln, "CreateVolume", {"Size": "1", **place})
        assert made.texts("availabilityZone") == [zone], made.body
        ec2.delete_volume(VolumeId=made.texts("volumeId")[0])
    both = {"AvailabilityZone": "lab-1a", "AvailabilityZoneId": "lab1-az1"}
    run = {"ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
    copy = {"Name": "copied", "SourceImageId": kiln.image, "SourceRegion": HERE}
    destination = {"DestinationAvailabilityZone": BOS, "DestinationAvailabilityZoneId": "lab1-bos1-az1"}
    for action, parameters in (
        ("CreateVolume", {"Size": "1", **both}),
        ("CreateSubnet", {"VpcId": kiln.vpc, "CidrBlock": "172.31.250.0/24", **both}),
        ("RunInstances", {**{k: str(v) for k, v in run.items()}, **{f"Placement.{k}": v for k, v in both.items()}}),
        ("CopyImage", {**copy, **destination}),
    ):
        answer = query(kiln, action, parameters)
        assert answer.code == "InvalidParameterCombination", (action, answer.body)
    expect("InvalidParameterValue", ec2.create_subnet, VpcId=kiln.vpc, CidrBlock="172.31.250.0/24", AvailabilityZone="far-2a")
    expect("InvalidZone.NotFound", ec2.create_volume, Size=1, AvailabilityZone="far-2a")


def test_REG_5_instances_in_local_and_wavelength_zones(kiln):
    for zone in (BOS, WAVE):
        instance = launch(kiln, zone)
        assert describe(kiln, instance)["Placement"]["AvailabilityZone"] == zone == root_of(kiln, instance)["AvailabilityZone"]
        end(kiln, instance)
    # No UEFI there, nor on an outpost.
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.snapshot}}]
    image = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "EnaSupport": True, "BlockDeviceMappings": mapping}
    uefi = kiln.ec2.register_image(Name="uefi", BootMode="uefi", **image)["ImageId"]
    preferred = query(kiln, "RegisterImage", {
        "Name": "preferred", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "EnaSupport": "true", "BootMode": "uefi-preferred",
        "BlockDeviceMapping.1.DeviceName": "/dev/xvda", "BlockDeviceMapping.1.Ebs.SnapshotId": kiln.snapshot}).texts("imageId")[0]  # fmt: skip
    for place, mode in ((BOS, None), (WAVE, None), (OUTPOST, None), ("lab-1a", "uefi")):
        where_to = {"SubnetId": kiln.subnets[place]} if place in kiln.subnets else {"Placement": {"AvailabilityZone": place}}
        run = {"InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, **where_to}
        if mode is None:
            message = expect("InvalidParameterCombination", kiln.ec2.run_instances, ImageId=uefi, **run)
            assert "uefi" in message and place in message, message
        instance = launch(kiln, place, ImageId=preferred)
        (current,) = query(kiln, "DescribeInstances", {"InstanceId.1": instance}).texts("reservationSet/item/instancesSet/item/currentInstanceBootMode")
        assert current == (mode or "legacy-bios"), (place, current)
        end(kiln, instance)


def test_REG_5_snapshots_stay_in_their_local_zone_when_asked(kiln):
    ec2 = kiln.ec2
    instance, plain = launch(kiln, BOS), launch(kiln)
    volume, other = root_of(kiln, instance)["VolumeId"], root_of(kiln, plain)["VolumeId"]

    def create(action, **parameters):
        answer = query(kiln, action, {key.replace("_", "."): value for key, value in parameters.items()})
        return answer.code or answer.texts("snapshotId" if action == "CreateSnapshot" else "snapshotSet/item/snapshotId")[0]

    for location, zone in (("", None), ("regional", None), ("local", BOS)):
        one = create("CreateSnapshot", VolumeId=volume, Location=location)
        assert zone_of(kiln, one) == zone, location
        of_set = create("CreateSnapshots", InstanceSpecification_InstanceId=instance, Location=location)
        assert zone_of(kiln, of_set) == zone, location
        if zone is None:  # used everywhere
            for place in ("lab-1b", DEN):
                ec2.delete_volume(VolumeId=ec2.create_volume(SnapshotId=one, AvailabilityZone=place)["VolumeId"])
            continue
        ec2.delete_volume(VolumeId=ec2.create_volume(SnapshotId=one, AvailabilityZone=zone)["VolumeId"])
        ebs = kiln.client("ebs")
        child = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=one)["SnapshotId"]
        ebs.complete_snapshot(SnapshotId=child, ChangedBlocksCount=0)
        assert zone_of(kiln, child) == zone
        for place in ("lab-1a", DEN, WAVE):
            for dry in (True, False):
                message = expect("InvalidParameterValue", ec2.create_volume, SnapshotId=one, AvailabilityZone=place, DryRun=dry)
            assert message == f"The snapshot '{one}' lies in the local zone {BOS} and cannot be used in {place}.", message
    assert create("CreateSnapshot", VolumeId=volume, Location="near") == "InvalidParameterValue"
    before = len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
    for location in ("local", "regional"):
        assert create("CreateSnapshot", VolumeId=other, Location=location) == "InvalidParameterValue"
        assert create("CreateSnapshot", VolumeId=other, Location=location, DryRun="true") == "InvalidParameterValue"
        assert create("CreateSnapshots", InstanceSpecification_InstanceId=plain, Location=location) == "InvalidParameterValue"
        answer = query(kiln, "CreateImage", {"InstanceId": plain, "Name": "not made", "SnapshotLocation": location})
        assert answer.code == "InvalidParameterValue", answer.body
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == before
    end(kiln, instance, plain)


def test_REG_5_an_image_with_local_snapshots_is_launched_there_alone(kiln):
    ec2 = kiln.ec2
    instance = launch(kiln, BOS)
    for number, more in enumerate(({"NoReboot": "true"}, {})):  # cut at once, and after a shutdown
        image = query(kiln, "CreateImage", {"InstanceId": instance, "Name": f"local {number}", "SnapshotLocation": "local", **more}).texts("imageId")[0]
        (snapshot,) = snapshots_of(ec2, image)
        assert zone_of(kiln, snapshot) == BOS
    run = {"ImageId": image, "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1}
    for place in ({}, {"Placement": {"AvailabilityZone": "lab-1b"}}, {"SubnetId": kiln.subnets[DEN]}):
        for dry in (True, False):
            message = expect("InvalidParameterValue", ec2.run_instances, **run, **place, DryRun=dry)
        assert snapshot in message and BOS in message, message
    again = launch(kiln, BOS, ImageId=image)
    assert root_of(kiln, again)["SnapshotId"] == snapshot
    # An image names local snapshots of one zone.
    elsewhere = query(kiln, "CreateSnapshot", {"VolumeId": ec2.create_volume(AvailabilityZone=DEN, Size=1)["VolumeId"], "Location": "local"}).texts("snapshotId")[0]
    assert zone_of(kiln, elsewhere) == DEN
    entries = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}, {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": elsewhere}}]
    register = {"Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "EnaSupport": True}
    message = expect("InvalidBlockDeviceMapping", ec2.register_image, Name="two zones", BlockDeviceMappings=entries, **register)
    assert BOS in message and DEN in message, message
    entries[1]["Ebs"]["SnapshotId"] = kiln.snapshot  # one of the region goes everywhere
    mixed = ec2.register_image(Name="mixed", BlockDeviceMappings=entries, **register)["ImageId"]
    expect("InvalidParameterValue", ec2.run_instances, **run | {"ImageId": mixed})
    end(kiln, instance, again, launch(kiln, BOS, ImageId=mixed))


def test_REG_6_volumes_subnets_and_instances_on_an_outpost(kiln):
    ec2 = kiln.ec2
    assert ec2.describe_subnets(SubnetIds=[kiln.subnets[OUTPOST]])["Subnets"][0]["OutpostArn"] == OUTPOST
    assert ec2.describe_subnets(SubnetIds=[kiln.subnets[OUTPOST]])["Subnets"][0]["AvailabilityZone"] == "lab-1b"
    assert {o["Location"] for o in ec2.describe_instance_type_offerings(LocationType="outpost")["InstanceTypeOfferings"]} == {OUTPOST}
    for arn in (NO_OUTPOST, FAR_OUTPOST, "op-1"):
        expect("InvalidParameterValue", ec2.create_subnet, VpcId=kiln.vpc, CidrBlock="172.31.250.0/24", OutpostArn=arn)
        expect("InvalidParameterValue", ec2.create_volume, AvailabilityZone="lab-1b", Size=1, OutpostArn=arn)
    expect("InvalidParameterValue", ec2.create_subnet, VpcId=kiln.vpc, CidrBlock="172.31.250.0/24", OutpostArn=OUTPOST, AvailabilityZone="lab-1a")
    expect("InvalidParameterValue", ec2.create_volume, AvailabilityZone="lab-1a", Size=1, OutpostArn=OUTPOST)

    there, here = launch(kiln, OUTPOST), launch(kiln, "lab-1b")
    assert describe(kiln, there)["OutpostArn"] == OUTPOST == root_of(kiln, there)["OutpostArn"]
    assert "OutpostArn" not in describe(kiln, here) and "OutpostArn" not in root_of(kiln, here)
    volumes = {arn: ec2.create_volume(AvailabilityZone="lab-1b", Size=1, **({"OutpostArn": arn} if arn else {}))["VolumeId"] for arn in (OUTPOST, "")}
    ec2.get_waiter("volume_available").wait(VolumeIds=list(volumes.values()), WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    for instance, volume in ((there, volumes[""]), (here, volumes[OUTPOST])):
        expect("InvalidVolume.ZoneMismatch", ec2.attach_volume, InstanceId=instance, VolumeId=volume, Device="/dev/sdf")
    for instance, volume in ((there, volumes[OUTPOST]), (here, volumes[""])):
        ec2.attach_volume(InstanceId=instance, VolumeId=volume, Device="/dev/sdf")
    copied = query(kiln, "CopyVolumes", {"SourceVolumeId": volumes[OUTPOST]})
    assert copied.texts("volumeSet/item/outpostArn") == [OUTPOST], copied.body

    # What is cut of it lies in the region; on the outpost it would have to be encrypted.
    snapshot = ec2.create_snapshot(VolumeId=volumes[OUTPOST])["SnapshotId"]
    assert zone_of(kiln, snapshot) is None
    message = expect("UnsupportedOperation", ec2.create_snapshot, VolumeId=volumes[OUTPOST], OutpostArn=OUTPOST)
    assert "encrypt" in message, message
    for volume, arn in ((volumes[""], OUTPOST), (volumes[OUTPOST], NO_OUTPOST)):
        expect("InvalidParameterValue", ec2.create_snapshot, VolumeId=volume, OutpostArn=arn)
    code, _ = refusal(ec2.create_snapshots, InstanceSpecification={"InstanceId": there}, OutpostArn=OUTPOST)
    assert code == "UnsupportedOperation"
    entry = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.snapshot, "OutpostArn": OUTPOST}}
    expect("UnsupportedOperation", ec2.register_image, Name="there", RootDeviceName="/dev/xvda", BlockDeviceMappings=[entry])
    image = ec2.create_image(InstanceId=there, Name="from the outpost", NoReboot=True)["ImageId"]
    assert {zone_of(kiln, one) for one in snapshots_of(ec2, image)} == {None}
    end(kiln, here, there)


def test_REG_7_where_images_and_snapshots_may_be_copied(kiln):
    images = {HERE: kiln.image, BOS: local_image(kiln, BOS, "in bos"), DEN: local_image(kiln, DEN, "in den"), WAVE: local_image(kiln, WAVE, "of wave", "")}
    lax = "far-2-lax-1a"
    combination, outpost = "InvalidParameterCombination", "UnsupportedOperation"
    for source, region, place, outcome in (
        (HERE, HERE, {}, None),
        (HERE, FAR, {}, None),
        (HERE, HERE, {"DestinationAvailabilityZone": BOS}, BOS),
        (HERE, HERE, {"DestinationAvailabilityZoneId": "lab1-den1-az1"}, DEN),
        (HERE, FAR, {"DestinationAvailabilityZone": lax}, combination),  # not its parent
        (HERE, HERE, {"DestinationOutpostArn": OUTPOST}, outpost),  # allowed, once encryption is built
        (HERE, FAR, {"DestinationOutpostArn": FAR_OUTPOST}, combination),
        (HERE, HERE, {"DestinationOutpostArn": FAR_OUTPOST}, "InvalidParameterValue"),
        (HERE, HERE, {"DestinationAvailabilityZone": BOS, "DestinationOutpostArn": OUTPOST}, combination),
        (HERE, HERE, {"DestinationAvailabilityZone": "lab-1a"}, "InvalidParameterValue"),
        (HERE, HERE, {"DestinationAvailabilityZone": WAVE}, "InvalidParameterValue"),
        (HERE, HERE, {"DestinationAvailabilityZone": "lab-1-nyc-1a"}, "InvalidZone.NotFound"),
        (HERE, HERE, {"DestinationAvailabilityZone": lax}, "InvalidZone.NotFound"),
        (BOS, HERE, {}, None),
        (BOS, HERE, {"DestinationAvailabilityZone": BOS}, BOS),
        (BOS, HERE, {"DestinationAvailabilityZone": DEN}, DEN),
        (DEN, HERE, {"DestinationAvailabilityZone": BOS}, BOS),
        (BOS, HERE, {"DestinationOutpostArn": OUTPOST}, combination),
        (BOS, FAR, {}, combination),
        (BOS, FAR, {"DestinationAvailabilityZone": lax}, combination),
        (WAVE, FAR, {}, None),  # its snapshots lie in the region
    ):
        case = (source, region, place)
        ec2 = kiln.client("ec2", region)
        (snapshot,) = snapshots_of(kiln.ec2, images[source])
        for action, request in (
            ("CopyImage", {"Name": "a copy", "SourceImageId": images[source]}),
            ("CopySnapshot", {"SourceSnapshotId": snapshot}),
        ):
            if action == "CopySnapshot" and "DestinationAvailabilityZoneId" in place:
                continue  # it has none
            answer = query(kiln, action, {"SourceRegion": HERE, **request, **place}, region=region)
            if outcome not in (None, BOS, DEN):
                assert answer.code == outcome, (*case, action, answer.body)
            elif action == "CopySnapshot":
                assert zone_of(kiln, answer.texts("snapshotId")[0], region) == outcome, (*case, answer.body)
            else:
                (copy,) = answer.texts("imageId")
                (made,) = snapshots_of(ec2, copy)
                assert zone_of(kiln, made, region) == outcome, case
                ec2.deregister_image(ImageId=copy)
        assert ec2.describe_images(Filters=[{"Name": "name", "Values": ["a copy"]}])["Images"] == [], case


def test_NET_1_default_subnets_are_in_availability_zones(kiln):
    defaults = {s["AvailabilityZone"] for s in kiln.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]}
    assert defaults == {"lab-1a", "lab-1b"}
    instance = launch(kiln)
    assert describe(kiln, instance)["Placement"]["AvailabilityZone"] == "lab-1a"
    end(kiln, instance)


if __name__ == "__main__":
    kiln_test.main()
