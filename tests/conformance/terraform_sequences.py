#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Terraform's AWS provider sends for its resources and data sources of images, snapshots, volumes, instances, templates, keys and
profiles, sent by hand: create, read, update, delete with its polls, and what makes it believe that a thing is gone. An early
provider itself, where it was built, is tests/e2e/terraform.py."""

import base64
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
ZONE = "us-east-1a"
NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
# The codes on which the provider takes a thing for gone, beside an empty list.
GONE = {
    "image": ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"), "volume": ("InvalidVolume.NotFound",), "snapshot": ("InvalidSnapshot.NotFound",),
    "instance": ("InvalidInstanceID.NotFound",), "key": ("InvalidKeyPair.NotFound",),
    "template": ("InvalidLaunchTemplateId.Malformed", "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.VersionNotFound"),
}  # fmt: skip


class Refused(Exception):
    def __init__(self, answer):
        self.code, self.message = answer.code, answer.message
        super().__init__(f"{answer.code}: {answer.message}")


def refused(code, words, call, *arguments, **flat):
    """With this code, and a text that the provider looks for."""
    try:
        call(*arguments, **flat)
    except Refused as error:
        assert error.code == code and words in error.message, error
    else:
        raise AssertionError(f"{arguments} {flat} was accepted")


@kiln_test.fixture
def kiln():
    with kiln_test.api_service() as daemon:
        daemon.wait_stored(daemon.snapshot)
        yield daemon


def send(kiln, action, region=HERE, **flat):
    """`A_1_B` is A.1.B. The answer; errors are raised."""
    answer = query(kiln, action, {name.replace("_", "."): value for name, value in flat.items()}, region=region)
    if answer.code:
        raise Refused(answer)
    return answer


def tags(kind, number=1, **named):
    flat = {f"TagSpecification_{number}_ResourceType": kind}
    for at, (key, value) in enumerate(named.items(), 1):
        flat |= {f"TagSpecification_{number}_Tag_{at}_Key": key, f"TagSpecification_{number}_Tag_{at}_Value": value}
    return flat


def filters(**named):
    flat = {}
    for at, (name, value) in enumerate(named.items(), 1):
        flat |= {f"Filter_{at}_Name": name.replace("__", ".").replace("_", "-"), f"Filter_{at}_Value_1": value}
    return flat


def items(answer, path):
    return answer.root.findall("/".join(NAMESPACE + part for part in path.split("/")))


def text(item, path):
    """"" for what is not there: the provider follows no nil pointer."""
    return item.findtext("/".join(NAMESPACE + part for part in path.split("/")), "")


def present(item, *paths):
    """What the provider follows without looking whether it is there."""
    missing = [path for path in paths if not text(item, path)]
    assert not missing, f"not there: {missing}"


def find(kiln, kind, action, path, region=HERE, **flat):
    """The one that is found, or None; two would be an error."""
    try:
        found = items(send(kiln, action, region, **flat), path)
    except Refused as error:
        if error.code in GONE[kind]:
            return None
        raise
    assert len(found) <= 1, f"{action}: too many"
    return found[0] if found else None


def poll(get, state, pending, target, what):
    """As the provider waits: an unexpected state is an error, and so is a thing that is not there where it is waited for."""

    def reached():
        item = get()
        if item is None:
            assert not target, f"{what}: is not there"
            return True
        seen = text(item, state)
        assert seen in pending or seen in target, f"{what}: unexpected state '{seen}', wanted {target}"
        return item if seen in target else None

    return wait_until(reached, 60, what, interval=0.1)


# ---- the provider itself


def test_the_provider_starts(kiln):
    sts = kiln.client("sts").get_caller_identity()
    assert sts["Account"] in sts["Arn"]
    answer = send(kiln, "DescribeAccountAttributes", AttributeName_1="supported-platforms")
    assert text(items(answer, "accountAttributeSet/item")[0], "attributeName") == "supported-platforms"
    assert len(items(send(kiln, "DescribeRegions", RegionName_1=HERE), "regionInfo/item")) == 1
    zones = items(send(kiln, "DescribeAvailabilityZones", AllAvailabilityZones="false", Filter_1_Name="state", Filter_1_Value_1="available"), "availabilityZoneInfo/item")
    for zone in zones:
        present(zone, "zoneName", "zoneId", "regionName")
    assert len(zones) > 1


# ---- aws_ami, aws_ami_copy, aws_ami_from_instance, aws_ami_launch_permission


def image(kiln, ami, region=HERE):
    found = find(kiln, "image", "DescribeImages", "imagesSet/item", region, ImageId_1=ami)
    return None if found is not None and text(found, "imageState") == "deregistered" else found


def wait_image(kiln, ami, region=HERE):
    return poll(lambda: image(kiln, ami, region), "imageState", ["pending"], ["available"], "the image is available")


def read_image(kiln, ami, region=HERE):
    shown = image(kiln, ami, region)
    assert shown is not None
    present(shown, "imageId", "name", "imageOwnerId", "architecture", "virtualizationType", "hypervisor", "imageLocation", "rootDeviceName", "imageType", "creationDate", "isPublic")
    for mapping in items_of(shown, "blockDeviceMapping/item"):
        present(mapping, "deviceName", "ebs/volumeSize", "ebs/volumeType", "ebs/deleteOnTermination", "ebs/encrypted")
    # It asks for this with the image's id, and does not mind being refused.
    refused("InvalidInstanceID.Malformed", "", send, kiln, "GetInstanceUefiData", region, InstanceId=ami)
    return shown


def items_of(item, path):
    return item.findall("/".join(NAMESPACE + part for part in path.split("/")))


def deprecate(kiln, ami, when):
    send(kiln, "EnableImageDeprecation", ImageId=ami, DeprecateAt=when)
    poll(lambda: image(kiln, ami), "deprecationTime", [""], [when.replace("Z", ".000Z")], "the time is there")


def deregister(kiln, ami, snapshots=(), region=HERE):
    try:
        send(kiln, "DeregisterImage", region, ImageId=ami)
    except Refused as error:
        assert error.code in GONE["image"], error
    poll(lambda: image(kiln, ami, region), "imageState", ["available", "failed"], [], "the image is gone")
    for snapshot in snapshots:  # at once
        send(kiln, "DeleteSnapshot", region, SnapshotId=snapshot)


def registered(kiln, **more):
    """As the resource's defaults are, with what it sends empty."""
    return {
        "Architecture": "x86_64", "Description": "", "EnaSupport": "false", "ImageLocation": "", "Name": uuid.uuid4().hex, "RootDeviceName": "/dev/xvda",
        "SriovNetSupport": "simple", "VirtualizationType": "paravirtual", "BlockDeviceMapping_1_DeviceName": "/dev/xvda",
        "BlockDeviceMapping_1_Ebs_DeleteOnTermination": "true", "BlockDeviceMapping_1_Ebs_SnapshotId": kiln.snapshot,
        "BlockDeviceMapping_1_Ebs_VolumeSize": "8", "BlockDeviceMapping_1_Ebs_VolumeType": "standard",
    } | more  # fmt: skip


