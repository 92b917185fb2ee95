# SPDX-License-Identifier: Apache-2.0
"""An image's life through the current boto3, as it is set up by itself: retries, check sums, endpoints. Run by
tests/conformance/current_boto3.py in its environment. Prints a line for each step that was done."""

import base64
import hashlib
import json
import os

import boto3
from botocore.exceptions import ClientError, WaiterError

HERE, THERE = "us-east-1", "eu-west-1"
BLOCK = 524288
SOON = {"Delay": 1, "MaxAttempts": 60}
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def clients(name, region=HERE):
    session = boto3.Session(os.environ[f"{name}_KEY"], os.environ[f"{name}_SECRET"], region_name=region)
    return {service: session.client(service, endpoint_url=os.environ["KILN_ENDPOINT"]) for service in ("ec2", "ebs", "sts", "iam", "ssm")}


def refused(code, call, **request):
    try:
        call(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{request} was accepted")


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def put(ebs, snapshot, index, data):
    return ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, DataLength=BLOCK, Checksum=sha256(data), ChecksumAlgorithm="SHA256")


@step
def who_it_is(me, there, other, kept):
    kept["account"], kept["other"] = (who["sts"].get_caller_identity()["Account"] for who in (me, other))


@step
def a_volume_and_its_copy_and_snapshot(me, there, other, kept):
    ec2 = me["ec2"]
    volume = ec2.create_volume(Size=1, AvailabilityZone=HERE + "a", VolumeType="gp3")["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=SOON)
    (copy,) = ec2.copy_volumes(SourceVolumeId=volume, VolumeType="gp3")["Volumes"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[copy["VolumeId"]], WaiterConfig=SOON)
    assert ec2.describe_volumes(VolumeIds=[copy["VolumeId"]])["Volumes"][0]["SourceVolumeId"] == volume
    kept["empty"] = ec2.create_snapshot(VolumeId=volume, Description="ümläut & <tag>")["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[kept["empty"]], WaiterConfig=SOON)
    (shown,) = ec2.describe_snapshots(SnapshotIds=[kept["empty"]])["Snapshots"]
    assert shown["Description"] == "ümläut & <tag>" and shown["CompletionTime"] >= shown["StartTime"]
    for name in (volume, copy["VolumeId"]):
        ec2.delete_volume(VolumeId=name)
        ec2.get_waiter("volume_deleted").wait(VolumeIds=[name], WaiterConfig=SOON)


@step
def blocks_put_and_got(me, there, other, kept):
    ebs = me["ebs"]
    begun = ebs.start_snapshot(VolumeSize=1, Description="by boto3", Tags=[{"Key": "made", "Value": "by boto3"}])
    kept["snapshot"], kept["blocks"] = begun["SnapshotId"], {index: os.urandom(BLOCK) for index in (0, 5, 2047)}
    for index, data in kept["blocks"].items():
        assert put(ebs, kept["snapshot"], index, data)["Checksum"] == sha256(data)
    linear = sha256(b"".join(hashlib.sha256(data).digest() for data in kept["blocks"].values()))
    ebs.complete_snapshot(SnapshotId=kept["snapshot"], ChangedBlocksCount=3, Checksum=linear, ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR")
    me["ec2"].get_waiter("snapshot_completed").wait(SnapshotIds=[kept["snapshot"]], WaiterConfig=SOON)
    same_blocks(ebs, kept["snapshot"], kept["blocks"])
    assert refused("ValidationException", put, ebs=ebs, snapshot=kept["snapshot"], index=1, data=kept["blocks"][0])["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId="snap-0fedcba9876543210")["Reason"] == "SNAPSHOT_NOT_FOUND"


def same_blocks(ebs, snapshot, blocks):
    listed = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    assert [block["BlockIndex"] for block in listed] == sorted(blocks)
    for block in listed:
        got = ebs.get_snapshot_block(SnapshotId=snapshot, **block)
        assert got["BlockData"].read() == blocks[block["BlockIndex"]] and got["DataLength"] == BLOCK


@step
def an_image_found_by_filters(me, there, other, kept):
    ec2 = me["ec2"]
    root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kept["snapshot"], "VolumeSize": 8, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200}}
    request = {"Name": "image-of-boto3", "Architecture": "x86_64", "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "BootMode": "uefi", "EnaSupport": True}
    tags = [{"ResourceType": "image", "Tags": [{"Key": "made", "Value": "by boto3"}]}]
    kept["image"] = ec2.register_image(**request, BlockDeviceMappings=[root], TagSpecifications=tags)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[kept["image"]], WaiterConfig=SOON)
    for name, value in (("name", "image-of-*"), ("tag:made", "by boto3"), ("block-device-mapping.snapshot-id", kept["snapshot"])):
        found = ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": [value]}])["Images"]
        assert [image["ImageId"] for image in found] == [kept["image"]], name
    refused("InvalidParameterValue", ec2.describe_images, Filters=[{"Name": "no-such-filter", "Values": ["x"]}])
    refused("InvalidAMIName.Duplicate", ec2.register_image, **request, BlockDeviceMappings=[root])


@step
def copied_to_another_region(me, there, other, kept):
    copy = there["ec2"].copy_image(Name="copy-of-boto3", SourceImageId=kept["image"], SourceRegion=HERE, CopyImageTags=True)["ImageId"]
    there["ec2"].get_waiter("image_available").wait(ImageIds=[copy], WaiterConfig=SOON)
    (image,) = there["ec2"].describe_images(ImageIds=[copy])["Images"]
    assert (image["SourceImageId"], image["SourceImageRegion"], image["Tags"]) == (kept["image"], HERE, [{"Key": "made", "Value": "by boto3"}])
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    same_blocks(there["ebs"], snapshot, kept["blocks"])
    ancestry = there["ec2"].get_image_ancestry(ImageId=copy)["ImageAncestryEntries"]
    assert [entry["ImageId"] for entry in ancestry] == [copy, kept["image"]], ancestry
    gone = there["ec2"].deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
    assert gone["DeleteSnapshotResults"] == [{"SnapshotId": snapshot, "ReturnCode": "success"}], gone
    there["ec2"].copy_snapshot(SourceRegion=HERE, SourceSnapshotId=kept["snapshot"])  # boto3 presigns it for the region of the source


@step
def shared_and_launched(me, there, other, kept):
    ec2, image = me["ec2"], kept["image"]
    refused("AuthFailure", other["ec2"].run_instances, ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": kept["other"]}]})
    made = other["ec2"].run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    other["ec2"].get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig=SOON)
    (seen,) = other["ec2"].describe_instance_image_metadata(InstanceIds=[made])["InstanceImageMetadata"]
    assert seen["ImageMetadata"]["ImageId"] == image and seen["ImageMetadata"]["OwnerId"] == kept["account"], seen
    report = ec2.create_image_usage_report(ImageId=image, ResourceTypes=[{"ResourceType": "ec2:Instance"}])["ReportId"]
    ec2.get_waiter("image_usage_report_available").wait(ReportIds=[report], WaiterConfig=SOON)
    (entry,) = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    assert (entry["AccountId"], entry["UsageCount"]) == (kept["other"], 1), entry
    other["ec2"].terminate_instances(InstanceIds=[made])
    other["ec2"].get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig=SOON)


@step
def launched_by_a_token_and_imaged(me, there, other, kept):
    ec2 = me["ec2"]
    request = {"ImageId": kept["image"], "InstanceType": "t3.nano", "MinCount": 1, "MaxCount": 1, "ClientToken": "one", "UserData": "data"}
    made = ec2.run_instances(**request)["Instances"][0]["InstanceId"]
    assert ec2.run_instances(**request)["Instances"][0]["InstanceId"] == made
    refused("IdempotentParameterMismatch", ec2.run_instances, **(request | {"InstanceType": "t3.micro"}))
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=[made], WaiterConfig=SOON)
    image = ec2.create_image(InstanceId=made, Name="second-of-boto3", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig=SOON)
    (reference,) = ec2.describe_image_references(ImageIds=[kept["image"]], IncludeAllResourceTypes=True)["ImageReferences"]
    assert reference["ResourceType"] == "ec2:Instance" and reference["Arn"].endswith(made), reference
    ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    ec2.terminate_instances(InstanceIds=[made])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig=SOON)
    try:
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig=SOON)
    except WaiterError as error:
        assert "terminal failure" in str(error)
    else:
        raise AssertionError("what is terminated is not running")


