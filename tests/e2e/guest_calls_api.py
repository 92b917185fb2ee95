#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A guest calls the API with the keys of its instance profile: its metadata service gives them, 169.254.169.80 takes them. Once
with a request signed by botocore and sent from the tiny guest, and once with boto3 itself, unmodified, in a Debian guest."""

import base64
import io
import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import boto3  # noqa: E402
import kiln_test  # noqa: E402
from botocore import auth, awsrequest, credentials  # noqa: E402
from kiln_test import Kiln, Skip, wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

API = "169.254.169.80"
BOOT_SECONDS = 180
DEBIAN_SECONDS = 600
TRUST = json.dumps({"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}})  # fmt: skip
KEYS = """
t=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nContent-Length: 0\\r\\n\\r\\n' |
    nc -w 5 169.254.169.254 80 | tr -d '\\r' | tail -n 1)
get() { timeout 10 wget -q -O - --header "X-aws-ec2-metadata-token: $t" http://169.254.169.254/latest/meta-data/$1; }
get iam/security-credentials/$(get iam/security-credentials/)
"""
IN_GUEST = """
import boto3, json, urllib.request
ask = urllib.request.Request("http://169.254.169.254/latest/api/token", method="PUT",
                             headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
token = {"X-aws-ec2-metadata-token": urllib.request.urlopen(ask, timeout=10).read().decode()}
ask = urllib.request.Request("http://169.254.169.254/latest/meta-data/placement/region", headers=token)
region = urllib.request.urlopen(ask, timeout=10).read().decode()
def client(name):
    return boto3.client(name, region_name=region, endpoint_url="http://169.254.169.80")
said = {"region": region, "who": client("sts").get_caller_identity()["Arn"]}
ec2 = client("ec2")
said["instances"] = [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
try:
    ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
except ec2.exceptions.ClientError as error:
    said["run"] = error.response["Error"]["Code"]
print(json.dumps(said))
"""


def import_image(kiln, path, boot_mode):
    return json.loads(kiln.run("import", path, "--boot-mode", boot_mode, "--name", os.path.basename(path), "--json", seconds=600).stdout)["imageId"]


class Guest:
    """An instance, launched by a template, with a profile whose role may describe and tag, its key, and a group that lets ssh in."""

    def __init__(self, kiln, image, user, instance_type="t3.nano"):
        self.kiln, self.ec2, self.user = kiln, kiln.client("ec2"), user
        iam = kiln.client("iam")
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
        allowed = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:CreateTags"], "Resource": "*"}]}  # fmt: skip
        iam.put_role_policy(RoleName="worker", PolicyName="allowed", PolicyDocument=json.dumps(allowed))
        iam.create_instance_profile(InstanceProfileName="worker")
        iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
        self.key = os.path.join(kiln.home, "key.pem")
        pair = kiln.aws("ec2", "create-key-pair", "--key-name", "me", "--key-type", "ed25519")
        with open(self.key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(pair["KeyMaterial"])
        self.group = self.ec2.create_security_group(GroupName="web", Description="of the test")["GroupId"]
        kiln.aws("ec2", "authorize-security-group-ingress", "--group-id", self.group, "--protocol", "tcp", "--port", "22",
                 "--cidr", "127.0.0.0/8")  # fmt: skip
        # LT-6: what the guest has and may do is what the template says.
        data = {
            "ImageId": image, "InstanceType": instance_type, "KeyName": "me", "SecurityGroupIds": [self.group],
            "IamInstanceProfile": {"Name": "worker"}, "MetadataOptions": {"HttpTokens": "required"},
        }  # fmt: skip
        self.ec2.create_launch_template(LaunchTemplateName="worker", LaunchTemplateData=data)
        by = {"LaunchTemplateName": "worker"}
        self.id = self.ec2.run_instances(LaunchTemplate=by, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

    def options(self):
        return ["-o", f"UserKnownHostsFile={self.kiln.home}/known_hosts", "-o", "StrictHostKeyChecking=accept-new", "-i", self.key]

    def ssh(self, command, check=True, seconds=120):
        done = self.kiln.run("ssh", *self.options(), f"{self.user}@{self.id}", "--", command, check=check, seconds=seconds)
        return done.stdout if check else done

    def forward(self):
        network = json.loads(self.kiln.run("inspect", self.id).stdout)["network"]
        return next(f for f in network["forwards"] if f["guestPort"] == 22)

    def keys(self):
        return json.loads(self.ssh(KEYS))

    def ask(self, path, body, keys=None):
        """Sends a request from the guest, signed with `keys`; the head of the answer and its body."""
        request = awsrequest.AWSRequest("POST", f"http://{API}{path}", data=body)
        request.headers["Host"] = API
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        request.headers["Content-Length"] = str(len(body))
        if keys:
            signer = credentials.Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
            auth.SigV4Auth(signer, "ec2", "us-east-1").add_auth(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        raw = base64.b64encode(f"POST {path} HTTP/1.0\r\n{head}\r\n{body}".encode()).decode()
        return self.ssh(f"echo {raw} | base64 -d | nc -w 10 {API} 80").partition("\n\n")[::2]

    def tag_of_itself(self):
        tags = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [self.id]}])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def describe(guest):
    head, body = guest.ask("/", "Action=DescribeInstances&Version=2016-11-15", guest.keys())
    assert " 200 " in head and f"<instanceId>{guest.id}</instanceId>" in body, (head, body)


def test_IAM_15_a_guest_calls_the_api_with_its_roles_keys():
    with Kiln("--guest-memory-cap", "192") as kiln:
        guest = Guest(kiln, import_image(kiln, kiln_test.tiny_image(), "legacy-bios"), "root")
        wait_until(lambda: "TINY READY" in kiln.serial(guest.id), BOOT_SECONDS, "the guest is ready")
        describe(guest)
        keys = guest.keys()
        assert keys["AccessKeyId"].startswith("ASIA"), keys
        tag = f"Action=CreateTags&Version=2016-11-15&ResourceId.1={guest.id}&Tag.1.Key=from&Tag.1.Value=inside"
        head, body = guest.ask("/", tag, keys)
        assert " 200 " in head and guest.tag_of_itself() == {"from": "inside"}, (head, body)
        head, body = guest.ask("/", f"Action=TerminateInstances&Version=2016-11-15&InstanceId.1={guest.id}", keys)
        assert " 403 " in head and "UnauthorizedOperation" in body and f"assumed-role/worker/{guest.id}" in body, (head, body)
        head, body = guest.ask("/", tag)
        assert " 403 " in head and "MissingAuthenticationToken" in body, (head, body)
        head, _ = guest.ask("/kiln/v1/operations", "", keys)
        assert " 404 " in head, head

        # Everything else of this host is closed: the API's own address and port first.
        port = kiln.endpoint.rpartition(":")[2]
        for address in ("127.0.0.1", "172.31.0.1", API):
            done = guest.ssh(f"nc -w 3 {address} {port} </dev/null && echo open || echo closed")
            assert "closed" in done, (address, done)

        # IAM-16: outbound rules hold for it.
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        guest.ec2.revoke_security_group_egress(GroupId=guest.group, IpPermissions=everything)
        done = guest.ssh(f"timeout 8 nc -w 5 {API} 80 </dev/null && echo open || echo closed")
        assert "closed" in done, done
        api = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": API + "/32"}]}]
        guest.ec2.authorize_security_group_egress(GroupId=guest.group, IpPermissions=api)
        describe(guest)

        # The daemon may come and go under the guest.
        kiln.kill9()
        kiln.start()
        guest.ec2 = kiln.client("ec2")
        describe(guest)
        guest.ec2.terminate_instances(InstanceIds=[guest.id])


def host_packages():
    """This host's boto3 and what it needs, as a tar file; of the services' data those that are asked for."""
    import botocore, dateutil, jmespath, s3transfer, six, urllib3  # noqa: E401 (only to find them)

    wanted = {"ec2", "sts", "endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"}

    def keep(entry):
        data = entry.name.partition("botocore/data/")[2]
        return None if "__pycache__" in entry.name or (data and data.split("/")[0] not in wanted) else entry

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for package in (boto3, botocore, dateutil, jmespath, s3transfer, urllib3):
            tar.add(os.path.dirname(package.__file__), package.__name__, filter=keep)
        tar.add(six.__file__, "six.py")
    return made.getvalue()


def test_IAM_15_boto3_works_in_a_debian_guest():
    disk = os.path.join(ROOT, "build/guests/debian-12.raw")
    if not os.path.exists(disk):
        raise Skip("make debian was not run")
    with Kiln("--guest-memory-cap", "512") as kiln:
        guest = Guest(kiln, import_image(kiln, disk, "uefi-preferred"), "admin", "t3.micro")
        wait_until(lambda: guest.ssh("true", check=False).returncode == 0, DEBIAN_SECONDS, "ssh answers", interval=2)
        forward = guest.forward()
        # `kiln ssh` has no input of its own in these tests.
        command = ["ssh", *guest.options(), "-p", str(forward["port"]), f"admin@{forward['address']}", "mkdir py && tar xzf - -C py"]
        subprocess.run(command, input=host_packages(), check=True, timeout=300, capture_output=True)
        with_script = base64.b64encode(IN_GUEST.encode()).decode()
        said = json.loads(guest.ssh(f"echo {with_script} | base64 -d | PYTHONPATH=py python3 -", seconds=300))
        account = kiln.client("sts").get_caller_identity()["Account"]
        assert said == {
            "region": "us-east-1", "who": f"arn:aws:sts::{account}:assumed-role/worker/{guest.id}",
            "instances": [guest.id], "run": "UnauthorizedOperation",
        }, said  # fmt: skip
        guest.ec2.terminate_instances(InstanceIds=[guest.id])


if __name__ == "__main__":
    kiln_test.main(seconds=1500)