def test_aws_ami(kiln):
    ami = send(kiln, "RegisterImage", **registered(kiln, VirtualizationType="hvm", EnaSupport="true")).texts("imageId")[0]
    send(kiln, "CreateTags", ResourceId_1=ami, Tag_1_Key="Name", Tag_1_Value="by terraform")
    wait_image(kiln, ami)
    deprecate(kiln, ami, "2033-01-01T00:00:00Z")
    shown = read_image(kiln, ami)
    assert text(shown, "sriovNetSupport") == "simple" and text(shown, "blockDeviceMapping/item/ebs/volumeType") == "standard" and text(shown, "description") == ""
    assert text(shown, "tagSet/item/value") == "by terraform"
    # Updates.
    send(kiln, "ModifyImageAttribute", ImageId=ami, Description_Value="updated")
    poll(lambda: image(kiln, ami), "description", [""], ["updated"], "the description is there")
    deprecate(kiln, ami, "2032-06-01T12:30:00Z")
    send(kiln, "DisableImageDeprecation", ImageId=ami)
    poll(lambda: image(kiln, ami), "deprecationTime", ["2032-06-01T12:30:00.000Z"], [""], "the time is gone")
    send(kiln, "DeleteTags", ResourceId_1=ami, Tag_1_Key="Name")
    send(kiln, "CreateTags", ResourceId_1=ami, Tag_1_Key="Other", Tag_1_Value="")
    assert [text(tag, "key") for tag in items_of(image(kiln, ami), "tagSet/item")] == ["Other"]
    deregister(kiln, ami)
    deregister(kiln, ami)  # somebody else was quicker
    assert image(kiln, ami) is None and image(kiln, "ami-0fedcba9876543210") is None


