#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images through boto3, Debian's aws and hand-made requests: described, shared, deprecated, protected, disabled, deregistered."""

import datetime
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError, WaiterError  # noqa: E402
from kiln_test import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

UNKNOWN = "ami-0123456789abcdef0"


class Account:
    """An account of the daemon, with clients that find the daemon again after a restart."""

    def __init__(self, kiln, name=None):
        self.kiln, self.keys, self.clients = kiln, None, {}
        if name:
            self.keys = kiln.account(name).pair
        access, secret = self.keys or (None, None)
        self.id = kiln.client("sts", access_key=access, secret_key=secret).get_caller_identity()["Account"]

    @property
    def ec2(self):
        endpoint = self.kiln.endpoint
        if endpoint not in self.clients:
            access, secret = self.keys or (None, None)
            self.clients[endpoint] = self.kiln.client("ec2", access_key=access, secret_key=secret)
        return self.clients[endpoint]

    def query(self, action, **parameters):
        return query(self.kiln, action, {name.replace("_", "."): value for name, value in parameters.items()}, keys=self.keys)

    def names(self, **request):
        """The oldest first, against the order of the answer (PAG-7)."""
        return [image["Name"] for image in reversed(self.ec2.describe_images(**request)["Images"])]


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(8192))
            disk.truncate(1 << 20)
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        daemon.alice, daemon.bob = Account(daemon), Account(daemon, "bob")
        yield daemon


def register(account, name, **more):
    snapshot = more.pop("snapshot", account.kiln.base["snapshotId"])
    request = {
        "Name": name,
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
    }
    request.update(more)
    return account.ec2.register_image(**request)["ImageId"]


def describe(account, image, **more):
    return account.ec2.describe_images(ImageIds=[image], **more)["Images"][0]


def test_RI_8_IMG_3_what_is_registered_is_described_whole(kiln):
    alice = kiln.alice
    snapshot = kiln.base["snapshotId"]
    image = register(
        alice, "whole [1]/a", Description="an image", EnaSupport=True, SriovNetSupport="simple", BootMode="uefi", TpmSupport="v2.0",
        ImdsSupport="v2.0",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200}},
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeSize": 4, "VolumeType": "io1", "Iops": 100}},
            {"DeviceName": "/dev/sdg", "Ebs": {"SnapshotId": snapshot, "DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdc", "NoDevice": ""},
        ],
    )  # fmt: skip
    seen = describe(alice, image)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", seen.pop("CreationDate"))
    size = seen["BlockDeviceMappings"][2]["Ebs"]["VolumeSize"]
    assert seen == {
        "Architecture": "x86_64",
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sdf",
                "Ebs": {
                    "DeleteOnTermination": False, "Encrypted": False, "Iops": 4000, "Throughput": 200, "VolumeSize": 8,
                    "VolumeType": "gp3",
                },
            },
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "DeleteOnTermination": True, "Encrypted": False, "Iops": 100, "SnapshotId": snapshot, "VolumeSize": 4,
                    "VolumeType": "io1",
                },
            },
            {
                "DeviceName": "/dev/sdg",
                "Ebs": {
                    "DeleteOnTermination": True, "Encrypted": False, "SnapshotId": snapshot, "VolumeSize": size, "VolumeType": "gp2",
                },
            },
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        ],
        "BootMode": "uefi",
        "Description": "an image",
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ImageId": image,
        "ImageLocation": f"{alice.id}/whole [1]/a",
        "ImageType": "machine",
        "ImdsSupport": "v2.0",
        "Name": "whole [1]/a",
        "OwnerId": alice.id,
        "PlatformDetails": "Linux/UNIX",
        "Public": False,
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SriovNetSupport": "simple",
        "State": "available",
        "TpmSupport": "v2.0",
        "UsageOperation": "RunInstances",
        "VirtualizationType": "hvm",
    }, seen  # fmt: skip
    alice.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    alice.ec2.get_waiter("image_exists").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    # Old defaults (RI-4), through aws; and empty values, as Terraform sends them.
    mapping = f"DeviceName=/dev/sda1,Ebs={{SnapshotId={snapshot}}}"
    made = kiln.aws("ec2", "register-image", "--name", "old", "--root-device-name", "/dev/sda1", "--block-device-mappings", mapping)
    old = kiln.aws("ec2", "describe-images", "--image-ids", made["ImageId"])["Images"][0]
    assert (old["Architecture"], old["VirtualizationType"], old["EnaSupport"]) == ("i386", "paravirtual", False)
    assert "BootMode" not in old and "Description" not in old and "Tags" not in old
    terraform = register(alice, "terraform", VirtualizationType="paravirtual", SriovNetSupport="simple")
    assert "SriovNetSupport" not in describe(alice, terraform)
    deregister_named(alice, "terraform")
    flat = {"BlockDeviceMapping.1.DeviceName": "xvda", "BlockDeviceMapping.1.Ebs.SnapshotId": snapshot, "RootDeviceName": "xvda"}
    tags = {"TagSpecification.1.ResourceType": "image", "TagSpecification.1.Tag.1.Key": "k", "TagSpecification.1.Tag.1.Value": "v"}
    empty = {"ImageLocation": "", "Description": "", "KernelId": "", "RamdiskId": "", "BootMode": "", "VirtualizationType": "hvm"}
    answer = query(kiln, "RegisterImage", {"Name": "tagged", **flat, **tags, **empty})
    assert answer.status == 200, answer.body
    assert describe(alice, answer.texts("imageId")[0])["Tags"] == [{"Key": "k", "Value": "v"}]
    for account, name in ((alice, "whole [1]/a"), (alice, "old"), (alice, "tagged")):
        deregister_named(account, name)


