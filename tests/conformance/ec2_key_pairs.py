#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Key pairs with boto3, aws, ssh-keygen, openssl and puttygen; and launches with a key, user data and metadata options."""

import base64
import hashlib
import os
import subprocess
import shutil
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from kiln_test import AwsError, Skip  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def tool(*command, data=None):
    """Runs a program and returns its output as bytes; skips when it is absent."""
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout


def colons(digest):
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def write(kiln, text):
    path = os.path.join(kiln.home, uuid.uuid4().hex)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
    return path


def own_key(kiln, *options):
    """A pair that ssh-keygen makes; the path of its private half."""
    path = os.path.join(kiln.home, uuid.uuid4().hex)
    tool("ssh-keygen", "-q", "-N", "", "-C", "me@here", "-f", path, *options)
    return path


def public_half(path):
    with open(path + ".pub", "rb") as file:
        return file.read()


def described(ec2, name):
    (pair,) = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    return pair


def name():
    return "k" + uuid.uuid4().hex


def refused(call, code, message=None):
    try:
        call()
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, found
        assert message is None or found["Message"] == message, found
        return
    raise AssertionError(f"{code} was expected")


def test_KP_2_KP_3_an_rsa_pair_works_with_ssh_keygen_and_openssl(service):
    ec2 = service.client("ec2")
    key = name()
    made = ec2.create_key_pair(KeyName=key)
    assert made["KeyName"] == key and made["KeyPairId"].startswith("key-")
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    path = write(service, made["KeyMaterial"])
    assert tool("ssh-keygen", "-lf", path).startswith(b"2048 SHA256:")
    der = tool("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", path, "-outform", "DER")
    assert made["KeyFingerprint"] == colons(hashlib.sha1(der).hexdigest())
    pair = described(ec2, key)
    assert pair["KeyType"] == "rsa" and pair["KeyFingerprint"] == made["KeyFingerprint"]
    assert pair["PublicKey"].split() == tool("ssh-keygen", "-yf", path).decode().split() + [key]
    assert abs(pair["CreateTime"].timestamp() - time.time()) < 120
    assert "PublicKey" not in ec2.describe_key_pairs(KeyNames=[key])["KeyPairs"][0]


def test_KP_2_KP_3_an_ed25519_pair_works_with_ssh_keygen(service):
    ec2 = service.client("ec2")
    key = name()
    made = ec2.create_key_pair(KeyName=key, KeyType="ed25519", KeyFormat="pem")
    path = write(service, made["KeyMaterial"])
    listed = tool("ssh-keygen", "-lf", path).decode().split()
    assert listed[0] == "256" and listed[2] == key and listed[1] == "SHA256:" + made["KeyFingerprint"].rstrip("=")
    assert len(base64.b64decode(made["KeyFingerprint"])) == 32
    assert described(ec2, key)["PublicKey"] == tool("ssh-keygen", "-yf", path).decode().strip()
    assert described(ec2, key)["KeyType"] == "ed25519"
    signed = write(service, "text")
    tool("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", path, signed)
    with open(signed + ".sig", "rb") as signature:
        assert b"SSH SIGNATURE" in signature.read()


def test_KP_2_keys_for_putty_are_read_by_puttygen(service):
    ec2 = service.client("ec2")
    for kind in ("rsa", "ed25519"):
        key = name()
        made = ec2.create_key_pair(KeyName=key, KeyType=kind, KeyFormat="ppk")
        path = write(service, made["KeyMaterial"])
        public = described(ec2, key)["PublicKey"].split()
        assert tool("puttygen", path, "-L").decode().split() == public
        tool("puttygen", path, "-O", "private-openssh", "-o", path + ".openssh")
        assert tool("ssh-keygen", "-yf", path + ".openssh").decode().split()[:2] == public[:2]