def test_aws_ami_as_its_defaults_are(kiln):
    """Paravirtual, without ENA, mapping type standard: it is registered, if not launched."""
    ami = send(kiln, "RegisterImage", **registered(kiln)).texts("imageId")[0]
    wait_image(kiln, ami)
    assert text(read_image(kiln, ami), "virtualizationType") == "paravirtual"
    deregister(kiln, ami)
    refused("InvalidBlockDeviceMapping", "", send, kiln, "RegisterImage", **registered(kiln, RootDeviceName=""))


def test_aws_ami_copy(kiln):
    source = send(kiln, "RegisterImage", **registered(kiln, VirtualizationType="hvm")).texts("imageId")[0]
    request = {"ClientToken": uuid.uuid4().hex, "Description": "", "Encrypted": "false", "Name": "copied by terraform", "SourceImageId": source, "SourceRegion": HERE}
    ami = send(kiln, "CopyImage", THERE, **request, **tags("image", Name="copy"), **tags("snapshot", 2, Name="copy")).texts("imageId")[0]
    wait_image(kiln, ami, THERE)
    shown = read_image(kiln, ami, THERE)
    snapshots = [text(mapping, "ebs/snapshotId") for mapping in items_of(shown, "blockDeviceMapping/item")]
    assert all(snapshots) and text(shown, "tagSet/item/value") == "copy" and text(shown, "description") == ""
    deregister(kiln, ami, snapshots, THERE)
    for snapshot in snapshots:
        assert find(kiln, "snapshot", "DescribeSnapshots", "snapshotSet/item", THERE, SnapshotId_1=snapshot) is None
    deregister(kiln, source)


def test_aws_ami_from_instance(kiln):
    instance = launch(kiln)
    request = {"Description": "", "InstanceId": instance, "Name": "made by terraform", "NoReboot": "false"}
    ami = send(kiln, "CreateImage", **request, **tags("image", Name="made"), **tags("snapshot", 2, Name="made")).texts("imageId")[0]
    wait_image(kiln, ami)
    shown = read_image(kiln, ami)
    deregister(kiln, ami, [text(mapping, "ebs/snapshotId") for mapping in items_of(shown, "blockDeviceMapping/item")])
    terminate(kiln, instance)


def test_aws_ami_launch_permission(kiln):
    friend = kiln.account("friend")

    def granted():
        entries = items(send(kiln, "DescribeImageAttribute", Attribute="launchPermission", ImageId=kiln.image), "launchPermission/item")
        return [{element.tag.removeprefix(NAMESPACE): element.text for element in entry} for entry in entries]

    organization = "arn:aws:organizations::900000000001:organization/o-a1b2c3d4e5"
    for name, key, value in (("UserId", "userId", friend.id), ("Group", "group", "all"), ("OrganizationArn", "organizationArn", organization)):
        for how in ("Add", "Remove"):
            send(kiln, "ModifyImageAttribute", Attribute="launchPermission", ImageId=kiln.image, **{f"LaunchPermission_{how}_1_{name}": value})
            assert granted() == ([{key: value}] if how == "Add" else []), (name, how, granted())
    refused("InvalidAMIID.NotFound", "", send, kiln, "DescribeImageAttribute", Attribute="launchPermission", ImageId="ami-0fedcba9876543210")


# ---- aws_ebs_volume, aws_ebs_snapshot, aws_ebs_snapshot_copy


def volume(kiln, name):
    return find(kiln, "volume", "DescribeVolumes", "volumeSet/item", VolumeId_1=name)


def create_volume(kiln, **more):
    request = {"AvailabilityZone": ZONE, "ClientToken": f"terraform-{uuid.uuid4().hex}", "Size": "1", "VolumeType": "gp3"} | more
    made = send(kiln, "CreateVolume", **request, **tags("volume", Name="by terraform")).texts("volumeId")[0]
    poll(lambda: volume(kiln, made), "status", ["creating"], ["available"], "the volume is available")
    return made


def delete_volume(kiln, made):
    """Tried again as long as it is in use."""

    def tried():
        try:
            send(kiln, "DeleteVolume", VolumeId=made)
        except Refused as error:
            if error.code in GONE["volume"]:
                return True
            assert error.code == "VolumeInUse", error
            return False
        return True

    wait_until(tried, 60, "the volume is deleted", interval=0.1)
    poll(lambda: volume(kiln, made), "status", ["deleting"], [], "the volume is gone")