@step
def deprecated_and_deregistered(me, there, other, kept):
    ec2, image = me["ec2"], kept["image"]
    ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2033-01-01T00:00:00Z")
    assert ec2.describe_images(ImageIds=[image])["Images"][0]["DeprecationTime"] == "2033-01-01T00:00:00.000Z"
    ec2.enable_image_deregistration_protection(ImageId=image)
    refused("OperationNotPermitted", ec2.deregister_image, ImageId=image)
    ec2.disable_image_deregistration_protection(ImageId=image)
    refused("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=kept["snapshot"])
    gone = ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert gone["Return"] and gone["DeleteSnapshotResults"] == [{"SnapshotId": kept["snapshot"], "ReturnCode": "success"}], gone
    assert ec2.describe_images(ImageIds=[image])["Images"] == []
    refused("InvalidAMIID.Unavailable", ec2.run_instances, ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)
    refused("InvalidSnapshot.NotFound", ec2.describe_snapshots, SnapshotIds=[kept["snapshot"]])


@step
def pages(me, there, other, kept):
    ec2 = me["ec2"]
    for number in range(11):
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kept["empty"]}}]
        ec2.register_image(Name=f"page-{number}", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping)
    found = [page["Images"] for page in ec2.get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 5})]
    assert [len(page) for page in found] == [5, 5, 1] and len({image["Name"] for page in found for image in page}) == 11