def test_KP_4_keys_are_imported_in_every_format(service):
    ec2 = service.client("ec2")
    for options in (["-t", "rsa", "-b", "2048"], ["-t", "rsa", "-b", "3072"], ["-t", "ed25519"]):
        path = own_key(service, *options)
        line = public_half(path)
        materials = [line, tool("ssh-keygen", "-e", "-f", path + ".pub")]
        if options[1] == "rsa":
            pem = tool("ssh-keygen", "-e", "-m", "PKCS8", "-f", path + ".pub")
            der = tool("openssl", "pkey", "-pubin", "-outform", "DER", data=pem)
            materials += [pem, base64.b64encode(der)]
            fingerprint = colons(hashlib.md5(der).hexdigest())
        else:
            fingerprint = base64.b64encode(hashlib.sha256(base64.b64decode(line.split()[1])).digest()).decode()
        for material in materials:
            key = name()
            made = ec2.import_key_pair(KeyName=key, PublicKeyMaterial=material)
            assert made["KeyFingerprint"] == fingerprint and made["KeyName"] == key
            pair = described(ec2, key)
            assert pair["PublicKey"].split() == [*line.decode().split()[:2], key]
            assert pair["KeyType"] == options[1] and pair["KeyPairId"] == made["KeyPairId"]


def test_KP_4_what_is_no_usable_key_is_refused(service):
    ec2 = service.client("ec2")
    good = public_half(own_key(service, "-t", "ed25519"))
    ecdsa = public_half(own_key(service, "-t", "ecdsa"))
    with open(own_key(service, "-t", "ed25519"), "rb") as file:
        private = file.read()
    for material in (b"hello", b"ssh-rsa AAAA", ecdsa, private, good[:-40], good + good):
        refused(
            lambda m=material: ec2.import_key_pair(KeyName=name(), PublicKeyMaterial=m),
            "InvalidKey.Format",
            "Key is not in valid OpenSSH public key format",
        )
    refused(lambda: ec2.import_key_pair(KeyName=name(), PublicKeyMaterial=b""), "MissingParameter")


def test_KP_1_names(service):
    ec2 = service.client("ec2")
    key = name()
    material = public_half(own_key(service, "-t", "ed25519"))
    ec2.import_key_pair(KeyName=key, PublicKeyMaterial=material)
    text = f"The keypair '{key}' already exists."
    refused(lambda: ec2.create_key_pair(KeyName=key), "InvalidKeyPair.Duplicate", text)
    refused(lambda: ec2.import_key_pair(KeyName=key, PublicKeyMaterial=material), "InvalidKeyPair.Duplicate", text)
    service.client("ec2", region="eu-west-1").import_key_pair(KeyName=key, PublicKeyMaterial=material)
    refused(lambda: ec2.create_key_pair(KeyName=""), "MissingParameter")
    for bad in ("x" * 256, " x", "x ", "a\nb", "ä"):
        refused(lambda n=bad: ec2.create_key_pair(KeyName=n), "InvalidParameterValue")
    ec2.import_key_pair(KeyName=f"{key} (x) [y] 'z' & <w>", PublicKeyMaterial=material)
    refused(lambda: ec2.create_key_pair(KeyName=name(), KeyType="dsa"), "InvalidParameterValue")
    refused(lambda: ec2.create_key_pair(KeyName=name(), KeyFormat="der"), "InvalidParameterValue")


def test_KP_6_pairs_are_found_by_name_id_filter_and_tag(service):
    ec2 = service.client("ec2", region="us-west-2")
    material = public_half(own_key(service, "-t", "ed25519"))
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "team", "Value": "red"}]}]
    first = ec2.import_key_pair(KeyName="one", PublicKeyMaterial=material, TagSpecifications=tags)
    ec2.import_key_pair(KeyName="two", PublicKeyMaterial=material)
    assert first["Tags"] == [{"Key": "team", "Value": "red"}]

    def names(**query):
        return [pair["KeyName"] for pair in ec2.describe_key_pairs(**query)["KeyPairs"]]

    assert names() == ["one", "two"]
    assert names(KeyPairIds=[first["KeyPairId"]]) == ["one"]
    assert names(KeyNames=["two", "one"]) == ["one", "two"]
    assert names(Filters=[{"Name": "key-name", "Values": ["t*"]}]) == ["two"]
    assert names(Filters=[{"Name": "tag:team", "Values": ["red"]}]) == ["one"]
    assert names(Filters=[{"Name": "fingerprint", "Values": [first["KeyFingerprint"]]}]) == ["one", "two"]
    refused(
        lambda: names(KeyNames=["one", "none"]), "InvalidKeyPair.NotFound", "The key pair 'none' does not exist"
    )  # fmt: skip
    refused(lambda: names(KeyPairIds=["key-0123456789abcdef0"]), "InvalidKeyPair.NotFound")
    refused(lambda: names(KeyPairIds=["kp"]), "InvalidParameterValue")
    refused(lambda: names(Filters=[{"Name": "nothing", "Values": ["x"]}]), "InvalidParameterValue")
    assert service.client("ec2", region="eu-north-1").describe_key_pairs()["KeyPairs"] == []


