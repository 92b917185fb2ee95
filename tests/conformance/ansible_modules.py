#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ansible's modules for images, snapshots, volumes, instances, keys and launch templates, unmodified, against the service: what
they make, that they change nothing the second time, and that they take it away again."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

HERE, THERE = "us-east-1", "eu-west-1"
PLAY_SECONDS = 240


@kiln_test.fixture
def kiln():
    with kiln_test.Kiln("--hypervisor", "fake") as daemon:
        path = os.path.join(daemon.home, "disk.raw")
        with open(path, "wb") as disk:
            disk.write(os.urandom(1 << 20))
        daemon.base = json.loads(daemon.run("import", path, "--name", "base", "--json").stdout)
        yield daemon


def play(kiln, *tasks, region=HERE):
    """Runs (module, arguments) one after the other; the modules' results. A later task sees an earlier one's as `t0`, `t1`, ..."""
    listed = [{module: arguments, "register": f"t{number}"} for number, (module, arguments) in enumerate(tasks)]
    common = {"endpoint_url": kiln.endpoint, "access_key": kiln.access_key, "secret_key": kiln.secret_key, "region": region}
    book = [{"hosts": "localhost", "gather_facts": False, "module_defaults": {"group/amazon.aws.aws": common, "group/community.aws.aws": common}, "tasks": listed}]
    path = os.path.join(kiln.home, "play.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(book, file)
    return [result for _name, result in run_playbook(kiln, path)]


def run_playbook(kiln, path, *options, **more):
    """The tasks of the playbook in their order: name and result of each. `more` is environment."""
    environment = clean_environment(
        ANSIBLE_STDOUT_CALLBACK="json", ANSIBLE_LOCALHOST_WARNING="False", ANSIBLE_DEPRECATION_WARNINGS="False", ANSIBLE_HOME=os.path.join(kiln.home, "ansible"), LC_ALL="C.UTF-8",
        ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3", **more,
    )  # fmt: skip
    done = subprocess.run(
        ["/usr/bin/ansible-playbook", "-i", "localhost,", "-c", "local", path, *options], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PLAY_SECONDS, check=False,
    )  # fmt: skip
    start = done.stdout.find("{")
    assert start >= 0, done.stdout + done.stderr
    results = [(task["task"]["name"], task["hosts"]["localhost"]) for task in json.loads(done.stdout[start:])["plays"][0]["tasks"]]
    last = results[-1][1]
    assert done.returncode == 0, f"task {len(results) - 1}: {last.get('msg')}: {last.get('error')}"
    return results


def changes(results):
    return [result["changed"] for result in results]


def test_images_are_registered_shared_tagged_and_deregistered(kiln):
    image = {"name": "by-ansible", "root_device_name": "/dev/xvda", "architecture": "x86_64", "virtualization_type": "hvm", "wait": True,
             "device_mapping": [{"device_name": "/dev/xvda", "snapshot_id": kiln.base["snapshotId"], "volume_size": 2, "delete_on_termination": True}],
             "tags": {"team": "a"}}  # fmt: skip
    shared = {"image_id": "{{ t0.image_id }}", "state": "present", "launch_permissions": {"user_ids": ["111122223333"]}, "tags": {"team": "b"}}
    made = play(
        kiln, ("amazon.aws.ec2_ami", image), ("amazon.aws.ec2_ami", shared), ("amazon.aws.ec2_ami", shared),
        ("amazon.aws.ec2_ami_info", {"image_ids": "{{ t0.image_id }}", "describe_image_attributes": True}),
        ("amazon.aws.ec2_ami", {"image_id": "{{ t0.image_id }}", "state": "absent"}),
        ("amazon.aws.ec2_ami_info", {"owners": ["self"], "filters": {"name": "by-ansible"}}),
    )  # fmt: skip
    assert changes(made)[:3] == [True, True, False], changes(made)
    (found,) = made[3]["images"]
    assert found["tags"] == {"team": "b"} and found["launch_permissions"] == [{"user_id": "111122223333"}], found
    assert made[4]["changed"] and made[5]["images"] == []


def test_volumes_grow_are_attached_snapshotted_and_removed(kiln):
    volume = {"volume_size": 1, "zone": "us-east-1a", "volume_type": "gp3", "name": "data", "tags": {"team": "a"}}
    grown = {"id": "{{ t0.volume_id }}", "volume_size": 3, "modify_volume": True, "zone": "us-east-1a", "volume_type": "gp3"}
    made = play(
        kiln, ("amazon.aws.ec2_vol", volume), ("amazon.aws.ec2_vol", grown),
        ("amazon.aws.ec2_snapshot", {"volume_id": "{{ t0.volume_id }}", "description": "by ansible", "snapshot_tags": {"made": "yes"}}),
        ("amazon.aws.ec2_snapshot_info", {"snapshot_ids": ["{{ t2.snapshot_id }}"]}),
        ("amazon.aws.ec2_vol", {"snapshot": "{{ t2.snapshot_id }}", "zone": "us-east-1b", "name": "again"}),
        ("amazon.aws.ec2_vol_info", {"filters": {"tag:Name": "again"}}),
        ("amazon.aws.ec2_snapshot", {"snapshot_id": "{{ t2.snapshot_id }}", "state": "absent"}),
        ("amazon.aws.ec2_vol", {"id": "{{ t0.volume_id }}", "state": "absent"}),
        ("amazon.aws.ec2_vol", {"id": "{{ t4.volume_id }}", "state": "absent"}),
    )  # fmt: skip
    assert all(changes(made)[:3]) and all(changes(made)[6:]), changes(made)
    (snapshot,) = made[3]["snapshots"]
    assert snapshot["description"] == "by ansible" and snapshot["tags"]["made"] == "yes" and snapshot["volume_size"] == 3, snapshot
    (again,) = made[5]["volumes"]
    assert again["zone"] == "us-east-1b" and again["snapshot_id"] == snapshot["snapshot_id"] and again["size"] == 3, again


def test_instances_are_run_stopped_started_imaged_and_terminated(kiln):
    run = {"name": "machine", "image_id": kiln.base["imageId"], "instance_type": "t2.nano", "key_name": "by-ansible", "security_group": "by-ansible", "state": "running",
           "wait": True, "volumes": [{"device_name": "/dev/sdf", "ebs": {"volume_size": 1, "delete_on_termination": True}}]}  # fmt: skip
    rules = [{"proto": "tcp", "ports": [22], "cidr_ip": "192.0.2.0/24"}]
    one = {"instance_ids": "{{ t2.instance_ids }}", "wait": True}
    made = play(
        kiln, ("amazon.aws.ec2_key", {"name": "by-ansible"}),
        ("amazon.aws.ec2_security_group", {"name": "by-ansible", "description": "made by ansible", "rules": rules}),
        ("amazon.aws.ec2_instance", run), ("amazon.aws.ec2_instance", run),
        ("amazon.aws.ec2_instance_info", {"filters": {"tag:Name": "machine"}}),
        ("amazon.aws.ec2_ami", {"instance_id": "{{ t2.instance_ids[0] }}", "name": "imaged", "wait": True, "no_reboot": True}),
        ("amazon.aws.ec2_instance", one | {"state": "stopped"}), ("amazon.aws.ec2_instance", one | {"state": "started"}),
        ("amazon.aws.ec2_tag", {"resource": "{{ t2.instance_ids[0] }}", "tags": {"more": "yes"}}),
        ("amazon.aws.ec2_instance", one | {"state": "terminated"}),
        ("amazon.aws.ec2_security_group", {"name": "by-ansible", "state": "absent"}), ("amazon.aws.ec2_key", {"name": "by-ansible", "state": "absent"}),
    )  # fmt: skip
    assert changes(made) == [True, True, True, False, False, True, True, True, True, True, True, True], changes(made)
    (instance,) = made[4]["instances"]
    assert instance["state"]["name"] == "running" and instance["key_name"] == "by-ansible", instance
    devices = {mapping["device_name"] for mapping in instance["block_device_mappings"]}
    assert devices == {instance["root_device_name"], "/dev/sdf"}, devices
    assert kiln.client("ec2").describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["imaged"]}])["Images"][0]["State"] == "available"


