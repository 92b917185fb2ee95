#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mistakes people make, through unmodified clients: each gets EC2's code, changes nothing, loses nothing."""

import datetime
import http.client
import json
import os
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore import auth, awsrequest, credentials  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

MIB = 1 << 20


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield kiln


def import_disk(kiln, name, size=MIB):
    path = os.path.join(kiln.home, "disk.raw")
    with open(path, "wb") as disk:
        disk.write(b"kiln" * 1024)
        disk.truncate(size)
    return json.loads(kiln.run("import", path, "--name", name, "--json").stdout)


def test_wrong_keys_are_told_apart_from_nothing_else(service):
    wrong_key = service.client("ec2", access_key="AKIAIOSFODNN7EXAMPLE", secret_key="x" * 40)
    message = expect("AuthFailure", wrong_key.describe_instances)
    assert message == "AWS was not able to validate the provided access credentials", message
    wrong_secret = service.client("ec2", secret_key="x" * 40)
    expect("AuthFailure", wrong_secret.describe_instances)
    sts = service.client("sts", access_key="AKIAIOSFODNN7EXAMPLE", secret_key="x" * 40)
    expect("InvalidClientTokenId", sts.get_caller_identity)


def test_WIRE_12_services_that_are_not_built_are_refused_by_name_in_their_own_form(service):
    calls = {"s3": "list_buckets", "route53": "list_hosted_zones", "kms": "list_keys", "secretsmanager": "list_secrets",
             "autoscaling": "describe_auto_scaling_groups", "lambda": "list_functions"}  # fmt: skip
    for name, call in calls.items():
        message = expect("UnknownOperationException" if name == "lambda" else "UnsupportedOperation", getattr(service.client(name), call))
        assert message == f"The service '{name}' is not built; this server speaks ebs, ec2, iam, ssm, sts, and kiln.", message
        wrong_key = service.client(name, access_key="AKIAIOSFODNN7EXAMPLE", secret_key="x" * 40)
        code, _message = refusal(getattr(wrong_key, call))
        assert code in ("InvalidClientTokenId", "UnrecognizedClientException"), (name, code)


def test_WIRE_13_a_region_that_is_not_there_is_named(service):
    message = expect("AuthFailure", service.client("ec2", "mars-1").describe_instances)
    assert message.startswith("AWS was not able to validate the provided access credentials. 'mars-1' is not one of"), message
    assert "'mars-1'" in expect("SignatureDoesNotMatch", service.client("sts", "mars-1").get_caller_identity)