def test_KP_7_deleting_again_succeeds(service):
    ec2 = service.client("ec2")
    key = name()
    made = ec2.create_key_pair(KeyName=key, KeyType="ed25519")
    refused(lambda: ec2.delete_key_pair(KeyName=key, DryRun=True), "DryRunOperation")
    answers = []
    ec2.meta.events.register("after-call.ec2.DeleteKeyPair", lambda http_response, **_: answers.append(http_response.content))
    ec2.delete_key_pair(KeyName=key)
    ec2.delete_key_pair(KeyName=key)
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    # Older clients do not know these members, so the answers are read as they come.
    assert all(b"<return>true</return>" in answer for answer in answers) and len(answers) == 3
    assert [made["KeyPairId"].encode() in answer for answer in answers] == [True, False, False]
    refused(lambda: described(ec2, key), "InvalidKeyPair.NotFound")
    refused(ec2.delete_key_pair, "MissingParameter")
    ec2.create_key_pair(KeyName=key, KeyType="ed25519")
    ec2.get_waiter("key_pair_exists").wait(KeyNames=[key], WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_KP_2_a_dry_run_makes_nothing(service):
    ec2 = service.client("ec2")
    key = name()
    refused(lambda: ec2.create_key_pair(KeyName=key, DryRun=True), "DryRunOperation")
    refused(lambda: described(ec2, key), "InvalidKeyPair.NotFound")


def test_the_aws_client_makes_and_imports_pairs(service):
    key = name()
    made = service.aws("ec2", "create-key-pair", "--key-name", key, "--key-type", "ed25519", "--key-format", "pem")
    path = write(service, made["KeyMaterial"])
    assert tool("ssh-keygen", "-lf", path).startswith(b"256 ")
    own = own_key(service, "-t", "ed25519")
    imported = service.aws(
        "ec2", "import-key-pair", "--key-name", key + "i", "--public-key-material", f"fileb://{own}.pub",
        "--tag-specifications", "ResourceType=key-pair,Tags=[{Key=a,Value=b}]",
    )  # fmt: skip
    assert imported["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = service.aws("ec2", "describe-key-pairs", "--include-public-key", "--key-names", key + "i")
    assert listed["KeyPairs"][0]["PublicKey"].split()[1] == public_half(own).decode().split()[1]
    service.aws("ec2", "delete-key-pair", "--key-name", key)
    try:
        service.aws("ec2", "describe-key-pairs", "--key-names", key)
    except AwsError as error:
        assert error.code == "InvalidKeyPair.NotFound"
    else:
        raise AssertionError("the pair is still there")


def test_KP_8_pairs_outlive_a_restart_and_no_file_holds_a_private_key(service):
    ec2 = service.client("ec2")
    key = name()
    made = ec2.create_key_pair(KeyName=key)
    service.restart()
    assert described(service.client("ec2"), key)["KeyFingerprint"] == made["KeyFingerprint"]
    secret = made["KeyMaterial"].splitlines()[3].encode()
    for folder, _, files in os.walk(service.home):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.isfile(path) and os.path.getsize(path) < 64 << 20:
                with open(path, "rb") as content:
                    assert secret not in content.read(), path


def launch(ec2, image, **more):
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)
    return made["Instances"][0]


def instance(ec2, instance_id):
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def test_RUN_6_a_launch_names_a_pair(service):
    ec2 = service.client("ec2")
    key = name()
    text = f"The key pair '{key}' does not exist"
    refused(lambda: launch(ec2, service.image, KeyName=key), "InvalidKeyPair.NotFound", text)
    ec2.create_key_pair(KeyName=key, KeyType="ed25519")
    made = launch(ec2, service.image, KeyName=key)
    assert made["KeyName"] == key
    ec2.delete_key_pair(KeyName=key)
    assert instance(ec2, made["InstanceId"])["KeyName"] == key
    found = ec2.describe_instances(Filters=[{"Name": "key-name", "Values": [key]}])["Reservations"]
    assert len(found) == 1
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


def test_RUN_4_user_data_are_base64_and_at_most_16_kib(service):
    ec2 = service.client("ec2")
    made = launch(ec2, service.image, UserData=b"\0" * 16384)
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    refused(
        lambda: launch(ec2, service.image, UserData=b"x" * 16385),
        "InvalidParameterValue",
        "User data is limited to 16384 bytes",
    )
    def raw(params, **_):
        params["body"]["UserData"] = "not base64!"

    ec2.meta.events.register("before-call.ec2.RunInstances", raw)
    refused(
        lambda: launch(ec2, service.image), "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."
    )


def test_IMDS_4_metadata_options_at_launch_and_later(service):
    ec2 = service.client("ec2")
    plain = launch(ec2, service.image)
    defaults = {
        "HttpTokens": "optional", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled", "InstanceMetadataTags": "disabled",
    }  # fmt: skip
    assert plain["MetadataOptions"] == {"State": "pending", **defaults}
    ec2.get_waiter("instance_running").wait(InstanceIds=[plain["InstanceId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert instance(ec2, plain["InstanceId"])["MetadataOptions"] == {"State": "applied", **defaults}

    changed = ec2.modify_instance_metadata_options(
        InstanceId=plain["InstanceId"], HttpTokens="required", HttpPutResponseHopLimit=2, InstanceMetadataTags="enabled"
    )
    expected = {**defaults, "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"}
    assert changed["InstanceId"] == plain["InstanceId"]
    assert changed["InstanceMetadataOptions"] == {"State": "pending", **expected}
    ec2.modify_instance_metadata_options(InstanceId=plain["InstanceId"], HttpEndpoint="disabled")
    expected["HttpEndpoint"] = "disabled"
    assert instance(ec2, plain["InstanceId"])["MetadataOptions"] == {"State": "applied", **expected}

    chosen = launch(ec2, service.image, MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 64})
    assert chosen["MetadataOptions"]["HttpTokens"] == "required"
    assert chosen["MetadataOptions"]["HttpPutResponseHopLimit"] == 64
    ec2.terminate_instances(InstanceIds=[plain["InstanceId"], chosen["InstanceId"]])


def test_IMDS_4_IMDS_11_bad_metadata_options_are_refused(service):
    ec2 = service.client("ec2")
    for options, code in (
        ({"HttpPutResponseHopLimit": 0}, "InvalidParameterValue"),
        ({"HttpPutResponseHopLimit": 65}, "InvalidParameterValue"),
        ({"HttpTokens": "always"}, "InvalidParameterValue"),
        ({"HttpProtocolIpv6": "enabled"}, "UnsupportedOperation"),
    ):
        refused(lambda o=options: launch(ec2, service.image, MetadataOptions=o), code)
        refused(lambda o=options: ec2.modify_instance_metadata_options(InstanceId="i-12345678", **o), code)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "a key", "Value": "x"}]}]
    refused(
        lambda: launch(ec2, service.image, TagSpecifications=tags, MetadataOptions={"InstanceMetadataTags": "enabled"}),
        "InvalidParameterValue",
    )
    made = launch(ec2, service.image, TagSpecifications=tags)["InstanceId"]
    refused(
        lambda: ec2.modify_instance_metadata_options(InstanceId=made, InstanceMetadataTags="enabled"), "InvalidParameterValue"
    )
    refused(lambda: ec2.modify_instance_metadata_options(InstanceId=made), "InvalidParameterCombination")
    refused(
        lambda: ec2.modify_instance_metadata_options(InstanceId=made, HttpTokens="required", DryRun=True), "DryRunOperation"
    )
    refused(
        lambda: ec2.modify_instance_metadata_options(InstanceId="i-12345678", HttpTokens="required"),
        "InvalidInstanceID.NotFound",
    )
    refused(
        lambda: ec2.modify_instance_metadata_options(InstanceId="x", HttpTokens="required"), "InvalidInstanceID.Malformed"
    )
    ec2.terminate_instances(InstanceIds=[made])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    refused(
        lambda: ec2.modify_instance_metadata_options(InstanceId=made, HttpTokens="required"), "IncorrectInstanceState"
    )


if __name__ == "__main__":
    kiln_test.main()