def test_aws_ebs_volume(kiln):
    made = create_volume(kiln, Iops="3500", Throughput="150", Size="8")
    shown = volume(kiln, made)
    present(shown, "createTime", "availabilityZone", "encrypted", "size", "volumeType", "iops", "multiAttachEnabled", "throughput")
    send(kiln, "ModifyVolume", VolumeId=made, Size="9", Throughput="150")
    modification = lambda: find(kiln, "volume", "DescribeVolumesModifications", "volumeModificationSet/item", VolumeId_1=made)  # noqa: E731
    poll(modification, "modificationState", ["modifying"], ["optimizing", "completed"], "the volume is modified")
    assert text(volume(kiln, made), "size") == "9" and text(volume(kiln, made), "iops") == "3500"
    send(kiln, "CreateTags", ResourceId_1=made, Tag_1_Key="Name", Tag_1_Value="other")
    assert text(volume(kiln, made), "tagSet/item/value") == "other"
    delete_volume(kiln, made)
    delete_volume(kiln, made)
    assert volume(kiln, made) is None


def snapshot(kiln, name, region=HERE):
    return find(kiln, "snapshot", "DescribeSnapshots", "snapshotSet/item", region, SnapshotId_1=name)


def delete_snapshot(kiln, name, region=HERE):
    def tried():
        try:
            send(kiln, "DeleteSnapshot", region, SnapshotId=name)
        except Refused as error:
            if error.code in GONE["snapshot"]:
                return True
            assert error.code == "InvalidSnapshot.InUse", error
            return False
        return True

    wait_until(tried, 60, "the snapshot is deleted", interval=0.1)
    assert snapshot(kiln, name, region) is None


def test_aws_ebs_snapshot_and_its_copy(kiln):
    source = create_volume(kiln)
    made = send(kiln, "CreateSnapshot", VolumeId=source, Description="", **tags("snapshot", Name="by terraform")).texts("snapshotId")[0]
    shown = poll(lambda: snapshot(kiln, made), "status", ["pending"], ["completed"], "the snapshot is completed")
    present(shown, "ownerId", "volumeId", "volumeSize", "encrypted", "startTime", "storageTier")
    presigned = "http://127.0.0.1/?Action=CopySnapshot"
    request = {"DestinationRegion": THERE, "PresignedUrl": presigned, "SourceRegion": HERE, "SourceSnapshotId": made}
    copy = send(kiln, "CopySnapshot", THERE, **request, **tags("snapshot", Name="copy")).texts("snapshotId")[0]
    shown = poll(lambda: snapshot(kiln, copy, THERE), "status", ["pending"], ["completed"], "the copy is completed")
    assert text(shown, "description") == "", "it would be made anew with every apply"
    # aws_snapshot_create_volume_permission
    friend = kiln.account("given")
    for how, wanted in (("Add", [friend.id]), ("Remove", [])):
        send(kiln, "ModifySnapshotAttribute", Attribute="createVolumePermission", SnapshotId=made, **{f"CreateVolumePermission_{how}_1_UserId": friend.id})
        assert send(kiln, "DescribeSnapshotAttribute", Attribute="createVolumePermission", SnapshotId=made).texts("createVolumePermission/item/userId") == wanted
    # An image uses it, so deleting is tried until that is gone.
    ami = send(kiln, "RegisterImage", **registered(kiln, BlockDeviceMapping_1_Ebs_SnapshotId=made)).texts("imageId")[0]
    refused("InvalidSnapshot.InUse", ami, send, kiln, "DeleteSnapshot", SnapshotId=made)
    deregister(kiln, ami)
    delete_snapshot(kiln, made)
    delete_snapshot(kiln, copy, THERE)
    delete_snapshot(kiln, made)
    delete_volume(kiln, source)


# ---- aws_instance, aws_volume_attachment


def instance(kiln, name):
    """One that is terminated is gone."""
    found = find(kiln, "instance", "DescribeInstances", "reservationSet/item/instancesSet/item", InstanceId_1=name)
    return None if found is not None and text(found, "instanceState/name") == "terminated" else found


def launch(kiln, **more):
    request = {"ClientToken": f"terraform-{uuid.uuid4().hex}", "ImageId": kiln.image, "InstanceType": "t3.nano", "MinCount": "1", "MaxCount": "1", "Placement_AvailabilityZone": ZONE,
               "DisableApiTermination": "false", "EbsOptimized": "false", "Monitoring_Enabled": "false"} | more  # fmt: skip
    made = send(kiln, "RunInstances", **{name: value for name, value in request.items() if value is not None}, **tags("instance", Name="by terraform"), **tags("volume", 2, Name="by terraform"))
    name = made.texts("instancesSet/item/instanceId")[0]
    wait_running(kiln, name)
    return name