def signed(kiln, body, date=None):
    """A request signed at another time than now; botocore's own clock cannot be set."""
    request = awsrequest.AWSRequest("POST", kiln.endpoint + "/", data=body)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    keys = credentials.Credentials(kiln.access_key, kiln.secret_key)
    signer = auth.SigV4Auth(keys, "ec2", "us-east-1")
    if date:
        moved = type("Clock", (datetime.datetime,), {"utcnow": classmethod(lambda cls: date)})
        real, auth.datetime.datetime = auth.datetime.datetime, moved
        try:
            signer.add_auth(request)
        finally:
            auth.datetime.datetime = real
    else:
        signer.add_auth(request)
    raw = urllib.request.Request(kiln.endpoint + "/", data=body.encode(), headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(raw, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_skewed_clock_is_refused_and_five_minutes_are_not(service):
    body = "Action=DescribeInstances&Version=2016-11-15"
    now = datetime.datetime.utcnow()
    status, text = signed(service, body, now - datetime.timedelta(minutes=20))
    assert status == 400 and "RequestExpired" in text, (status, text)
    status, text = signed(service, body, now - datetime.timedelta(minutes=4))
    assert status == 200, (status, text)


def test_WIRE_1_WIRE_3_unknown_actions_versions_and_parameters(service):
    cases = {
        "Action=FlyToTheMoon&Version=2016-11-15": "InvalidAction",
        "Version=2016-11-15": "MissingAction",
        "Action=DescribeInstances&Version=2099-01-01": "NoSuchVersion",
        "Action=DescribeInstances&Version=2016-11-15&Colour=red": "UnknownParameter",
        "Action=DescribeInstances&Version=2016-11-15&MaxResults=many": "InvalidParameterValue",
        "Action=CreateVpnGateway&Version=2016-11-15": "UnsupportedOperation",
    }
    for body, code in cases.items():
        status, text = signed(service, body)
        assert status == 400 and f"<Code>{code}</Code>" in text, (body, status, text)
        assert "<RequestID>" in text


def test_ID_4_IDL_2_malformed_ids_come_before_missing_ones(service):
    ec2 = service.client("ec2")
    expect("InvalidInstanceID.Malformed", ec2.describe_instances, InstanceIds=["i-xyz"])
    message = expect("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
    assert message == "The instance ID 'i-0123456789abcdef0' does not exist", message
    message = expect("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-01234567", "i-89abcdef"])
    assert message == "The instance IDs 'i-01234567, i-89abcdef' do not exist", message
    expect("InvalidAMIID.Malformed", ec2.run_instances, ImageId="ami-!", MinCount=1, MaxCount=1)
    expect("InvalidAMIID.NotFound", ec2.run_instances, ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    message = expect("MissingParameter", ec2.run_instances, MinCount=1, MaxCount=1)
    assert "ImageId" in message, message


def register(ec2, snapshot, name="an image", **more):
    entry = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    request = {
        "Name": name,
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [entry],
    }
    request.update(more)
    return ec2.register_image(**request)


def test_RI_the_mistakes_of_register_image(service):
    ec2 = service.client("ec2")
    snapshot = import_disk(service, "for register")["snapshotId"]

    def refused(code, **more):
        return expect(code, lambda **request: register(ec2, snapshot, **request), **more)

    message = refused("InvalidAMIName.Duplicate", name="for register")
    assert message.startswith("AMI name for register is already in use by AMI ami-"), message
    refused("InvalidAMIName.Malformed", name="no")
    refused("InvalidAMIName.Malformed", name="what?")
    root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    message = refused("InvalidBlockDeviceMapping", RootDeviceName="/dev/sda1")
    assert message == "No root snapshot specified in device mapping.", message
    refused("InvalidBlockDeviceMapping", BlockDeviceMappings=[root, {"DeviceName": "xvda", "Ebs": {"VolumeSize": 1}}])
    refused("InvalidBlockDeviceMapping", BlockDeviceMappings=[root, {"DeviceName": "/dev/sdb9", "Ebs": {"VolumeSize": 1}}])
    refused("MissingParameter", BlockDeviceMappings=[root, {"DeviceName": "/dev/sdb", "Ebs": {"VolumeType": "gp3"}}])
    refused("InvalidParameterValue", BlockDeviceMappings=[root, {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 20000}}])
    refused("UnknownVolumeType", BlockDeviceMappings=[dict(root, Ebs={"SnapshotId": snapshot, "VolumeType": "gp9"})])
    refused("BootForVolumeTypeUnsupported", BlockDeviceMappings=[dict(root, Ebs={"SnapshotId": snapshot, "VolumeType": "st1"})])
    refused("InvalidBlockDeviceMapping", RootDeviceName="")
    refused("MissingParameter", BlockDeviceMappings=[])
    refused("InvalidBlockDeviceMapping", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}])
    refused("InvalidParameterCombination", BlockDeviceMappings=[dict(root, Ebs={"SnapshotId": snapshot, "Encrypted": False})])
    refused("InvalidParameterCombination", BlockDeviceMappings=[dict(root, Ebs={"SnapshotId": snapshot, "KmsKeyId": "k"})])
    refused("InvalidParameterCombination", VirtualizationType="paravirtual", EnaSupport=True)
    refused("InvalidParameterCombination", Architecture="arm64", BootMode="legacy-bios")
    refused("InvalidParameterValue", SriovNetSupport="fast")
    refused("InvalidParameterValue", BootMode="floppy")
    refused("InvalidParameterValue", Description="x" * 256)
    refused("UnsupportedOperation", ImageLocation="bucket/manifest.xml")
    refused("InvalidParameterCombination", UefiData="AAAA")
    refused("InvalidParameterValue", UefiData="AAAA", BootMode="uefi")
    missing = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}
    refused("InvalidSnapshot.NotFound", BlockDeviceMappings=[missing])
    refused("InvalidParameterCombination", TpmSupport="v2.0")
    refused("UnsupportedOperation", KernelId="aki-01234567")
    refused("DryRunOperation", DryRun=True)
    # Debian's boto3 is older than tags on RegisterImage.
    mapping = f"BlockDeviceMapping.1.DeviceName=xvda&BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}&RootDeviceName=xvda"
    for resource, key in (("instance", "a"), ("image", "aws:a"), ("image", "")):
        tags = f"TagSpecification.1.ResourceType={resource}&TagSpecification.1.Tag.1.Key={key}&TagSpecification.1.Tag.1.Value=b"
        request = f"Action=RegisterImage&Version=2016-11-15&Name=tagged&VirtualizationType=hvm&{mapping}&{tags}"
        status, text = signed(service, request)
        assert status == 400 and "<Code>InvalidParameterValue</Code>" in text, text
    # Nothing of all that was kept: the name is free.
    assert register(ec2, snapshot)["ImageId"].startswith("ami-")


