#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CreateReplaceRootVolumeTask and DescribeReplaceRootVolumeTasks: a running instance goes on with another root, from its
launch, a snapshot of its lineage, an image or a volume that is there; what stays; what fails leaves the old root; a service that is killed."""

import glob
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.query import query  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

UNKNOWN = "replacevol-0123456789abcdef0"


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def launch(kiln, ec2, **more):
    wanted = {"ImageId": kiln.image, "InstanceType": "t2.nano", "MinCount": 1, "MaxCount": 1, **more}
    made = ec2.run_instances(**wanted)["Instances"][0]
    wait_until(lambda: one(ec2, made["InstanceId"])["State"]["Name"] == "running", 30, "it runs")
    return made["InstanceId"]


def one(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def root_of(ec2, instance):
    seen = one(ec2, instance)
    (root,) = [m["Ebs"] for m in seen["BlockDeviceMappings"] if m["DeviceName"] == seen["RootDeviceName"]]
    return root


def volume_of(ec2, volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def task_of(ec2, task):
    return ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])["ReplaceRootVolumeTasks"][0]


def wait_over(ec2, task, state="succeeded"):
    wait_until(lambda: "CompleteTime" in task_of(ec2, task), 60, "the task is over")
    seen = task_of(ec2, task)
    assert seen["TaskState"] == state, seen
    return seen


def replace(ec2, instance, **more):
    """Returns the task and the id of the new root once it is over."""
    made = ec2.create_replace_root_volume_task(InstanceId=instance, **more)["ReplaceRootVolumeTask"]
    assert made["TaskState"] == "pending" and made["InstanceId"] == instance and made["StartTime"], made
    done = wait_over(ec2, made["ReplaceRootVolumeTaskId"])
    return done, root_of(ec2, instance)["VolumeId"]


def give(kiln, instance, volume, **more):
    """Asks for this volume as the root; boto3 is too old to know the parameter."""
    return query(kiln, "CreateReplaceRootVolumeTask", {"InstanceId": instance, "VolumeId": volume, **more})


def given(kiln, ec2, instance, volume, state="succeeded", **more):
    answer = give(kiln, instance, volume, **more)
    (task,) = answer.texts("replaceRootVolumeTask/replaceRootVolumeTaskId")
    assert answer.texts("replaceRootVolumeTask/snapshotId") == [], answer.body
    return wait_over(ec2, task, state)


def spare_volume(ec2, **more):
    made = ec2.create_volume(AvailabilityZone="us-east-1a", **more)["VolumeId"]
    wait_until(lambda: volume_of(ec2, made)["State"] == "available", 30, "the volume is available")
    return made


def first_byte(kiln, volume):
    export = json.loads(kiln.run("nbd", volume).stdout)["socket"]
    command = ["qemu-io", "-r", "-f", "raw", "-c", "read -v 0 512", f"nbd+unix:///?socket={export}"]
    text = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout
    return int(text.split()[1], 16)


def write(kiln, instance, volume, pattern):
    disks = json.loads(kiln.run("inspect", instance).stdout)["volumes"]
    (socket,) = [disk["socket"] for disk in disks if disk["volumeId"] == volume]
    command = ["qemu-io", "-f", "raw", "-c", f"write -P {pattern} 0 4096", "-c", "flush", f"nbd+unix:///?socket={socket}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)


def run_again(ec2, instance):
    """Scripted machines end with the service, other than real ones: their instances stop."""
    wait_until(lambda: one(ec2, instance)["State"]["Name"] in ("running", "stopped"), 30, "it is settled")
    if one(ec2, instance)["State"]["Name"] == "stopped":
        ec2.start_instances(InstanceIds=[instance])
        wait_until(lambda: one(ec2, instance)["State"]["Name"] == "running", 30, "it runs again")


def flip(paths):
    """Every byte, and a second time back."""
    for path in paths:
        with open(path, "r+b") as pack:
            content = bytes(byte ^ 1 for byte in pack.read())
            pack.seek(0)
            pack.write(content)


def raw_byte(kiln):
    with open(kiln.raw, "rb") as disk:
        return disk.read(1)[0]


def test_VOL_15_RRV_1_RRV_4_the_root_of_its_launch(service):
    ec2 = service.client("ec2")
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}]
    instance = launch(service, ec2, BlockDeviceMappings=mapping)
    before = one(ec2, instance)
    old = root_of(ec2, instance)
    ec2.modify_instance_attribute(
        InstanceId=instance, BlockDeviceMappings=[{"DeviceName": before["RootDeviceName"], "Ebs": {"DeleteOnTermination": False}}]
    )
    ec2.modify_volume(VolumeId=old["VolumeId"], Size=8, VolumeType="gp3", Iops=3500)
    wait_until(lambda: volume_of(ec2, old["VolumeId"])["Size"] == 8, 30, "the root has grown")
    pattern = raw_byte(service) ^ 0x5A
    write(service, instance, old["VolumeId"], pattern)
    task, new = replace(ec2, instance)
    assert new != old["VolumeId"] and task["SnapshotId"] == service.snapshot and not task["DeleteReplacedRootVolume"], task
    made = volume_of(ec2, new)
    assert (made["Size"], made["VolumeType"], made["Iops"], made["SnapshotId"]) == (8, "gp3", 3500, service.snapshot), made
    assert made["State"] == "in-use" and root_of(ec2, instance)["DeleteOnTermination"] is False, made
    assert first_byte(service, new) == raw_byte(service), "the bytes of the launch"
    kept = volume_of(ec2, old["VolumeId"])
    assert kept["State"] == "available" and kept["Attachments"] == [], kept
    assert first_byte(service, old["VolumeId"]) == pattern, "the old root keeps what was written"
    after = one(ec2, instance)
    for field in ("InstanceId", "PrivateIpAddress", "PublicIpAddress", "LaunchTime", "ImageId", "State", "NetworkInterfaces"):
        assert after.get(field) == before.get(field), (field, before, after)
    data = [m for m in after["BlockDeviceMappings"] if m["DeviceName"] == "/dev/sdf"]
    assert data == [m for m in before["BlockDeviceMappings"] if m["DeviceName"] == "/dev/sdf"], data
    assert service.aws("ec2", "describe-replace-root-volume-tasks")["ReplaceRootVolumeTasks"], "the CLI sees it"


def test_VOL_15_RRV_2_a_snapshot_of_its_lineage(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    first = root_of(ec2, instance)["VolumeId"]
    write(service, instance, first, 0x21)
    snapshot = ec2.create_snapshot(VolumeId=first)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1})
    write(service, instance, first, 0x22)
    task, second = replace(ec2, instance, SnapshotId=snapshot, DeleteReplacedRootVolume=True)
    assert first_byte(service, second) == 0x21 and task["DeleteReplacedRootVolume"] is True, task
    expect("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[first])
    later = ec2.create_snapshot(VolumeId=second)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[later], WaiterConfig={"Delay": 1})
    _, third = replace(ec2, instance, SnapshotId=snapshot)  # of the root before this one
    assert first_byte(service, third) == 0x21
    _, fourth = replace(ec2, instance, SnapshotId=later)
    assert first_byte(service, fourth) == 0x21
    copied = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=snapshot)["SnapshotId"]
    other = ec2.create_snapshot(VolumeId=ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"])["SnapshotId"]
    for wrong in (copied, other):
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[wrong], WaiterConfig={"Delay": 1})
        code, text = refusal(ec2.create_replace_root_volume_task, InstanceId=instance, SnapshotId=wrong)
        assert code == "InvalidParameterValue" and "lineage" in text, text
    assert root_of(ec2, instance)["VolumeId"] == fourth


def test_VOL_15_RRV_3_an_image(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    other = os.path.join(service.home, "other.raw")
    with open(other, "wb") as disk:
        disk.write(bytes([0x77]) * 4096)
        disk.truncate(2 << 20)
    made = json.loads(service.run("import", other, "--name", "other", "--json").stdout)
    task, root = replace(ec2, instance, ImageId=made["imageId"])
    assert (task["ImageId"], task["SnapshotId"]) == (made["imageId"], made["snapshotId"]), task
    assert first_byte(service, root) == 0x77 and one(ec2, instance)["ImageId"] == made["imageId"]
    task, root = replace(ec2, instance)  # what it was launched with is that image's from now on
    assert task["SnapshotId"] == made["snapshotId"] and first_byte(service, root) == 0x77, task
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": service.snapshot}}]
    arm = ec2.register_image(Name="arm", Architecture="arm64", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping)["ImageId"]
    expect("InvalidParameterCombination", ec2.create_replace_root_volume_task, InstanceId=instance, ImageId=arm)
    expect("InvalidAMIID.NotFound", ec2.create_replace_root_volume_task, InstanceId=instance, ImageId="ami-0123456789abcdef0")
    code = refusal(ec2.create_replace_root_volume_task, InstanceId=instance, ImageId=made["imageId"], SnapshotId=service.snapshot)[0]
    assert code == "InvalidParameterCombination", code


def test_VOL_15_RRV_4_what_cannot_start_leaves_the_old_root(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    old = root_of(ec2, instance)["VolumeId"]
    write(service, instance, old, 0x31)
    before = set(glob.glob(os.path.join(service.data, "**", "pack-*"), recursive=True))
    bad = os.path.join(service.home, "bad.raw")
    with open(bad, "wb") as disk:
        disk.write(os.urandom(1 << 20))
    made = json.loads(service.run("import", bad, "--name", "bad", "--json").stdout)
    service.wait_stored(made["snapshotId"])
    spare = spare_volume(ec2, SnapshotId=made["snapshotId"])
    volumes = {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]}
    service.stop()
    packs = set(glob.glob(os.path.join(service.data, "**", "pack-*"), recursive=True)) - before
    flip(packs)
    service.start()
    ec2 = service.client("ec2")
    run_again(ec2, instance)
    task = ec2.create_replace_root_volume_task(InstanceId=instance, ImageId=made["imageId"])["ReplaceRootVolumeTask"]
    wait_over(ec2, task["ReplaceRootVolumeTaskId"], "failed")
    seen = one(ec2, instance)
    assert seen["State"]["Name"] == "running" and seen["ImageId"] == service.image, seen
    assert root_of(ec2, instance)["VolumeId"] == old and first_byte(service, old) == 0x31
    assert {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]} == volumes, "the new root is gone"
    given(service, ec2, instance, spare, "failed")
    assert one(ec2, instance)["State"]["Name"] == "running" and root_of(ec2, instance)["VolumeId"] == old
    assert volume_of(ec2, spare)["State"] == "available", "one that was given is not"
    _, good = replace(ec2, instance)
    assert first_byte(service, good) == raw_byte(service)
    service.stop()
    flip(packs)
    service.start()


def test_VOL_15_RRV_2_the_snapshot_of_the_launch_is_gone(service):
    ec2 = service.client("ec2")
    disk = os.path.join(service.home, "gone.raw")
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    made = json.loads(service.run("import", disk, "--name", "gone", "--json").stdout)
    instance = launch(service, ec2, ImageId=made["imageId"])
    root = root_of(ec2, instance)["VolumeId"]
    ec2.deregister_image(ImageId=made["imageId"])
    _, second = replace(ec2, instance)  # the snapshot is still there
    ec2.delete_snapshot(SnapshotId=made["snapshotId"])
    code, text = refusal(ec2.create_replace_root_volume_task, InstanceId=instance)
    assert code == "InvalidSnapshot.NotFound" and made["snapshotId"] in text, text
    assert second != root and root_of(ec2, instance)["VolumeId"] == second


def test_VOL_19_the_rate_is_that_of_the_new_root(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    answer = query(service, "CreateReplaceRootVolumeTask", {"InstanceId": instance, "VolumeInitializationRate": 200})
    wait_over(ec2, answer.texts("replaceRootVolumeTask/replaceRootVolumeTaskId")[0])
    seen = query(service, "DescribeVolumes", {"VolumeId.1": root_of(ec2, instance)["VolumeId"]})
    assert seen.texts("volumeSet/item/volumeInitializationRate") == ["200"], seen.body


def test_RRV_6_a_volume_that_is_there(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    before = one(ec2, instance)
    old = root_of(ec2, instance)
    write(service, instance, old["VolumeId"], 0x51)
    spare = spare_volume(ec2, SnapshotId=service.snapshot, Size=9, VolumeType="gp3")
    assert give(service, instance, spare, DryRun="true").code == "DryRunOperation"
    given(service, ec2, instance, spare)
    root = root_of(ec2, instance)
    assert root["VolumeId"] == spare and root["DeleteOnTermination"] == old["DeleteOnTermination"], root
    seen = volume_of(ec2, spare)
    assert (seen["State"], seen["Size"], seen["VolumeType"]) == ("in-use", 9, "gp3"), seen
    assert first_byte(service, spare) == raw_byte(service) and one(ec2, instance)["ImageId"] == before["ImageId"]
    assert volume_of(ec2, old["VolumeId"])["State"] == "available"
    given(service, ec2, instance, old["VolumeId"], DeleteReplacedRootVolume="true")  # and back
    assert root_of(ec2, instance)["VolumeId"] == old["VolumeId"] and first_byte(service, old["VolumeId"]) == 0x51
    expect("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[spare])
    task, _ = replace(ec2, instance)  # what it was launched with is what it was
    assert task["SnapshotId"] == service.snapshot, task


def test_RRV_6_volumes_that_cannot_be_its_root(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    root = root_of(ec2, instance)["VolumeId"]
    spare = spare_volume(ec2, Size=1)
    elsewhere = ec2.create_volume(AvailabilityZone="us-east-1b", Size=1)["VolumeId"]
    cold = spare_volume(ec2, Size=125, VolumeType="st1")
    shared = spare_volume(ec2, Size=4, VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    theirs = service.account("giver").client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    for volume, code in (
        (root, "VolumeInUse"),
        (elsewhere, "InvalidVolume.ZoneMismatch"),
        (cold, "BootForVolumeTypeUnsupported"),
        (shared, "UnsupportedOperation"),
        (theirs, "InvalidVolume.NotFound"),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
    ):
        assert give(service, instance, volume).code == code, (volume, code)
    for name, value in (("SnapshotId", service.snapshot), ("ImageId", service.image), ("VolumeInitializationRate", "100")):
        answer = give(service, instance, spare, **{name: value})
        assert answer.code == "InvalidParameterCombination" and "VolumeId" in answer.message, answer.body
    assert root_of(ec2, instance)["VolumeId"] == root and volume_of(ec2, spare)["State"] == "available"


def test_RRV_6_a_volume_that_goes_meanwhile(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    root, spare = root_of(ec2, instance)["VolumeId"], spare_volume(ec2, SnapshotId=service.snapshot)
    (task,) = give(service, instance, spare).texts("replaceRootVolumeTask/replaceRootVolumeTaskId")
    try:
        ec2.delete_volume(VolumeId=spare)
        state, left = "failed", root
    except ec2.exceptions.ClientError as error:  # it was the root already
        assert error.response["Error"]["Code"] == "VolumeInUse", error
        state, left = "succeeded", spare
    wait_over(ec2, task, state)
    assert root_of(ec2, instance)["VolumeId"] == left and one(ec2, instance)["State"]["Name"] == "running"


def test_RRV_6_it_outlives_the_service(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    root, spare = root_of(ec2, instance)["VolumeId"], spare_volume(ec2, SnapshotId=service.snapshot)
    write(service, instance, root, 0x52)
    for number in range(4):
        (task,) = give(service, instance, spare).texts("replaceRootVolumeTask/replaceRootVolumeTaskId")
        time.sleep(0.03 * number)  # how far it comes before the kill
        service.kill9()
        service.start()
        ec2 = service.client("ec2")
        wait_over(ec2, task)
        run_again(ec2, instance)
        root, spare = spare, root
        assert root_of(ec2, instance)["VolumeId"] == root and volume_of(ec2, spare)["State"] == "available"
    assert (first_byte(service, root), first_byte(service, spare)) == (0x52, raw_byte(service))


def test_VOL_15_RRV_5_tokens_tags_filters_and_pages(service):
    ec2 = service.client("ec2")
    instances = [launch(service, ec2) for _ in range(2)]
    tags = [{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "why", "Value": "test"}]}]
    first = ec2.create_replace_root_volume_task(InstanceId=instances[0], ClientToken="t", TagSpecifications=tags)["ReplaceRootVolumeTask"]
    again = ec2.create_replace_root_volume_task(InstanceId=instances[0], ClientToken="t", TagSpecifications=tags)["ReplaceRootVolumeTask"]
    task = first["ReplaceRootVolumeTaskId"]
    assert again["ReplaceRootVolumeTaskId"] == task and first["Tags"] == again["Tags"] == tags[0]["Tags"], again
    expect("IdempotentParameterMismatch", ec2.create_replace_root_volume_task, InstanceId=instances[1], ClientToken="t")
    wait_over(ec2, task)
    others = [replace(ec2, instances[1])[0]["ReplaceRootVolumeTaskId"] for _ in range(2)]

    def listed(*filters, **more):
        wanted = [{"Name": name, "Values": values} for name, values in filters]
        found = ec2.describe_replace_root_volume_tasks(Filters=wanted, **more)["ReplaceRootVolumeTasks"]
        return [entry["ReplaceRootVolumeTaskId"] for entry in found]

    assert listed(("instance-id", [instances[0]])) == [task]
    assert listed(("instance-id", [instances[1]])) == others
    assert listed(("tag:why", ["te*"]), ("instance-id", instances)) == [task]
    ec2.create_tags(Resources=[others[0]], Tags=[{"Key": "later", "Value": "x"}])
    assert listed(("tag-key", ["later"])) == [others[0]]
    assert [t["ResourceType"] for t in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [others[0]]}])["Tags"]] == [
        "replace-root-volume-task"
    ]
    pages, token = [], None
    while token != "":
        page = ec2.describe_replace_root_volume_tasks(MaxResults=1, **({"NextToken": token} if token else {}))
        pages += [entry["ReplaceRootVolumeTaskId"] for entry in page["ReplaceRootVolumeTasks"]]
        token = page.get("NextToken", "")
    assert set(others + [task]) <= set(pages) and len(pages) == len(set(pages)), pages
    expect("InvalidParameterValue", ec2.describe_replace_root_volume_tasks, Filters=[{"Name": "task-state", "Values": ["failed"]}])
    expect("DryRunOperation", ec2.describe_replace_root_volume_tasks, DryRun=True)


def test_VOL_15_RRV_1_mistakes(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    root = root_of(ec2, instance)["VolumeId"]
    create = ec2.create_replace_root_volume_task
    expect("DryRunOperation", create, InstanceId=instance, DryRun=True)
    expect("InvalidInstanceID.NotFound", create, InstanceId="i-0123456789abcdef0")
    expect("InvalidInstanceID.Malformed", create, InstanceId="i-zz")
    expect("InvalidSnapshot.NotFound", create, InstanceId=instance, SnapshotId="snap-0123456789abcdef0")
    expect("InvalidParameterValue", create, InstanceId=instance, SnapshotId="snap-zz")
    expect("InvalidClientToken", create, InstanceId=instance, ClientToken="t" * 65)
    for rate in (-1, 99, 301, 1 << 40):  # which boto3 is too old to know
        answer = query(service, "CreateReplaceRootVolumeTask", {"InstanceId": instance, "VolumeInitializationRate": rate})
        assert answer.code == "InvalidParameterValue" and "VolumeInitializationRate" in answer.message, answer.body
    wrong = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    expect("InvalidParameterValue", create, InstanceId=instance, TagSpecifications=wrong)
    expect("InvalidReplaceRootVolumeTaskId.NotFound", ec2.describe_replace_root_volume_tasks, ReplaceRootVolumeTaskIds=[UNKNOWN])
    expect("InvalidReplaceRootVolumeTaskId.Malformed", ec2.describe_replace_root_volume_tasks, ReplaceRootVolumeTaskIds=["x-1"])
    task, _ = replace(ec2, instance)
    other = service.account().client("ec2")
    expect("InvalidInstanceID.NotFound", other.create_replace_root_volume_task, InstanceId=instance)
    mine = [task["ReplaceRootVolumeTaskId"]]
    expect("InvalidReplaceRootVolumeTaskId.NotFound", other.describe_replace_root_volume_tasks, ReplaceRootVolumeTaskIds=mine)
    assert other.describe_replace_root_volume_tasks()["ReplaceRootVolumeTasks"] == []
    volumes = len(ec2.describe_volumes()["Volumes"])
    ec2.stop_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "stopped", 30, "it is stopped")
    expect("IncorrectInstanceState", create, InstanceId=instance)
    assert len(ec2.describe_volumes()["Volumes"]) == volumes and volume_of(ec2, root)["State"] == "available"


def test_VOL_15_RRV_4_a_stop_and_a_second_task_wait_for_the_first(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    old = root_of(ec2, instance)["VolumeId"]
    task = ec2.create_replace_root_volume_task(InstanceId=instance)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]
    try:
        second = ec2.create_replace_root_volume_task(InstanceId=instance)["ReplaceRootVolumeTask"]
        wait_over(ec2, second["ReplaceRootVolumeTaskId"])  # the first was over already
    except ec2.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "IncorrectState", error
    ec2.stop_instances(InstanceIds=[instance])
    wait_over(ec2, task)
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "stopped", 60, "then it stops")
    assert root_of(ec2, instance)["VolumeId"] != old
    ec2.start_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "running", 30, "it runs with its new root")


def test_VOL_15_RRV_4_it_outlives_the_service(service):
    ec2 = service.client("ec2")
    instance = launch(service, ec2)
    for number in range(6):
        write(service, instance, root_of(ec2, instance)["VolumeId"], 0x40 + number)
        old = root_of(ec2, instance)["VolumeId"]
        volumes = {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]}
        task = ec2.create_replace_root_volume_task(InstanceId=instance, DeleteReplacedRootVolume=True)["ReplaceRootVolumeTask"]
        time.sleep(0.02 * number)  # how far it comes before the kill
        service.kill9()
        service.start()
        ec2 = service.client("ec2")
        wait_over(ec2, task["ReplaceRootVolumeTaskId"])
        new = root_of(ec2, instance)["VolumeId"]
        run_again(ec2, instance)
        assert new != old and first_byte(service, new) == raw_byte(service)
        assert {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]} == volumes - {old} | {new}
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(lambda: one(ec2, instance)["State"]["Name"] == "terminated", 30, "it is terminated")
    service.stop()
    assert service.run("fsck", "--data", service.data, check=False).returncode == 0
    service.start()


if __name__ == "__main__":
    kiln_test.main(seconds=300)