def wait_running(kiln, name):
    return poll(lambda: instance(kiln, name), "instanceState/name", ["pending", "stopped"], ["running"], "the instance is running")


def stop(kiln, name):
    send(kiln, "StopInstances", InstanceId_1=name)
    poll(lambda: instance(kiln, name), "instanceState/name", ["pending", "running", "shutting-down", "stopping"], ["stopped"], "the instance is stopped")


def terminate(kiln, name):
    send(kiln, "TerminateInstances", InstanceId_1=name)
    poll(lambda: instance(kiln, name), "instanceState/name", ["pending", "running", "shutting-down", "stopped", "stopping"], [], "the instance is gone")


def attribute(kiln, name, which):
    return send(kiln, "DescribeInstanceAttribute", InstanceId=name, Attribute=which)


def read_instance(kiln, name, template=None):
    shown = instance(kiln, name)
    present(shown, "instanceId", "imageId", "instanceType", "placement/availabilityZone", "placement/tenancy", "subnetId", "vpcId", "privateIpAddress", "privateDnsName",
            "monitoring/state", "metadataOptions/httpTokens", "metadataOptions/httpEndpoint", "metadataOptions/httpPutResponseHopLimit", "cpuOptions/coreCount",
            "cpuOptions/threadsPerCore", "enclaveOptions/enabled", "hibernationOptions/configured", "ebsOptimized", "sourceDestCheck", "rootDeviceName", "rootDeviceType", "networkInterfaceSet/item/attachment/deviceIndex", "networkInterfaceSet/item/networkInterfaceId", "networkInterfaceSet/item/sourceDestCheck")  # fmt: skip
    (kind,) = items(send(kiln, "DescribeInstanceTypes", InstanceType_1=text(shown, "instanceType")), "instanceTypeSet/item")
    assert text(kind, "vCpuInfo/defaultCores") == text(shown, "cpuOptions/coreCount")  # INS-4
    if text(kind, "burstablePerformanceSupported") == "true":
        (credits,) = items(send(kiln, "DescribeInstanceCreditSpecifications", InstanceId_1=name), "instanceCreditSpecificationSet/item")
        present(credits, "cpuCredits")
    volumes = [text(mapping, "ebs/volumeId") for mapping in items_of(shown, "blockDeviceMapping/item")]
    found = items(send(kiln, "DescribeVolumes", **{f"VolumeId_{at}": volume for at, volume in enumerate(volumes, 1)}), "volumeSet/item")
    assert sorted(text(volume, "volumeId") for volume in found) == sorted(volumes)
    for which in ("disableApiStop", "disableApiTermination", "instanceInitiatedShutdownBehavior"):
        assert attribute(kiln, name, which).texts(f"{which}/value"), which
    attribute(kiln, name, "userData")
    for key, wanted in (("aws:ec2launchtemplate:id", template and template[0]), ("aws:ec2launchtemplate:version", template and template[1])):
        said = send(kiln, "DescribeTags", Filter_1_Name="resource-id", Filter_1_Value_1=name, Filter_2_Name="key", Filter_2_Value_1=key)
        assert said.texts("tagSet/item/value") == ([wanted] if wanted else []), key
    return shown


