#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""UEFI variables through images, over the scripted hypervisor: given to RegisterImage, carried by copies, taken from instances.
That a machine's firmware has them is tested with a real one (src/compute/tests/qemu_hypervisor_test.cpp)."""

import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import uefi, wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

VARIABLES = {"Boot0000": b"\1\0\0\0 from an image", "BootOrder": b"\0\0", "Größe": b""}
OWN = {"BootOrder": b"\1\0", "Boot0001": b"of the instance itself"}


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def register(kiln, name, **more):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kiln.snapshot}}]
    request = {"Architecture": "x86_64", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm", "EnaSupport": True, "BootMode": "uefi", **more}
    return kiln.client("ec2").register_image(Name=name, BlockDeviceMappings=mapping, **request)["ImageId"]


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def launch(ec2, image, instance_type="t3.nano"):
    instance = ec2.run_instances(ImageId=image, InstanceType=instance_type, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "running", 30, "it runs")
    return instance


def data_of(ec2, image):
    return ec2.describe_image_attribute(ImageId=image, Attribute="uefiData")["UefiData"].get("Value")


def put_store(kiln, instance, variables):
    """What the firmware of a real machine would have written."""
    directory = os.path.join(kiln.data, "instances", instance)
    os.makedirs(directory, exist_ok=True)
    uefi.write_store(directory, variables)
    return os.path.join(directory, "uefi-vars.fd")


def available(ec2, image):
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return image


def image_of(ec2, instance, name, **more):
    return available(ec2, ec2.create_image(InstanceId=instance, Name=name, **more)["ImageId"])


def test_RI_11_uefi_data_of_an_image(service):
    ec2 = service.client("ec2")
    plain, packed = uefi.encode(VARIABLES), uefi.encode(VARIABLES, uefi.dictionary())
    large = uefi.encode({"large": os.urandom(47000)})
    assert 62000 < len(large) <= 64000, len(large)
    for name, mode, data in (("plain", "uefi", plain), ("packed", "uefi-preferred", packed), ("large", "uefi", large)):
        image = register(service, name, BootMode=mode, UefiData=data)
        assert data_of(ec2, image) == data
        assert "UefiData" not in ec2.describe_images(ImageIds=[image])["Images"][0]
        copy = ec2.copy_image(Name=f"copy of {name}", SourceImageId=image, SourceRegion=service.region)["ImageId"]  # CP-3
        assert data_of(ec2, available(ec2, copy)) == data
    for mode in ("legacy-bios", None):
        more = {"BootMode": mode} if mode else {}
        request = {"Name": "wrong", "Architecture": "x86_64", "RootDeviceName": "/dev/xvda", "VirtualizationType": "hvm", **more}
        mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}]
        expect("InvalidParameterCombination", ec2.register_image, BlockDeviceMappings=mapping, UefiData=plain, **request)
    entries = b"\1" + bytes(7)
    for words, data in (
        ("64000", uefi.encode({"large": os.urandom(50000)})),
        ("Base64", "no base64"),
        ("AMZNUEFI", "AAAA"),
        ("check sum", plain[:-8] + ("A" if plain[-8] != "A" else "B") + plain[-7:]),
        ("version 7", uefi.seal(zlib.compress(bytes(8)), 7)),
        ("zlib stream", uefi.seal(zlib.compress(bytes(8))[:-1])),
        ("unpacks to more", uefi.seal(zlib.compress(bytes(64 << 20), 9)[:40000])),
        ("ends within", uefi.seal(zlib.compress(entries))),
        ("behind its end", uefi.seal(zlib.compress(bytes(8)) + b"\0")),
        ("empty", uefi.encode({"": b"x"})),
    ):
        message = expect("InvalidParameterValue", register, kiln=service, name="wrong", UefiData=data)
        assert "UefiData" in message and words in message, message
    expect("DryRunOperation", register, kiln=service, name="dry", UefiData=plain, DryRun=True)


def test_CI_10_an_image_takes_the_variables_of_its_instance(service):
    ec2 = service.client("ec2")
    given = uefi.encode(VARIABLES)
    source = register(service, "source", UefiData=given)
    instance = launch(ec2, source)
    assert data_of(ec2, image_of(ec2, instance, "before its first start", NoReboot=True)) == given
    path = put_store(service, instance, OWN)
    assert uefi.decode(data_of(ec2, image_of(ec2, instance, "running", NoReboot=True))) == OWN
    assert uefi.decode(data_of(ec2, image_of(ec2, instance, "rebooted"))) == OWN
    # What is told of it, or is in its image, can be given to another.
    told = ec2.get_instance_uefi_data(InstanceId=instance)["UefiData"]
    assert data_of(ec2, register(service, "told", UefiData=told)) == told
    with open(path, "r+b") as file:
        file.write(b"the guest wrote here")
    for more in ({"NoReboot": True}, {"NoReboot": False}, {"DryRun": True}):
        message = expect("IncorrectInstanceState", ec2.create_image, InstanceId=instance, Name="damaged", **more)
        assert instance in message and "cannot be read" in message, message
    expect("IncorrectInstanceState", ec2.get_instance_uefi_data, InstanceId=instance)
    assert ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["damaged"]}])["Images"] == []


def test_CI_18_with_bios_there_are_none(service):
    ec2 = service.client("ec2")
    preferred = register(service, "preferred", BootMode="uefi-preferred", UefiData=uefi.encode(VARIABLES))
    instance = launch(ec2, preferred, "t2.nano")
    expect("UnsupportedOperation", ec2.get_instance_uefi_data, InstanceId=instance)
    assert data_of(ec2, image_of(ec2, instance, "with bios", NoReboot=True)) is None
    answer = query(service, "CreateImage", {"InstanceId": instance, "Name": "overridden", "NoReboot": "true", "BootModeOverride": "uefi"})
    assert data_of(ec2, available(ec2, answer.texts("imageId")[0])) is None


if __name__ == "__main__":
    kiln_test.main()
