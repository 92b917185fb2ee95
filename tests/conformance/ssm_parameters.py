#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An account's own parameters with boto3 and aws: put, read by version and path, deleted, and launched by."""

import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

IMAGE = "aws:ec2:image"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def name(start="/"):
    return start + uuid.uuid4().hex[:20]


def put(ssm, parameter, value, **more):
    return ssm.put_parameter(**({"Name": parameter, "Value": value, "Type": "String"} | more))["Version"]


def test_PAR_5_a_parameter_has_versions(service):
    ssm, parameter = service.client("ssm"), name()
    assert put(ssm, parameter, "one", Description="a text") == 1
    assert "already exists" in expect("ParameterAlreadyExists", ssm.put_parameter, Name=parameter, Value="two", Type="String")
    for number, value in ((2, "two"), (3, "three")):
        told = ssm.put_parameter(Name=parameter, Value=value, Overwrite=True)
        assert (told["Version"], told["Tier"]) == (number, "Standard")
    got = ssm.get_parameter(Name=parameter)["Parameter"]
    assert (got["Value"], got["Version"], got["Type"], got["DataType"]) == ("three", 3, "String", "text")
    assert got["ARN"] == f"arn:aws:ssm:{service.region}:{service.number}:parameter{parameter}"
    first = ssm.get_parameter(Name=parameter + ":1")["Parameter"]
    assert (first["Value"], first["Selector"]) == ("one", ":1")
    expect("ParameterVersionNotFound", ssm.get_parameter, Name=parameter + ":4")
    service.restart()
    ssm = service.client("ssm")
    assert ssm.get_parameter(Name=parameter + ":2")["Parameter"]["Value"] == "two"
    told = ssm.get_parameters(Names=[parameter, name()])
    assert [found["Value"] for found in told["Parameters"]] == ["three"] and len(told["InvalidParameters"]) == 1
    ssm.delete_parameter(Name=parameter)
    expect("ParameterNotFound", ssm.get_parameter, Name=parameter)
    expect("ParameterNotFound", ssm.delete_parameter, Name=parameter)
    assert put(ssm, parameter, "again") == 1
    assert service.aws("ssm", "put-parameter", "--name", parameter, "--value", "cli", "--overwrite")["Version"] == 2
    assert service.aws("ssm", "get-parameter", "--name", parameter)["Parameter"]["Value"] == "cli"
    service.aws("ssm", "delete-parameter", "--name", parameter)


def test_PAR_5_the_last_hundred_versions_are_kept(service):
    ssm, parameter = service.client("ssm"), name("plain")
    for number in range(1, 103):
        assert put(ssm, parameter, str(number), Overwrite=True) == number
    expect("ParameterVersionNotFound", ssm.get_parameter, Name=parameter + ":2")
    assert ssm.get_parameter(Name=parameter + ":3")["Parameter"]["Value"] == "3"


def test_PAR_5_a_parameter_is_of_one_account_in_one_region(service):
    ssm, parameter = service.client("ssm"), name()
    put(ssm, parameter, "mine")
    for other in (service.account("other").client("ssm"), service.client("ssm", "eu-west-1")):
        expect("ParameterNotFound", other.get_parameter, Name=parameter)
        expect("ParameterNotFound", other.delete_parameter, Name=parameter)
        assert other.get_parameters_by_path(Path="/", Recursive=True)["Parameters"] == []
        assert put(other, parameter, "other") == 1
        other.delete_parameter(Name=parameter)
    assert ssm.get_parameter(Name=parameter)["Parameter"]["Value"] == "mine"