def test_aws_instance(kiln):
    (ami,) = items(send(kiln, "DescribeImages", ImageId_1=kiln.image), "imagesSet/item")  # for its root device
    assert text(ami, "rootDeviceName") == text(ami, "blockDeviceMapping/item/deviceName")
    root = {"BlockDeviceMapping_1_DeviceName": text(ami, "rootDeviceName"), "BlockDeviceMapping_1_Ebs_DeleteOnTermination": "true", "BlockDeviceMapping_1_Ebs_VolumeSize": "9"}
    name = launch(kiln, **root, UserData=base64.b64encode(b"#!/bin/sh").decode(), MetadataOptions_HttpTokens="required", InstanceInitiatedShutdownBehavior="stop")
    shown = read_instance(kiln, name)
    assert attribute(kiln, name, "userData").texts("userData/value") == [base64.b64encode(b"#!/bin/sh").decode()]
    # Updates, each attribute by a request of its own; the type while it is stopped.
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, DisableApiTermination_Value="true")
    assert attribute(kiln, name, "disableApiTermination").texts("disableApiTermination/value") == ["true"]
    refused("OperationNotPermitted", "disableApiTermination", send, kiln, "TerminateInstances", InstanceId_1=name)
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, DisableApiTermination_Value="false")
    send(kiln, "ModifyInstanceMetadataOptions", InstanceId=name, HttpTokens="optional", HttpEndpoint="enabled", HttpPutResponseHopLimit="2")
    poll(lambda: instance(kiln, name), "metadataOptions/state", ["pending"], ["applied"], "the options are applied")
    group = text(shown, "groupSet/item/groupId")
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, GroupId_1=group)
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, InstanceInitiatedShutdownBehavior_Value="terminate")
    send(kiln, "MonitorInstances", InstanceId_1=name)
    send(kiln, "UnmonitorInstances", InstanceId_1=name)
    stop(kiln, name)
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, InstanceType_Value="t3.micro")
    send(kiln, "ModifyInstanceAttribute", InstanceId=name, UserData_Value=base64.b64encode(b"changed").decode())
    refused("InvalidParameterCombination", "", send, kiln, "ModifyInstanceAttribute", InstanceId=name, InstanceType_Value="t3.micro", EbsOptimized_Value="true")
    send(kiln, "StartInstances", InstanceId_1=name)
    wait_running(kiln, name)
    assert text(read_instance(kiln, name), "instanceType") == "t3.micro"
    # The root volume grows in place.
    made = text(shown, "blockDeviceMapping/item/ebs/volumeId")
    send(kiln, "ModifyVolume", VolumeId=made, Size="10")
    modification = lambda: find(kiln, "volume", "DescribeVolumesModifications", "volumeModificationSet/item", VolumeId_1=made)  # noqa: E731
    poll(modification, "modificationState", ["modifying"], ["optimizing", "completed"], "the volume is modified")
    terminate(kiln, name)
    assert instance(kiln, "i-0fedcba9876543210") is None
    poll(lambda: volume(kiln, made), "status", ["in-use", "available", "deleting"], [], "its volume is gone")


def test_aws_volume_attachment(kiln):
    name, made, device = launch(kiln), create_volume(kiln), "/dev/sdh"

    def attachment():
        """With the id and filters: none that matches is an empty list, and no error."""
        found = find(kiln, "volume", "DescribeVolumes", "volumeSet/item", VolumeId_1=made, **filters(attachment__device=device, attachment__instance_id=name))
        if found is None or text(found, "status") in ("available", "deleted"):
            return None
        (item,) = [item for item in items_of(found, "attachmentSet/item") if text(item, "device") == device and text(item, "instanceId") == name]
        return item

    assert attachment() is None
    send(kiln, "AttachVolume", Device=device, InstanceId=name, VolumeId=made)
    poll(attachment, "status", ["attaching"], ["attached"], "the volume is attached")
    refused("VolumeInUse", "", send, kiln, "DeleteVolume", VolumeId=made)
    send(kiln, "DetachVolume", Device=device, Force="false", InstanceId=name, VolumeId=made)
    poll(attachment, "status", ["detaching"], [], "the volume is detached")
    # This text it takes for done.
    refused("IncorrectState", "available", send, kiln, "DetachVolume", Device=device, Force="false", InstanceId=name, VolumeId=made)
    delete_volume(kiln, made)
    terminate(kiln, name)


# ---- aws_launch_template, and an instance of it


def template(kiln, name):
    return find(kiln, "template", "DescribeLaunchTemplates", "launchTemplates/item", LaunchTemplateId_1=name)


def version(kiln, name, number):
    return find(kiln, "template", "DescribeLaunchTemplateVersions", "launchTemplateVersionSet/item", LaunchTemplateId=name, LaunchTemplateVersion_1=number)


