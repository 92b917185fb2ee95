#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packer, unmodified, Debian's and the current one: amazon-ebs bakes the provided tiny Linux over ssh, and what it made boots."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402
from kiln_test.refusals import expect  # noqa: E402

BOOT_SECONDS = 240
RECIPES = os.path.join(ROOT, "docs/recipes")
CURRENT = os.path.join(ROOT, "build/packer")


class Packer:
    """A program and the recipe for it, as it stands in the documentation."""

    def __init__(self, kiln, program, template, config):
        self.kiln, self.program, self.template, self.config = kiln, program, os.path.join(RECIPES, template), config

    def build(self, *variables):
        environment = clean_environment(
            HOME=self.kiln.home, CHECKPOINT_DISABLE="1", AWS_ENDPOINT_URL=self.kiln.endpoint, AWS_ACCESS_KEY_ID=self.kiln.access_key,
            AWS_SECRET_ACCESS_KEY=self.kiln.secret_key, PACKER_CONFIG_DIR=self.config,
        )  # fmt: skip
        command = [self.program, "build", "-color=false", *(word for variable in variables for word in ("-var", variable)), self.template]
        return subprocess.run(command, env=environment, cwd=self.kiln.home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900)


def bake_and_boot(program, template, config=None):
    with kiln_test.Kiln("--guest-memory-cap", "256", "--provided-images", os.path.join(ROOT, "build/guests")) as kiln:
        packer = Packer(kiln, program, template, config or kiln.home)
        ec2 = kiln.client("ec2")
        wait_until(lambda: ec2.describe_images(Owners=["amazon"])["Images"], 60, "an image is provided")
        done = packer.build("name=baked")
        assert done.returncode == 0, done.stdout + done.stderr
        (image,) = ec2.describe_images(Owners=["self"])["Images"]
        assert image["Name"] == "baked" and image["State"] == "available" and {"Key": "Made by", "Value": "Packer"} in image["Tags"]
        (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        assert image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == snapshot["SnapshotId"] and snapshot["Tags"] == image["Tags"]

        # It leaves nothing behind.
        states = [i["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        assert set(states) == {"terminated"} and not ec2.describe_key_pairs()["KeyPairs"] and not ec2.describe_volumes()["Volumes"]
        assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]

        # The same name again is refused before anything is made.
        again = packer.build("name=baked")
        assert again.returncode != 0 and "is used by an existing AMI" in again.stdout, again.stdout

        key = os.path.join(kiln.home, "key.pem")
        with open(key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(ec2.create_key_pair(KeyName="me", KeyType="ed25519")["KeyMaterial"])
        ec2.authorize_security_group_ingress(GroupName="default", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="127.0.0.0/8")
        made = ec2.run_instances(ImageId=image["ImageId"], InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="me")
        instance = made["Instances"][0]["InstanceId"]
        wait_until(lambda: "TINY READY" in kiln.serial(instance), BOOT_SECONDS, "the baked image boots")
        said = kiln.run("ssh", "-o", f"UserKnownHostsFile={kiln.home}/hosts", "-i", key, f"root@{instance}", "--", "cat /etc/motd")
        assert said.stdout == "baked by Packer\n"
        ec2.terminate_instances(InstanceIds=[instance])
        expect("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])


def test_packer_bakes_an_image_that_boots():
    bake_and_boot("packer", "packer.json")


def test_the_current_packer_bakes_an_image_that_boots():
    program = os.path.join(CURRENT, "packer")
    if not os.path.exists(program):
        raise kiln_test.Skip("the current Packer is not there: tools/build-packer makes it")
    bake_and_boot(program, "packer.pkr.hcl", os.path.join(CURRENT, "home"))


if __name__ == "__main__":
    kiln_test.main(seconds=1200)
