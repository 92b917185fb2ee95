#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Terraform and its AWS provider, unmodified, live the life of an image by the recipe in the documentation: what they made is as
asked for, they find nothing to change afterwards, change what is changed in the recipe, and leave nothing behind. And resources
and data sources of many kinds, without guests."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
BUILT = os.path.join(ROOT, "build/terraform")
RECIPE = os.path.join(ROOT, "docs/recipes/terraform.tf")
KINDS = os.path.join(ROOT, "tests/clients/terraform/kinds.tf")
BOOT_SECONDS = 240
PLAN = ("plan", "-input=false", "-detailed-exitcode")
SAME, DIFFERS = 0, 2  # its exit status


class Terraform:
    """The program in a directory of its own with a recipe."""

    def __init__(self, kiln, recipe, **variables):
        if not os.path.exists(os.path.join(BUILT, "terraform")):
            raise kiln_test.Skip("Terraform and its provider are not there: tools/build-terraform makes them")
        self.where = os.path.join(kiln.home, "terraform")
        os.mkdir(self.where)
        shutil.copy(recipe, self.where)
        variables |= {"endpoint": kiln.endpoint, "access_key": kiln.access_key, "secret_key": kiln.secret_key}
        self.environment = clean_environment(HOME=self.where, CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1", **self.named(variables))
        self.run("init", "-input=false", f"-plugin-dir={BUILT}")

    @staticmethod
    def named(variables):
        return {f"TF_VAR_{name}": value for name, value in variables.items()}

    def run(self, *words, expected=0, **variables):
        environment = self.environment | self.named(variables)
        command = [os.path.join(BUILT, "terraform"), words[0], "-no-color", *words[1:]]
        done = subprocess.run(command, env=environment, cwd=self.where, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == expected, f"{words}: {done.returncode}\n{done.stdout[-8000:]}{done.stderr[-4000:]}"
        return done.stdout

    def apply(self, **variables):
        """There is something to do; and nothing any more when it is done."""
        for expected, words in ((DIFFERS, PLAN), (0, ("apply", "-input=false", "-auto-approve")), (SAME, PLAN)):
            self.run(*words, expected=expected, **variables)


def test_an_image_lives_by_the_recipe():
    with kiln_test.Kiln("--guest-memory-cap", "256", "--provided-images", os.path.join(ROOT, "build/guests")) as kiln:
        friend = kiln.account("friend")
        here, there = kiln.client("ec2", HERE), kiln.client("ec2", THERE)
        wait_until(lambda: here.describe_images(Owners=["amazon"])["Images"], 60, "an image is provided")
        terraform = Terraform(kiln, RECIPE, friend=friend.id)
        terraform.apply()

        # It is there, and the friend may launch it.
        images = {image["Name"]: image for image in here.describe_images(Owners=["self"])["Images"]}
        assert sorted(images) == ["baked", "registered"] and images["registered"]["Description"] == "shown"
        baked = images["baked"]
        assert [m["DeviceName"] for m in baked["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/sdf"], baked
        (copy,) = there.describe_images(Owners=["self"])["Images"]
        assert copy["Name"] == "baked" and copy["State"] == "available" and len(copy["BlockDeviceMappings"]) == 2
        assert [image["ImageId"] for image in friend.client("ec2", HERE).describe_images(ExecutableUsers=["self"])["Images"]] == [baked["ImageId"]]
        launched = here.run_instances(LaunchTemplate={"LaunchTemplateName": "web"}, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        wait_until(lambda: "TINY READY" in kiln.serial(launched), BOOT_SECONDS, "the template launches the image")
        here.terminate_instances(InstanceIds=[launched])
        here.get_waiter("instance_terminated").wait(InstanceIds=[launched], WaiterConfig={"Delay": 1})
        (left,) = here.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])["Volumes"]  # as the attached one would be
        here.delete_volume(VolumeId=left["VolumeId"])

        # Changes: in place, a disk that grows while it is attached among them.
        changed = {"purpose": "changed", "gib": "2"}
        terraform.apply(**changed)
        image = here.describe_images(Filters=[{"Name": "name", "Values": ["registered"]}])["Images"][0]
        assert image["ImageId"] == images["registered"]["ImageId"] and image["Description"] == "changed"
        (volume,) = here.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["data"]}])["Volumes"]
        assert volume["Size"] == 2 and volume["State"] == "in-use"

        terraform.run("destroy", "-auto-approve", **changed)
        for client in (here, there):
            assert not client.describe_images(Owners=["self"])["Images"] and not client.describe_volumes()["Volumes"]
            assert not client.describe_key_pairs()["KeyPairs"] and not client.describe_launch_templates()["LaunchTemplates"]
            states = {i["State"]["Name"] for r in client.describe_instances()["Reservations"] for i in r["Instances"]}
            assert states <= {"terminated"}, states


def test_resources_of_all_kinds_live():
    with kiln_test.api_service() as kiln:
        terraform = Terraform(kiln, KINDS, friend=kiln.account("friend").id, image=kiln.image, snapshot=kiln.snapshot)
        terraform.apply()
        ec2 = kiln.client("ec2")
        before = {i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]}
        terraform.apply(purpose="changed")
        kinds = {i["InstanceId"]: i["InstanceType"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]}
        assert set(kinds) == before and sorted(kinds.values()) == ["m5d.large", "t3.small"], kinds  # resized, not made anew
        terraform.run("destroy", "-auto-approve", purpose="changed")
        assert [image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]] == [kiln.image]
        assert not kiln.client("iam").list_roles()["Roles"]


if __name__ == "__main__":
    kiln_test.main(seconds=1200)