def test_PAR_5_by_path(service):
    ssm, top = service.account("paths").client("ssm"), name()
    for parameter in (f"{top}/a", f"{top}/b", f"{top}/deep/c", name(), name("plain")):
        put(ssm, parameter, "x")

    def found(**request):
        return [parameter["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(**request) for parameter in page["Parameters"]]

    assert found(Path=top) == [f"{top}/a", f"{top}/b"]
    assert found(Path=top + "/", Recursive=True) == [f"{top}/a", f"{top}/b", f"{top}/deep/c"]
    assert len(found(Path="/", Recursive=True)) == 4
    assert found(Path=top, Recursive=True, PaginationConfig={"PageSize": 1}) == [f"{top}/a", f"{top}/b", f"{top}/deep/c"]


def test_PAR_6_PAR_7_a_parameter_names_an_image_and_launches_it(service):
    ssm, ec2, parameter = service.client("ssm"), service.client("ec2"), name()
    assert put(ssm, parameter, service.image, DataType=IMAGE) == 1
    copy = ec2.copy_image(Name=name("image"), SourceImageId=service.image, SourceRegion=service.region)["ImageId"]
    assert put(ssm, parameter, copy, Overwrite=True, DataType=IMAGE) == 2
    assert ssm.get_parameter(Name=parameter)["Parameter"]["DataType"] == IMAGE
    for selector, image in (("", copy), (":1", service.image)):
        launched = ec2.run_instances(ImageId=f"resolve:ssm:{parameter}{selector}", MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
        assert launched["ImageId"] == image
    expect("InvalidParameterValue", ec2.run_instances, ImageId=f"resolve:ssm:{parameter}:3", MinCount=1, MaxCount=1, InstanceType="t3.micro")
    other = service.account("launcher").client("ec2")
    expect("InvalidParameterValue", other.run_instances, ImageId=f"resolve:ssm:{parameter}", MinCount=1, MaxCount=1, InstanceType="t3.micro")

    def refused(value):
        message = expect("ValidationException", ssm.put_parameter, Name=parameter, Value=value, Type="String", Overwrite=True)
        assert value in message

    for value in ("ami-x", "ami-0123456789abcdef0", "text"):
        refused(value)
    ec2.deregister_image(ImageId=copy)
    refused(copy)
    assert ssm.get_parameter(Name=parameter)["Parameter"]["Version"] == 2
    text = name()
    put(ssm, text, "no image")
    expect("InvalidAMIID.Malformed", ec2.run_instances, ImageId=f"resolve:ssm:{text}", MinCount=1, MaxCount=1, InstanceType="t3.micro")
    expect("ValidationException", ssm.put_parameter, Name=text, Value=service.image, Overwrite=True, DataType=IMAGE)


def test_PAR_5_bad_requests_change_nothing(service):
    ssm = service.client("ssm")
    for bad in ("", "a b", "ä", "/a//b", "/a/", "a/b", "x" * 1012, "aws-x", "/AWS/x", "/ssm/x", "ssm"):
        if bad:
            expect("ValidationException", ssm.put_parameter, Name=bad, Value="x", Type="String")
    expect("HierarchyLevelLimitExceededException", ssm.put_parameter, Name="/a" * 16, Value="x", Type="String")
    expect("ValidationException", ssm.put_parameter, Name=name(), Value="x" * 4097, Type="String")
    expect("ValidationException", ssm.put_parameter, Name=name(), Value="x")
    expect("ValidationException", ssm.put_parameter, Name=name(), Value="x", Type="String", DataType="aws:other")
    expect("UnsupportedParameterType", ssm.put_parameter, Name=name(), Value="x", Type="SecureString")
    for more in ({"KeyId": "x"}, {"AllowedPattern": "x*"}, {"Tags": [{"Key": "a", "Value": "b"}]}, {"Tier": "Advanced"}, {"Policies": "[]"}):
        expect("UnsupportedOperation", ssm.put_parameter, Name=name(), Value="x", Type="String", **more)
    expect("ParameterNotFound", ssm.delete_parameter, Name="/aws/service/x")
    assert put(ssm, "/a" * 15, "x") == 1


if __name__ == "__main__":
    kiln_test.main()