def deregister_named(account, name):
    for image in account.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]:
        account.ec2.deregister_image(ImageId=image["ImageId"])


def test_ERR_2_the_mistakes_of_image_operations(kiln):
    alice, bob = kiln.alice, kiln.bob
    ec2 = alice.ec2
    mine = kiln.base["imageId"]
    calls = {
        "deregister_image": {},
        "describe_image_attribute": {"Attribute": "description"},
        "modify_image_attribute": {"Description": {"Value": "x"}},
        "reset_image_attribute": {"Attribute": "launchPermission"},
        "enable_image_deprecation": {"DeprecateAt": datetime.datetime(2030, 1, 1)},
        "disable_image_deprecation": {},
    }
    for call, more in calls.items():
        message = expect("InvalidAMIID.Malformed", getattr(ec2, call), ImageId="ami-xyz", **more)
        assert message.startswith('Invalid id: "ami-xyz"'), message
        message = expect("InvalidAMIID.NotFound", getattr(ec2, call), ImageId=UNKNOWN, **more)
        assert message == f"The image id '[{UNKNOWN}]' does not exist", message
        message = expect("AuthFailure", getattr(bob.ec2, call), ImageId=mine, **more)
        assert message == f"Not authorized for image:{mine}", message
        expect("DryRunOperation", getattr(ec2, call), ImageId=mine, DryRun=True, **more)
        elsewhere = kiln.client("ec2", region="eu-west-1")
        expect("InvalidAMIID.NotFound", getattr(elsewhere, call), ImageId=mine, **more)
    newer = ("EnableImage", "DisableImage", "EnableImageDeregistrationProtection", "DisableImageDeregistrationProtection")
    for action in newer:
        assert alice.query(action, ImageId="ami-xyz").code == "InvalidAMIID.Malformed"
        assert alice.query(action, ImageId=UNKNOWN).code == "InvalidAMIID.NotFound"
        assert alice.query(action).code == "MissingParameter"
        assert bob.query(action, ImageId=mine).code == "AuthFailure"
        answer = alice.query(action, ImageId=mine, DryRun="true")
        assert (answer.status, answer.code) == (412, "DryRunOperation"), answer.body
    expect("InvalidAMIID.Malformed", ec2.describe_images, ImageIds=[mine, "ami-1", UNKNOWN])
    message = expect("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[mine, UNKNOWN, "ami-01234567"])
    assert message == f"The image ids '[{UNKNOWN}, ami-01234567]' do not exist", message
    expect("InvalidAMIID.NotFound", bob.ec2.describe_images, ImageIds=[mine])
    expect("InvalidUserID.Malformed", ec2.describe_images, Owners=["amazonia"])
    expect("InvalidUserID.Malformed", ec2.describe_images, ExecutableUsers=["everybody"])
    message = expect("InvalidParameterValue", ec2.describe_images, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert message == "The filter 'colour' is invalid", message
    expect("InvalidParameterValue", ec2.describe_images, Filters=[{"Name": "name", "Values": []}])
    expect("FilterLimitExceeded", ec2.describe_images, Filters=[{"Name": "name", "Values": ["x"] * 201}])
    expect("DryRunOperation", ec2.describe_images, DryRun=True)
    expect("InvalidParameterValue", ec2.describe_image_attribute, ImageId=mine, Attribute="colour")
    seen = describe(alice, mine)
    assert seen["State"] == "available" and "Description" not in seen and "DeprecationTime" not in seen


def test_DR_2_snapshots_go_with_their_image_where_no_other_uses_them(kiln):
    alice = kiln.alice

    def imported(name):
        made = json.loads(kiln.run("import", os.path.join(kiln.home, "disk.raw"), "--name", name, "--json").stdout)
        return made["imageId"], made["snapshotId"]

    def outcome(image):
        answer = alice.query("DeregisterImage", ImageId=image, DeleteAssociatedSnapshots="true")
        assert answer.status == 200 and "<return>true</return>" in answer.body, answer.body
        found = re.findall(r"<snapshotId>(.*?)</snapshotId><returnCode>(.*?)</returnCode>", re.sub(r">\s+<", "><", answer.body))
        expect("InvalidAMIID.Unavailable", alice.ec2.describe_image_attribute, ImageId=image, Attribute="description")
        return found

    alone, snapshot = imported("alone")
    assert outcome(alone) == [(snapshot, "success")]
    expect("InvalidSnapshot.NotFound", alice.ec2.describe_snapshots, SnapshotIds=[snapshot])
    shared, snapshot = imported("shared")
    other = register(alice, "other", snapshot=snapshot)
    assert outcome(shared) == [(snapshot, "skipped")]
    assert outcome(other) == [(snapshot, "success")]


def test_LP_3_every_way_in_which_clients_change_launch_permissions(kiln):
    alice, bob = kiln.alice, kiln.bob
    image = register(alice, "forms")

    def permissions():
        return alice.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]

    def modify(**request):
        alice.ec2.modify_image_attribute(ImageId=image, **request)

    other = {"UserId": bob.id}
    assert permissions() == []
    modify(LaunchPermission={"Add": [other, {"Group": "all"}]})
    assert permissions() == [{"Group": "all"}, other]
    modify(LaunchPermission={"Remove": [{"Group": "all"}], "Add": [other]})
    assert permissions() == [other]
    modify(Attribute="launchPermission", OperationType="remove", UserIds=[bob.id])
    assert permissions() == []
    modify(Attribute="LaunchPermission", OperationType="add", UserIds=[bob.id, alice.id], UserGroups=["all"])  # Ansible
    assert permissions() == [{"Group": "all"}, other]
    modify(OperationType="remove", UserGroups=["all"])
    modify(Attribute="launchPermission", LaunchPermission={"Remove": [other]})  # Terraform
    assert permissions() == []
    both = {"UserGroup.1": "all", "LaunchPermission.Add.1.Group": "all", "ImageId": image}  # Packer
    answer = query(kiln, "ModifyImageAttribute", both)
    assert answer.texts("return") == ["true"], answer.body
    assert permissions() == [{"Group": "all"}]
    kiln.aws("ec2", "modify-image-attribute", "--image-id", image, "--launch-permission", f"Add=[{{UserId={bob.id}}}]")
    kiln.aws("ec2", "modify-image-attribute", "--image-id", image, "--attribute", "launchPermission", "--operation-type", "remove", "--user-groups", "all")
    assert permissions() == [other]
    kiln.aws("ec2", "reset-image-attribute", "--image-id", image, "--attribute", "launchPermission")
    assert permissions() == []

    def refused(code, **request):
        return expect(code, alice.ec2.modify_image_attribute, ImageId=image, **request)

    message = refused("InvalidParameterCombination")
    assert message == "No attributes specified.", message
    message = refused("InvalidParameterCombination", Description={"Value": "x"}, LaunchPermission={"Add": [other]})
    assert message == "Fields for multiple attribute types specified", message
    refused("InvalidParameterCombination", Attribute="launchPermission")
    refused("InvalidParameterCombination", Attribute="description", Value="x", LaunchPermission={"Add": [other]})
    refused("MissingParameter", Attribute="launchPermission", UserIds=[bob.id])
    message = refused("InvalidAMIAttributeItemValue", LaunchPermission={"Add": [other, {"UserId": "1234"}]})
    assert message == 'Invalid attribute item value "1234" for userId item type.', message
    refused("InvalidAMIAttributeItemValue", OperationType="add", UserGroups=["everyone"])
    refused("InvalidParameterValue", Attribute="kernel", Value="aki-01234567")
    refused("UnsupportedOperation", ProductCodes=["abcdefgh"])
    refused("InvalidParameterValue", OperationType="replace", UserIds=[bob.id])
    refused("InvalidParameterValue", Description={"Value": "x" * 256})
    refused("DryRunOperation", LaunchPermission={"Add": [other]}, DryRun=True)
    assert permissions() == []

    modify(Description={"Value": "new"})
    assert describe(alice, image)["Description"] == "new"
    modify(Attribute="description", Value="newer")
    assert alice.ec2.describe_image_attribute(ImageId=image, Attribute="description")["Description"] == {"Value": "newer"}
    modify(Description={"Value": ""})
    assert "Description" not in describe(alice, image)
    assert query(kiln, "ModifyImageAttribute", {"ImageId": image, "ImdsSupport.Value": "v2.0"}).status == 200
    assert describe(alice, image)["ImdsSupport"] == "v2.0"
    assert query(kiln, "ModifyImageAttribute", {"ImageId": image, "ImdsSupport.Value": "v1.0"}).code == "InvalidParameterValue"
    deregister_named(alice, "forms")


def test_LP_14_every_attribute_has_its_element(kiln):
    alice = kiln.alice
    image = register(alice, "attributes", EnaSupport=True, BootMode="uefi-preferred", SriovNetSupport="simple")
    value = {
        "description": ("Description", {}),
        "kernel": ("KernelId", {}),
        "ramdisk": ("RamdiskId", {}),
        "launchPermission": ("LaunchPermissions", []),
        "productCodes": ("ProductCodes", []),
        "sriovNetSupport": ("SriovNetSupport", {"Value": "simple"}),
        "bootMode": ("BootMode", {"Value": "uefi-preferred"}),
        "tpmSupport": ("TpmSupport", {}),
        "uefiData": ("UefiData", {}),
        "lastLaunchedTime": ("LastLaunchedTime", {}),
        "imdsSupport": ("ImdsSupport", {}),
    }
    for attribute, (member, expected) in value.items():
        answer = alice.ec2.describe_image_attribute(ImageId=image, Attribute=attribute)
        answer.pop("ResponseMetadata")
        assert answer == {"ImageId": image, member: expected}, (attribute, answer)
    assert alice.query("DescribeImageAttribute", ImageId=image, Attribute="deregistrationProtection").texts(
        "deregistrationProtection/value"
    ) == ["disabled"]
    message = expect("AuthFailure", alice.ec2.describe_image_attribute, ImageId=image, Attribute="blockDeviceMapping")
    assert message == "Unauthorized attempt to access restricted resource", message
    made = alice.ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]
    seen = alice.ec2.describe_image_attribute(ImageId=image, Attribute="lastLaunchedTime")["LastLaunchedTime"]["Value"]
    assert re.fullmatch(r"20\d\d-.*\.000Z", seen), seen
    alice.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    deregister_named(alice, "attributes")