def test_RUN_the_mistakes_of_run_instances_leave_no_instance(service):
    ec2 = service.client("ec2")
    image = import_disk(service, "for run")["imageId"]

    def refused(code, **more):
        request = {"ImageId": image, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1, **more}
        return expect(code, ec2.run_instances, **request)

    refused("InvalidParameterValue", InstanceType="t9.huge")
    refused("InvalidParameterCombination", MinCount=2)
    refused("InvalidParameterValue", MinCount=0, MaxCount=0)
    refused("InvalidZone.NotFound", Placement={"AvailabilityZone": "eu-west-1a"})
    refused("InvalidKeyPair.NotFound", KeyName="mine")
    refused("InvalidLaunchTemplateName.NotFoundException", LaunchTemplate={"LaunchTemplateName": "t"})
    resize = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 0}}]
    refused("InvalidBlockDeviceMapping", BlockDeviceMappings=resize)
    refused("InvalidBlockDeviceMapping", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "NoDevice": ""}])
    refused("InvalidSnapshot.NotFound", BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-01234567"}}])
    refused("DryRunOperation", DryRun=True)
    refused("InvalidParameterValue", InstanceInitiatedShutdownBehavior="explode")
    assert ec2.describe_instances()["Reservations"] == []
    assert len(os.listdir(os.path.join(service.data, "instances"))) == 0


def test_RUN_3_another_accounts_image_is_not_authorized_and_its_instances_do_not_exist(service):
    account = service.account()
    other = account.client("ec2")
    assert account.client("sts").get_caller_identity()["Account"] == account.id
    imported = import_disk(service, "private")
    message = expect("AuthFailure", other.run_instances, ImageId=imported["imageId"], MinCount=1, MaxCount=1)
    assert message == f"Not authorized for images: [{imported['imageId']}]", message
    expect("InvalidSnapshot.NotFound", lambda: register(other, imported["snapshotId"]))
    mine = service.client("ec2").run_instances(ImageId=imported["imageId"], MinCount=1, MaxCount=1)
    instance = mine["Instances"][0]["InstanceId"]
    expect("InvalidInstanceID.NotFound", other.terminate_instances, InstanceIds=[instance])
    elsewhere = service.client("ec2", region="eu-west-1")
    expect("InvalidInstanceID.NotFound", elsewhere.describe_instances, InstanceIds=[instance])
    service.client("ec2").terminate_instances(InstanceIds=[instance])


def test_an_import_that_is_refused_or_cut_short_leaves_nothing(service):
    import_disk(service, "taken")
    layers = os.path.join(service.data, "layers")
    before = sorted(os.listdir(layers))
    path = os.path.join(service.home, "disk.raw")
    done = service.run("import", path, "--name", "taken", check=False)
    assert done.returncode == 1 and "InvalidAMIName.Duplicate" in done.stderr, done.stderr
    open(path, "wb").close()
    done = service.run("import", path, "--name", "empty", check=False)
    assert done.returncode == 1 and "The disk is empty" in done.stderr, done.stderr
    done = service.run("import", "/nonexistent", "--name", "nothing", check=False)
    assert done.returncode == 1 and "/nonexistent" in done.stderr, done.stderr
    # The first import is stored in the background, and its layer may go meanwhile.
    assert set(os.listdir(layers)) <= set(before)


def half_an_import(kiln, name):
    """A connection on which an import was begun and 8 of its 64 MiB were sent."""
    target = f"/kiln/v1/imports?architecture=x86_64&name={name}&size={64 * MIB}"
    request = awsrequest.AWSRequest("POST", kiln.endpoint + target, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    signer = auth.SigV4Auth(credentials.Credentials(kiln.access_key, kiln.secret_key), "kiln", "us-east-1")
    signer.payload = lambda _: "UNSIGNED-PAYLOAD"
    signer.add_auth(request)
    host, port = kiln.endpoint.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.putrequest("POST", target)
    for header, value in {**dict(request.headers), "Content-Length": str(64 * MIB)}.items():
        connection.putheader(header, value)
    connection.endheaders()
    connection.send(os.urandom(8 * MIB))
    layers = os.path.join(kiln.data, "layers")
    wait_until(lambda: any(name.endswith(".blk") for name in os.listdir(layers)), 20, "the import has written something")
    return connection


def test_an_import_cut_by_its_client_or_by_a_kill_of_the_daemon_leaves_nothing():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        layers = os.path.join(kiln.data, "layers")
        half_an_import(kiln, "cut-by-client").close()
        wait_until(lambda: os.listdir(layers) == [], 20, "the abandoned layer is gone")
        connection = half_an_import(kiln, "cut-by-kill")
        kiln.kill9()
        connection.close()
        assert os.listdir(layers) != []
        kiln.start()
        wait_until(lambda: os.listdir(layers) == [], 20, "the layer of the killed import is gone")
        assert import_disk(kiln, "cut-by-kill")["imageId"].startswith("ami-"), "the name is free"


if __name__ == "__main__":
    kiln_test.main()