def test_aws_launch_template(kiln):
    data = {"LaunchTemplateData_ImageId": kiln.image, "LaunchTemplateData_InstanceType": "t3.nano", "LaunchTemplateData_UserData": base64.b64encode(b"data").decode()}
    name = send(kiln, "CreateLaunchTemplate", ClientToken=f"terraform-{uuid.uuid4().hex}", LaunchTemplateName="by-terraform", **data, **tags("launch-template", Name="x")).texts("launchTemplate/launchTemplateId")[0]
    shown = template(kiln, name)
    present(shown, "launchTemplateName", "defaultVersionNumber", "latestVersionNumber")
    assert text(version(kiln, name, text(shown, "latestVersionNumber")), "launchTemplateData/imageId") == kiln.image
    send(kiln, "CreateLaunchTemplateVersion", ClientToken=f"terraform-{uuid.uuid4().hex}", LaunchTemplateId=name, **(data | {"LaunchTemplateData_InstanceType": "t3.micro"}))
    send(kiln, "ModifyLaunchTemplate", LaunchTemplateId=name, SetDefaultVersion="2")
    shown = template(kiln, name)
    assert (text(shown, "defaultVersionNumber"), text(shown, "latestVersionNumber")) == ("2", "2")
    assert version(kiln, name, "9") is None
    # aws_instance with launch_template: the version is looked up, then named.
    (default,) = items(send(kiln, "DescribeLaunchTemplateVersions", LaunchTemplateId=name, Filter_1_Name="is-default-version", Filter_1_Value_1="true"), "launchTemplateVersionSet/item")
    assert text(default, "versionNumber") == "2"
    made = launch(kiln, ImageId=None, InstanceType=None, LaunchTemplate_LaunchTemplateId=name, LaunchTemplate_Version="$Default")
    assert text(read_instance(kiln, made, (name, "2")), "instanceType") == "t3.micro"
    terminate(kiln, made)
    send(kiln, "DeleteLaunchTemplate", LaunchTemplateId=name)
    assert template(kiln, name) is None and version(kiln, name, "2") is None
    refused("InvalidLaunchTemplateId.NotFound", "", send, kiln, "DeleteLaunchTemplate", LaunchTemplateId=name)


# ---- aws_key_pair, aws_iam_instance_profile


def test_aws_key_pair(kiln):
    material = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
    public = base64.b64encode(f"{material} me@here".encode()).decode()
    send(kiln, "ImportKeyPair", KeyName="by-terraform", PublicKeyMaterial=public, **tags("key-pair", Name="x"))
    key = lambda: find(kiln, "key", "DescribeKeyPairs", "keySet/item", KeyName_1="by-terraform", IncludePublicKey="true")  # noqa: E731
    shown = key()
    present(shown, "keyPairId", "keyFingerprint", "keyType", "keyName")
    assert text(shown, "publicKey").split()[:2] == material.split() and text(shown, "tagSet/item/value") == "x"
    send(kiln, "DeleteKeyPair", KeyName="by-terraform")
    assert key() is None
    send(kiln, "DeleteKeyPair", KeyName="by-terraform")


