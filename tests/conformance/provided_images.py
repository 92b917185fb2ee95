#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The images a fresh service offers: found under the owner `amazon` and by their SSM parameters, launched by either, in every
region, by every account, also after a kill in the middle of their import."""

import contextlib
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

PARAMETER = "/aws/service/kiln/tiny-linux/latest/x86_64"
DEBIAN = "/aws/service/debian/release/12/latest/amd64"
MIB = 1 << 20


def write_image(folder, name, parameter, size=4 * MIB, version="1", **more):
    with open(os.path.join(folder, f"{name}.raw"), "wb") as disk:
        disk.write(os.urandom(64 << 10))
        disk.truncate(size)
    manifest = {"name": name, "version": version, "disk": f"{name}.raw", "parameter": parameter, "description": name, **more}
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="ascii") as file:
        json.dump(manifest, file)


@contextlib.contextmanager
def two_images():
    with tempfile.TemporaryDirectory() as path:
        write_image(path, "tiny-linux", PARAMETER, architecture="x86_64", boot_mode="uefi-preferred")
        write_image(path, "debian-12-amd64", DEBIAN)
        yield path


@kiln_test.fixture
def service():
    with two_images() as path:
        with kiln_test.Kiln("--hypervisor", "fake", "--provided-images", path) as kiln:
            wait_for_images(kiln)
            yield kiln


def provided(kiln, region="us-east-1"):
    return {image["Name"]: image for image in kiln.client("ec2", region).describe_images(Owners=["amazon"])["Images"]}


def wait_for_images(kiln, count=2, region="us-west-2"):
    wait_until(lambda: len(provided(kiln, region)) == count, 30, "the images are there", interval=0.05)


def test_PRV_1_a_fresh_service_offers_images_to_every_account_in_every_region(service):
    account = service.account()
    ids = set()
    for region in ("us-east-1", "eu-west-1", "ap-southeast-2"):
        ec2 = account.client("ec2", region)
        images = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["tiny-linux-*"]}])["Images"]
        image = images[0]
        assert len(images) == 1 and image["Public"] and image["ImageOwnerAlias"] == "amazon", images
        assert image["ImageLocation"] == "amazon/tiny-linux-1" and image["BootMode"] == "uefi-preferred", image
        ids.add(image["ImageId"])
        made = ec2.run_instances(ImageId=image["ImageId"], InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
        assert made["ImageId"] == image["ImageId"]
        message = expect("AuthFailure", ec2.deregister_image, ImageId=image["ImageId"])
        assert image["ImageId"] in message, message
    assert len(ids) == 3


def test_DI_7_the_filter_owner_alias_finds_those_that_have_one(service):
    ec2 = service.client("ec2")
    disk = os.path.join(service.home, "own.raw")
    with open(disk, "wb") as file:
        file.truncate(MIB)
    made = json.loads(service.run("import", disk, "--name", "own", "--json").stdout)["imageId"]
    alias = {image["ImageId"]: image.get("ImageOwnerAlias") for image in ec2.describe_images()["Images"]}
    assert alias[made] is None and list(alias.values()).count("amazon") == len(alias) - 1 == 2, alias

    def found(*values):
        return {image["ImageId"] for image in ec2.describe_images(Filters=[{"Name": "owner-alias", "Values": list(values)}])["Images"]}

    assert found("amazon") == found("am*", "self") == found("*") == set(alias) - {made}, "an ordinary account has none"
    assert found("self") == found("aws-marketplace") == found("Amazon") == found("137112412989") == set()
    ec2.deregister_image(ImageId=made)


def test_PRV_5_an_administrator_provides_an_image(service):
    parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    disk = os.path.join(service.home, "ubuntu.raw")
    with open(disk, "wb") as file:
        file.truncate(MIB)
    words = ["import", disk, "--name", "ubuntu-24.04-20240423", "--provide", parameter, "--json"]
    account = service.account()
    refused = account.run(*words, check=False)
    assert refused.returncode == 1 and "UnauthorizedOperation" in refused.stderr, refused
    wrong = service.run(*words[:5], "/mine/ubuntu", check=False)
    assert wrong.returncode == 1 and "below /aws/service/" in wrong.stderr, wrong
    made = json.loads(service.run(*words).stdout)
    for region in ("us-east-1", "eu-north-1"):
        image = provided(service, region)["ubuntu-24.04-20240423"]
        assert image["Public"] and image["ImageOwnerAlias"] == "amazon", image
        assert service.client("ssm", region).get_parameter(Name=parameter)["Parameter"]["Value"] == image["ImageId"]
    assert provided(service)["ubuntu-24.04-20240423"]["ImageId"] == made["imageId"]


def test_PRV_6_a_recipe_makes_one_and_provides_it():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        build_tiny_linux(kiln)


def build_tiny_linux(service):
    assert "images build tiny-linux" in service.run("images", "list").stderr, "it says what to do"
    work = os.path.join(service.home, "cache/kiln/images")
    os.makedirs(work)
    os.symlink(os.path.join(ROOT, "build/guests/cache"), os.path.join(work, "cache"))  # the packages are there
    made = service.run("images", "build", "tiny-linux")
    image = made.stdout.split("image")[1].split()[0]
    listed = {entry["imageId"]: entry for entry in json.loads(service.run("images", "list", "--json").stdout)["images"]}
    assert listed[image]["parameter"] == PARAMETER and listed[image]["version"] == 1, listed
    assert provided(service)[listed[image]["name"]]["BootMode"] == "uefi-preferred"
    assert PARAMETER in service.run("images", "list").stdout
    again = service.run("images", "build", "tiny-linux", check=False)
    assert again.returncode == 1 and "InvalidAMIName.Duplicate" in again.stderr, again
    unknown = service.run("images", "build", "windows-95", check=False)
    assert unknown.returncode == 1 and "tiny-linux, debian-12" in unknown.stderr, unknown


def test_PAR_1_PAR_3_parameters_name_them(service):
    ssm = service.client("ssm", "eu-west-1")
    images = provided(service, "eu-west-1")
    parameter = ssm.get_parameter(Name=PARAMETER)["Parameter"]
    assert parameter["Value"] == images["tiny-linux-1"]["ImageId"], parameter
    assert parameter["Type"] == "String" and parameter["Version"] == 1 and parameter["DataType"] == "aws:ec2:image", parameter
    assert parameter["ARN"] == f"arn:aws:ssm:eu-west-1::parameter{PARAMETER}"
    assert parameter["LastModifiedDate"].year >= 2024
    assert ssm.get_parameter(Name=PARAMETER + ":1")["Parameter"]["Selector"] == ":1"
    both = ssm.get_parameters(Names=[DEBIAN, "/aws/service/none", PARAMETER])
    assert [p["Value"] for p in both["Parameters"]] == [images["debian-12-amd64-1"]["ImageId"], parameter["Value"]]
    assert both["InvalidParameters"] == ["/aws/service/none"]


def test_PAR_4_a_path_lists_them_by_pages(service):
    ssm = service.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/aws/service", Recursive=True, PaginationConfig={"PageSize": 1})
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    assert names == sorted(names) and {DEBIAN, PARAMETER} <= set(names), names
    assert ssm.get_parameters_by_path(Path="/aws/service")["Parameters"] == []
    assert len(ssm.get_parameters_by_path(Path=os.path.dirname(DEBIAN))["Parameters"]) == 1


def test_PAR_mistakes_are_told(service):
    ssm = service.client("ssm")
    assert PARAMETER[:-1] in expect("ParameterNotFound", ssm.get_parameter, Name=PARAMETER[:-1])
    expect("ParameterVersionNotFound", ssm.get_parameter, Name=PARAMETER + ":2")
    expect("ValidationException", ssm.get_parameters_by_path, Path="aws")
    expect("ValidationException", ssm.get_parameters_by_path, Path="/", MaxResults=11)
    expect("ValidationException", ssm.get_parameters, Names=[PARAMETER, PARAMETER])
    message = expect("UnsupportedOperation", ssm.describe_parameters)
    assert "DescribeParameters" in message, message
    expect("ValidationException", ssm.put_parameter, Name=PARAMETER, Value="1", Type="String", Overwrite=True)
    stranger = service.client("ssm", access_key="AKIAMADEUPMADEUP0000", secret_key="made up")
    expect("UnrecognizedClientException", stranger.get_parameter, Name=PARAMETER)


def test_RUN_14_a_launch_names_a_parameter(service):
    ec2 = service.client("ec2", "eu-west-1")
    image = provided(service, "eu-west-1")["debian-12-amd64-1"]["ImageId"]
    for name in (DEBIAN, DEBIAN + ":1"):
        made = ec2.run_instances(ImageId=f"resolve:ssm:{name}", InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
        assert made["ImageId"] == image
    run = {"InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1}
    assert "/no/such" in expect("InvalidParameterValue", ec2.run_instances, ImageId="resolve:ssm:/no/such", **run)
    out = service.aws("ssm", "get-parameter", "--name", DEBIAN, region="eu-west-1")
    assert out["Parameter"]["Value"] == image


def test_PRV_2_nothing_is_provided_twice_and_a_new_version_is():
    with two_images() as folder, kiln_test.Kiln("--hypervisor", "fake", "--provided-images", folder) as kiln:
        wait_for_images(kiln)
        first = provided(kiln)
        write_image(folder, "tiny-linux", PARAMETER, version="2")
        kiln.restart()
        wait_for_images(kiln, 3)
        now = provided(kiln)
        assert {name: now[name]["ImageId"] for name in first} == {name: image["ImageId"] for name, image in first.items()}
        ssm = kiln.client("ssm")
        assert ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"] == now["tiny-linux-2"]["ImageId"]
        assert ssm.get_parameter(Name=PARAMETER)["Parameter"]["Version"] == 2
        assert ssm.get_parameter(Name=PARAMETER + ":1")["Parameter"]["Value"] == first["tiny-linux-1"]["ImageId"]


def test_PRV_3_a_kill_in_the_middle_leaves_nothing_half_made():
    with two_images() as folder:
        with open(os.path.join(folder, "debian-12-amd64.raw"), "wb") as disk:
            for _ in range(256):
                disk.write(os.urandom(MIB))
        with kiln_test.Kiln("--hypervisor", "fake", "--provided-images", folder) as kiln:
            wait_until(lambda: os.listdir(os.path.join(kiln.data, "layers")), 30, "the import has begun", interval=0.001)
            kiln.kill9()
            kiln.start()
            wait_for_images(kiln)
            for region in ("us-east-1", "sa-east-1"):
                assert sorted(provided(kiln, region)) == ["debian-12-amd64-1", "tiny-linux-1"]


if __name__ == "__main__":
    kiln_test.main()