def test_LP_9_LP_11_a_shared_image_is_launched_and_not_changed_by_others(kiln):
    alice, bob = kiln.alice, kiln.bob
    image = register(alice, "to share")
    launch = {"ImageId": image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    message = expect("AuthFailure", bob.ec2.run_instances, **launch)
    assert message == f"Not authorized for images: [{image}]", message
    assert bob.names() == []
    alice.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": bob.id}]})
    assert bob.names() == ["to share"] == bob.names(ExecutableUsers=["self"]) == bob.names(Owners=[alice.id])
    assert bob.names(Owners=["self"]) == [] == bob.names(ExecutableUsers=["all"])
    assert alice.names(ExecutableUsers=[bob.id]) == ["to share"]
    seen = describe(bob, image)
    assert seen["OwnerId"] == alice.id and "LastLaunchedTime" not in seen
    instance = bob.ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    for call in ("deregister_image", "disable_image_deprecation"):
        expect("AuthFailure", getattr(bob.ec2, call), ImageId=image)
    expect("AuthFailure", bob.ec2.describe_image_attribute, ImageId=image, Attribute="launchPermission")
    assert bob.ec2.describe_image_attribute(ImageId=image, Attribute="bootMode")["BootMode"] == {}
    # Tags of one account are not seen by the other.
    alice.ec2.create_tags(Resources=[image], Tags=[{"Key": "Name", "Value": "mine"}])
    bob.ec2.create_tags(Resources=[image], Tags=[{"Key": "Name", "Value": "his"}])
    assert describe(alice, image)["Tags"][0]["Value"] == "mine" and describe(bob, image)["Tags"][0]["Value"] == "his"
    assert bob.names(Filters=[{"Name": "tag:Name", "Values": ["mine"]}]) == []
    alice.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Remove": [{"UserId": bob.id}]})
    expect("AuthFailure", bob.ec2.run_instances, **launch)
    expect("InvalidAMIID.NotFound", bob.ec2.describe_images, ImageIds=[image])
    seen = bob.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert seen["ImageId"] == image and seen["State"]["Name"] in ("pending", "running")
    bob.ec2.terminate_instances(InstanceIds=[instance])
    deregister_named(alice, "to share")


def test_DR_3_DR_4_DR_5_what_is_left_of_a_deregistered_image(kiln):
    alice, bob = kiln.alice, kiln.bob
    image = register(alice, "to go")
    alice.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": bob.id}]})
    launch = {"ImageId": image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    instance = alice.ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    expect("DryRunOperation", alice.ec2.deregister_image, ImageId=image, DryRun=True)
    answer = alice.query("DeregisterImage", ImageId=image)
    assert answer.texts("return") == ["true"] and answer.texts("deleteSnapshotResultSet") == [""], answer.body
    for account in (alice, bob):
        assert account.ec2.describe_images(ImageIds=[image])["Images"] == []
        message = expect("InvalidAMIID.Unavailable", account.ec2.run_instances, **launch)
        assert message == f"The image ID '{image}' is no longer available", message
        expect("InvalidAMIID.Unavailable", account.ec2.deregister_image, ImageId=image)
        expect("InvalidAMIID.Unavailable", account.ec2.describe_image_attribute, ImageId=image, Attribute="description")
    try:
        alice.ec2.get_waiter("image_exists").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 1})
        raise AssertionError("the image is said to exist")
    except WaiterError:
        pass
    seen = alice.ec2.describe_instances(Filters=[{"Name": "image-id", "Values": [image]}])["Reservations"][0]["Instances"][0]
    assert seen["InstanceId"] == instance and seen["State"]["Name"] in ("pending", "running")
    again = register(alice, "to go")  # the name and the snapshot are there
    assert again != image
    alice.ec2.terminate_instances(InstanceIds=[instance])
    kiln.restart()
    assert alice.ec2.describe_images(ImageIds=[image])["Images"] == []
    deregister_named(alice, "to go")