def test_aws_iam_instance_profile(kiln):
    iam = kiln.client("iam")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    iam.create_role(RoleName="by-terraform", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="by-terraform", Path="/", Tags=[{"Key": "a", "Value": "b"}])
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="by-terraform")
    iam.add_role_to_instance_profile(InstanceProfileName="by-terraform", RoleName="by-terraform")
    shown = iam.get_instance_profile(InstanceProfileName="by-terraform")["InstanceProfile"]
    assert shown["Roles"][0]["RoleName"] == "by-terraform" and shown["Path"] == "/" and shown["CreateDate"] and shown["Tags"] == [{"Key": "a", "Value": "b"}]
    iam.get_role(RoleName=shown["Roles"][0]["RoleName"])
    # A launch with one that is not there has the text on which the provider tries again.
    refused("InvalidParameterValue", "Invalid IAM Instance Profile", launch, kiln, IamInstanceProfile_Name="not-yet-there")
    iam.create_instance_profile(InstanceProfileName="without-role")
    refused("InvalidParameterValue", " has no associated IAM Roles", launch, kiln, IamInstanceProfile_Name="without-role")
    made = launch(kiln, IamInstanceProfile_Name="by-terraform")
    assert text(read_instance(kiln, made), "iamInstanceProfile/arn").endswith("instance-profile/by-terraform")
    # Another one, or none.
    (association,) = items(send(kiln, "DescribeIamInstanceProfileAssociations", Filter_1_Name="instance-id", Filter_1_Value_1=made), "iamInstanceProfileAssociationSet/item")
    send(kiln, "DisassociateIamInstanceProfile", AssociationId=text(association, "associationId"))
    send(kiln, "AssociateIamInstanceProfile", InstanceId=made, IamInstanceProfile_Name="by-terraform")
    terminate(kiln, made)
    iam.remove_role_from_instance_profile(InstanceProfileName="by-terraform", RoleName="by-terraform")
    iam.delete_instance_profile(InstanceProfileName="by-terraform")
    expect("NoSuchEntity", iam.get_instance_profile, InstanceProfileName="by-terraform")
    expect("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName="by-terraform", RoleName="by-terraform")
    for name in iam.list_role_policies(RoleName="by-terraform")["PolicyNames"] + iam.list_attached_role_policies(RoleName="by-terraform")["AttachedPolicies"]:
        raise AssertionError(name)
    assert iam.list_instance_profiles_for_role(RoleName="by-terraform")["InstanceProfiles"] == []
    iam.delete_role(RoleName="by-terraform")


# ---- data sources and switches


def test_data_sources(kiln):
    for number in range(3):
        send(kiln, "RegisterImage", **registered(kiln, Name=f"data-{number}", VirtualizationType="hvm"))
    found = items(send(kiln, "DescribeImages", IncludeDeprecated="false", Owner_1="self", Filter_1_Name="name", Filter_1_Value_1="data-*", Filter_2_Name="virtualization-type", Filter_2_Value_1="hvm"), "imagesSet/item")
    assert len(found) == 3 and all(text(item, "creationDate") for item in found)  # sorted by that
    found = items(send(kiln, "DescribeSnapshots", Owner_1="self", RestorableBy_1="self", Filter_1_Name="status", Filter_1_Value_1="completed"), "snapshotSet/item")
    assert kiln.snapshot in [text(item, "snapshotId") for item in found] and all(text(item, "startTime") for item in found)
    vpc = text(items(send(kiln, "DescribeVpcs", Filter_1_Name="isDefault", Filter_1_Value_1="true"), "vpcSet/item")[0], "vpcId")
    for which, element in (("enableDnsHostnames", "enableDnsHostnames"), ("enableDnsSupport", "enableDnsSupport")):
        assert send(kiln, "DescribeVpcAttribute", VpcId=vpc, Attribute=which).texts(f"{element}/value")
    assert len(items(send(kiln, "DescribeRouteTables", Filter_1_Name="vpc-id", Filter_1_Value_1=vpc, Filter_2_Name="association.main", Filter_2_Value_1="true"), "routeTableSet/item")) == 1
    subnets = items(send(kiln, "DescribeSubnets", Filter_1_Name="vpc-id", Filter_1_Value_1=vpc), "subnetSet/item")
    assert subnets and all(text(item, "availabilityZone") for item in subnets)
    (group,) = items(send(kiln, "DescribeSecurityGroups", Filter_1_Name="group-name", Filter_1_Value_1="default", Filter_2_Name="vpc-id", Filter_2_Value_1=vpc), "securityGroupInfo/item")
    assert text(group, "groupId")
    (kind,) = items(send(kiln, "DescribeInstanceTypes", InstanceType_1="m5.large"), "instanceTypeSet/item")
    present(kind, "vCpuInfo/defaultVCpus", "memoryInfo/sizeInMiB", "processorInfo/supportedArchitectures/item", "currentGeneration", "hypervisor")
    assert items(send(kiln, "DescribeInstanceTypeOfferings", LocationType="availability-zone", Filter_1_Name="instance-type", Filter_1_Value_1="t3.nano"), "instanceTypeOfferingSet/item")
    assert items(send(kiln, "DescribeInstances", Filter_1_Name="tag:Name", Filter_1_Value_1="nobody"), "reservationSet/item") == []
    kiln.client("ssm").put_parameter(Name="/terraform/one", Value="x", Type="String")
    told = kiln.client("ssm").get_parameter(Name="/terraform/one", WithDecryption=True)["Parameter"]
    assert told["ARN"] and told["Version"] == 1 and told["Type"] == "String"
    for image_id in [text(item, "imageId") for item in items(send(kiln, "DescribeImages", Owner_1="self", Filter_1_Name="name", Filter_1_Value_1="data-*"), "imagesSet/item")]:
        deregister(kiln, image_id)


def test_aws_ec2_image_block_public_access(kiln):
    for action, flat, wanted in (
        ("EnableImageBlockPublicAccess", {"ImageBlockPublicAccessState": "block-new-sharing"}, "block-new-sharing"),
        ("DisableImageBlockPublicAccess", {}, "unblocked"),
    ):
        send(kiln, action, **flat)
        assert send(kiln, "GetImageBlockPublicAccessState").texts("imageBlockPublicAccessState") == [wanted]


if __name__ == "__main__":
    kiln_test.main()