def test_copies_to_another_region_and_launch_templates(kiln):
    copied = play(
        kiln, ("community.aws.ec2_ami_copy", {"source_region": HERE, "source_image_id": kiln.base["imageId"], "name": "copied", "wait": True, "tags": {"from": HERE}}),
        ("community.aws.ec2_snapshot_copy", {"source_region": HERE, "source_snapshot_id": kiln.base["snapshotId"], "wait": True}),
        region=THERE,
    )  # fmt: skip
    there = kiln.client("ec2", THERE)
    assert there.describe_images(ImageIds=[copied[0]["image_id"]])["Images"][0]["Tags"] == [{"Key": "from", "Value": HERE}]
    assert there.describe_snapshots(SnapshotIds=[copied[1]["snapshot_id"]])["Snapshots"][0]["State"] == "completed"
    template = {"name": "by-ansible", "image_id": kiln.base["imageId"], "instance_type": "t2.nano"}
    made = play(
        kiln, ("community.aws.ec2_launch_template", template), ("community.aws.ec2_launch_template", template),
        ("community.aws.ec2_launch_template", template | {"instance_type": "t2.micro"}),
        ("amazon.aws.ec2_instance", {"name": "templated", "launch_template": {"name": "by-ansible", "version": "$Latest"}, "state": "present"}),
        ("community.aws.ec2_launch_template", {"name": "by-ansible", "state": "absent"}),
    )  # fmt: skip
    assert changes(made) == [True, False, True, True, True], changes(made)
    assert made[3]["instances"][0]["instance_type"] == "t2.micro"


def test_the_recipe_bakes_shares_and_copies_and_changes_nothing_the_second_time(kiln):
    def bake():
        extra = {"source": "bas*", "publisher": "self", "share_with": "012345678901"}
        environment = {
            "AWS_ENDPOINT_URL": kiln.endpoint, "AWS_ACCESS_KEY_ID": kiln.access_key, "AWS_SECRET_ACCESS_KEY": kiln.secret_key, "AWS_DEFAULT_REGION": HERE,
        }  # fmt: skip
        return dict(run_playbook(kiln, os.path.join(ROOT, "docs/recipes/ansible.yml"), "-e", json.dumps(extra), **environment))

    first = bake()
    assert first["Share it"]["changed"] and first["Copy it to another region"]["changed"], first
    (image,) = kiln.client("ec2").describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["baked-by-ansible"]}])["Images"]
    assert image["ImageId"] == first["Make an image of it"]["image_id"], image
    granted = kiln.client("ec2").describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")["LaunchPermissions"]
    assert granted == [{"UserId": "012345678901"}], granted
    (copy,) = kiln.client("ec2", THERE).describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["baked-by-ansible"]}])["Images"]
    assert copy["Tags"] == [{"Key": "made-by", "Value": "ansible"}] and copy["State"] == "available", copy
    (reservation,) = kiln.client("ec2").describe_instances(InstanceIds=first["Launch the newest"]["instance_ids"])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] in ("shutting-down", "terminated"), reservation
    second = bake()
    assert not any(result["changed"] for result in second.values()), {name for name, result in second.items() if result["changed"]}


if __name__ == "__main__":
    kiln_test.main(seconds=600)