def test_DR_7_protection(kiln):
    alice = kiln.alice
    image = register(alice, "guarded")

    def protection():
        return alice.query("DescribeImages", ImageId_1=image).texts("imagesSet/item/deregistrationProtection")

    answer = alice.query("EnableImageDeregistrationProtection", ImageId=image)
    assert answer.texts("return") == ["true"] and protection() == ["enabled-without-cooldown"]
    message = expect("OperationNotPermitted", alice.ec2.deregister_image, ImageId=image)
    assert image in message and "enabled-without-cooldown" in message, message
    assert alice.query("EnableImageDeregistrationProtection", ImageId=image, WithCooldown="true").status == 200
    assert protection() == ["enabled-with-cooldown"]
    assert alice.query("DisableImageDeregistrationProtection", ImageId=image).texts("return") == ["true"]
    assert protection()[0].startswith("disabled after 20"), protection()
    expect("OperationNotPermitted", alice.ec2.deregister_image, ImageId=image)
    assert alice.query("EnableImageDeregistrationProtection", ImageId=image).status == 200
    assert alice.query("DisableImageDeregistrationProtection", ImageId=image).status == 200
    assert protection() == ["disabled"]
    alice.ec2.deregister_image(ImageId=image)


def test_DR_8_DR_9_a_disabled_image_is_hidden_and_not_launched(kiln):
    alice, bob = kiln.alice, kiln.bob
    image = register(alice, "off")
    alice.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    assert bob.names() == ["off"]
    assert alice.query("DisableImage", ImageId=image).texts("return") == ["true"]
    assert alice.query("DisableImage", ImageId=image).status == 200
    assert "off" not in alice.names() and bob.names() == []
    listed = alice.query("DescribeImages", Owner_1="self", IncludeDisabled="true")
    assert ("off", "disabled") in list(zip(listed.texts("imagesSet/item/name"), listed.texts("imagesSet/item/imageState")))
    assert bob.query("DescribeImages", IncludeDisabled="true").texts("imagesSet/item/name") == []
    assert alice.ec2.describe_images(ImageIds=[image])["Images"] == []
    launch = {"ImageId": image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    expect("InvalidAMIID.Unavailable", alice.ec2.run_instances, **launch)
    expect("InvalidAMIID.Unavailable", alice.ec2.modify_image_attribute, ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    expect("InvalidAMIName.Duplicate", lambda: register(alice, "off"))
    assert alice.query("EnableImage", ImageId=image).texts("return") == ["true"]
    assert describe(alice, image)["Public"] is False and bob.names() == []
    instance = alice.ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    alice.ec2.terminate_instances(InstanceIds=[instance])
    alice.ec2.deregister_image(ImageId=image)


def deprecate_now(account, image):
    minute = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    try:
        return account.ec2.enable_image_deprecation(ImageId=image, DeprecateAt=minute)["Return"]
    except ClientError:
        return False


def test_DR_10_DR_11_deprecation(kiln):
    alice, bob = kiln.alice, kiln.bob
    image = register(alice, "ageing")
    now = datetime.datetime.now(datetime.timezone.utc)
    expect("InvalidParameterValue", alice.ec2.enable_image_deprecation, ImageId=image, DeprecateAt=now - datetime.timedelta(days=1))
    expect("InvalidParameterValue", alice.ec2.enable_image_deprecation, ImageId=image, DeprecateAt=now + datetime.timedelta(days=3660))
    assert alice.ec2.enable_image_deprecation(ImageId=image, DeprecateAt="2030-05-06T07:08:29.999Z")["Return"] is True
    assert describe(alice, image)["DeprecationTime"] == "2030-05-06T07:08:00.000Z"
    kiln.aws("ec2", "enable-image-deprecation", "--image-id", image, "--deprecate-at", "2030-05-06T07:08:30Z")
    assert describe(alice, image)["DeprecationTime"] == "2030-05-06T07:09:00.000Z"
    assert alice.query("EnableImageDeprecation", ImageId=image).code == "MissingParameter"
    assert alice.query("EnableImageDeprecation", ImageId=image, DeprecateAt="soon").code == "InvalidParameterValue"
    assert alice.ec2.disable_image_deprecation(ImageId=image)["Return"] is True
    assert "DeprecationTime" not in describe(alice, image)
    alice.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    limit = describe(bob, image)["DeprecationTime"]
    assert limit[:4] == str(now.year + 2), limit  # LP-13
    expect("OperationNotPermitted", alice.ec2.disable_image_deprecation, ImageId=image)
    expect("InvalidParameterValue", alice.ec2.enable_image_deprecation, ImageId=image, DeprecateAt=now + datetime.timedelta(days=1000))
    # The present minute is not past yet, and what is deprecated in it is so at once.
    kiln_test.wait_until(lambda: deprecate_now(alice, image), 10, "the minute did not end just then")
    assert bob.names() == []
    assert bob.names(IncludeDeprecated=True) == ["ageing"] == bob.names(ImageIds=[image])
    assert "ageing" in alice.names()
    instance = bob.ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    bob.ec2.terminate_instances(InstanceIds=[instance])
    alice.ec2.deregister_image(ImageId=image)


def test_PAG_2_PAG_7_FLT_3_DI_6_pages_filters_and_wildcards(kiln):
    alice = kiln.alice
    made = [register(alice, f"page {n:02}", Description="even" if n % 2 == 0 else "odd") for n in range(7)]
    names = [f"page {n:02}" for n in range(7)]
    pages = [{"Name": "name", "Values": ["page ??"]}]
    assert alice.names(Filters=pages) == names
    assert alice.names(Filters=pages + [{"Name": "description", "Values": ["e*n"]}]) == names[::2]
    assert alice.names(Filters=[{"Name": "image-id", "Values": made[:2]}, {"Name": "state", "Values": ["available"]}]) == names[:2]
    assert alice.names(Filters=[{"Name": "name", "Values": ["PAGE*"]}]) == []
    assert alice.names(ImageIds=[made[1], made[0], made[1]]) == names[:2]
    assert alice.names(Owners=["amazon", "aws-marketplace"]) == []
    assert alice.names(Owners=["self", "000000000000"], Filters=pages) == names
    listed = kiln.aws("ec2", "describe-images", "--owners", "self", "--filters", "Name=name,Values=page 03,nothing", "--query", "Images[].Name")
    assert listed == ["page 03"], listed

    filters = {"Filter.1.Name": "name", "Filter.1.Value.1": "page*"}
    seen, token = [], None
    while True:
        answer = query(kiln, "DescribeImages", {**filters, "MaxResults": "3", **({"NextToken": token} if token else {})})
        assert answer.status == 200, answer.body
        found = answer.texts("imagesSet/item/name")
        assert len(found) <= 3
        seen += found
        if not answer.texts("nextToken"):
            break
        token = answer.texts("nextToken")[0]
        if len(seen) == 3:
            alice.ec2.deregister_image(ImageId=made[1])
            alice.ec2.deregister_image(ImageId=made[4])
    assert seen == (names[:1] + names[2:])[::-1], seen
    assert query(kiln, "DescribeImages", {"MaxResults": "3", "NextToken": token}).code == "InvalidNextToken"
    assert query(kiln, "DescribeImages", {**filters, "NextToken": "x" * 40}).code == "InvalidNextToken"
    answer = query(kiln, "DescribeImages", {"MaxResults": "0"})
    assert answer.code == "InvalidParameterValue" and "Value ( 0 ) for parameter maxResults is invalid" in answer.message
    both = query(kiln, "DescribeImages", {"MaxResults": "1", "ImageId.1": made[0], "ImageId.2": made[2]})
    assert both.texts("imagesSet/item/name") == names[2:3] and both.texts("nextToken"), both.body
    deregister_named(alice, "page*")
    assert alice.names(Filters=pages) == []


if __name__ == "__main__":
    kiln_test.main()