@step
def keys_of_a_role_and_parameters(me, there, other, kept):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": kept["account"]}, "Action": "sts:AssumeRole"}]}
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:DescribeImages", "ssm:GetParameter"], "Resource": "*"}]}
    role = me["iam"].create_role(RoleName="role-of-boto3", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    me["iam"].get_waiter("role_exists").wait(RoleName="role-of-boto3")
    assert role["AssumeRolePolicyDocument"] == trust
    me["iam"].put_role_policy(RoleName="role-of-boto3", PolicyName="some", PolicyDocument=json.dumps(allowed))
    keys = me["sts"].assume_role(RoleArn=role["Arn"], RoleSessionName="boto3")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], HERE)
    limited = {name: session.client(name, endpoint_url=os.environ["KILN_ENDPOINT"]) for name in ("ec2", "ssm", "ebs")}
    limited["ec2"].describe_images(Owners=["self"])
    me["ssm"].put_parameter(Name="/boto3/one", Value="value", Type="String")
    assert limited["ssm"].get_parameter(Name="/boto3/one")["Parameter"]["Value"] == "value"
    refused("UnauthorizedOperation", limited["ec2"].describe_volumes)
    refused("AccessDeniedException", limited["ssm"].put_parameter, Name="/boto3/two", Value="value", Type="String")
    refused("AccessDeniedException", limited["ebs"].start_snapshot, VolumeSize=1)
    refused("ParameterNotFound", me["ssm"].get_parameter, Name="/boto3/none")
    refused("NoSuchEntity", me["iam"].get_role, RoleName="nobody")


def main():
    everybody, kept = (clients("OWNER"), clients("OWNER", THERE), clients("OTHER")), {}
    for function in STEPS:
        function(*everybody, kept)
        print(f"ok {function.__name__}")
    print(f"all done with {boto3.__version__}")


if __name__ == "__main__":
    main()
