#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Multi-Attach (VOL-11) over the scripted hypervisor: volumes that several instances have, what they are made of, attached to
and detached from, modified, snapshotted, and what becomes of them when one of the instances, or the daemon, ends."""

import contextlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
import nbd  # noqa: E402
from kiln_test import query, wait_until  # noqa: E402
from kiln_test.refusals import expect, refusal  # noqa: E402

ZONE = "us-east-1a"
MOST = 16


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def make(ec2, kind="io2", size=4, iops=100, enabled=True, **more):
    return ec2.create_volume(AvailabilityZone=ZONE, Size=size, VolumeType=kind, Iops=iops, MultiAttachEnabled=enabled, **more)["VolumeId"]


def one(ec2, volume):
    return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]


def state(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def launch(kiln, ec2, count=1):
    made = ec2.run_instances(ImageId=kiln.image, InstanceType="t2.nano", MinCount=count, MaxCount=count)["Instances"]
    for instance in made:
        wait_until(lambda i=instance: state(ec2, i["InstanceId"]) == "running", 30, "it runs")
    return [instance["InstanceId"] for instance in made]


def start(ec2, instance):
    ec2.start_instances(InstanceIds=[instance])
    wait_until(lambda: state(ec2, instance) == "running", 30, "it runs again")


def attachments(ec2, volume):
    return {a["InstanceId"]: a["State"] for a in one(ec2, volume)["Attachments"]}


def attach(ec2, volume, *instances, device="/dev/sdf"):
    for instance in instances:
        answer = ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
        assert (answer["State"], answer["InstanceId"], answer["VolumeId"]) == ("attaching", instance, volume), answer
    for instance in instances:
        wait_until(lambda i=instance: attachments(ec2, volume).get(i) == "attached", 30, f"{instance} has {volume}")


def wait_detached(ec2, volume, instance):
    wait_until(lambda: instance not in attachments(ec2, volume), 30, f"{instance} has let {volume} go")


def end(ec2, instance):
    ec2.terminate_instances(InstanceIds=[instance])
    wait_until(lambda: state(ec2, instance) == "terminated", 30, f"{instance} is terminated")


def deletes(ec2, instance, whether):
    change = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": whether}}]
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=change)


def modified(ec2, volume, **changes):
    """The modification once it is completed."""
    ec2.modify_volume(VolumeId=volume, **changes)

    def seen():
        return ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"][0]

    wait_until(lambda: seen()["ModificationState"] == "completed", 30, f"{volume} is modified")
    return seen()


@contextlib.contextmanager
def disks(kiln, volume):
    """The volume as each machine has it: an NBD connection by instance."""
    shown = json.loads(kiln.run("inspect", volume).stdout)
    handles = {}
    for place in [shown, *shown.get("otherAttachments", [])]:
        handles[place["instanceId"]] = handle = nbd.NBD()
        handle.connect_unix(place["socket"])
    yield handles
    for handle in handles.values():
        handle.shutdown()


def check_shared(kiln, volume, instances, word):
    """What is written by any is read by all, flushed or not."""
    with disks(kiln, volume) as handles:
        assert set(handles) == set(instances), handles
        for number, (writer, handle) in enumerate(handles.items()):
            handle.pwrite(f"{word} {number}".encode().ljust(512, b"\0"), 512 * number)
            for reader in handles.values():
                assert reader.pread(512, 512 * number).rstrip(b"\0").decode() == f"{word} {number}", (writer, word)


def test_VOL_2_multi_attach_is_of_io1_and_io2(service):
    ec2 = service.client("ec2")
    for kind in ("io1", "io2"):
        volume = make(ec2, kind)
        assert one(ec2, volume)["MultiAttachEnabled"] is True
        assert one(ec2, make(ec2, kind, enabled=False))["MultiAttachEnabled"] is False
        found = ec2.describe_volumes(Filters=[{"Name": "multi-attach-enabled", "Values": ["true"]}, {"Name": "volume-type", "Values": [kind]}])
        assert [v["VolumeId"] for v in found["Volumes"]] == [volume]
    for kind in ("gp2", "gp3", "st1", "standard"):
        assert refusal(ec2.create_volume, AvailabilityZone=ZONE, Size=125, VolumeType=kind, MultiAttachEnabled=True) == (
            "InvalidParameterCombination",
            f"The parameter MultiAttachEnabled is not supported for {kind} volumes.",
        )
    expect("InvalidParameterCombination", ec2.create_volume, AvailabilityZone=ZONE, Size=1, MultiAttachEnabled=True)
    ec2.create_volume(AvailabilityZone=ZONE, Size=1, MultiAttachEnabled=False)


def test_VOL_12_a_copy_has_multi_attach_if_it_is_asked_for(service):
    ec2 = service.client("ec2")
    source = make(ec2)

    def copy(**more):
        return query(service, "CopyVolumes", {"SourceVolumeId": source, **more})

    plain = copy(VolumeType="io2", Iops="100")
    assert plain.texts("volumeSet/item/multiAttachEnabled") == ["false"], plain.body
    shared = copy(VolumeType="io2", Iops="100", MultiAttachEnabled="true")
    assert shared.texts("volumeSet/item/multiAttachEnabled") == ["true"], shared.body
    (volume,) = shared.texts("volumeSet/item/volumeId")
    wait_until(lambda: one(ec2, volume)["State"] == "available", 30, "the copy is there")
    assert one(ec2, volume)["MultiAttachEnabled"] is True
    assert copy(MultiAttachEnabled="true").code == "InvalidParameterCombination"


def test_VOL_4_VOL_5_VOL_10_several_instances_have_the_volume_and_let_it_go(service):
    ec2 = service.client("ec2")
    first, second, third = launch(service, ec2, 3)
    volume = make(ec2)
    attach(ec2, volume, first, second)
    assert one(ec2, volume)["State"] == "in-use" and attachments(ec2, volume) == {first: "attached", second: "attached"}
    check_shared(service, volume, [first, second], "shared")
    attach(ec2, volume, third, device="/dev/sdg")
    for instance, device in ((first, "/dev/sdf"), (second, "/dev/sdf"), (third, "/dev/sdg")):
        for name, value in (("instance-id", instance), ("device", device), ("status", "attached")):
            found = ec2.describe_volumes(Filters=[{"Name": f"attachment.{name}", "Values": [value]}, {"Name": "volume-id", "Values": [volume]}])
            assert [v["VolumeId"] for v in found["Volumes"]] == [volume], (name, value)
        shown = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
        assert [m["DeviceName"] for m in shown if m["Ebs"]["VolumeId"] == volume] == [device], shown

    expect("VolumeInUse", ec2.attach_volume, VolumeId=volume, InstanceId=first, Device="/dev/sdh")
    expect("VolumeInUse", ec2.delete_volume, VolumeId=volume)
    expect("MissingParameter", ec2.detach_volume, VolumeId=volume)
    expect("InvalidAttachment.NotFound", ec2.detach_volume, VolumeId=volume, InstanceId=third, Device="/dev/sdf")
    assert ec2.detach_volume(VolumeId=volume, InstanceId=second)["InstanceId"] == second
    wait_detached(ec2, volume, second)
    assert one(ec2, volume)["State"] == "in-use" and attachments(ec2, volume) == {first: "attached", third: "attached"}
    expect("InvalidAttachment.NotFound", ec2.detach_volume, VolumeId=volume, InstanceId=second)
    check_shared(service, volume, [first, third], "without one")
    attach(ec2, volume, second)
    check_shared(service, volume, [first, second, third], "with it again")
    for instance in (first, second, third):
        ec2.detach_volume(VolumeId=volume, InstanceId=instance)
        wait_detached(ec2, volume, instance)
    assert one(ec2, volume)["State"] == "available"
    ec2.delete_volume(VolumeId=volume)


def test_VOL_11_sixteen_instances_of_its_zone_and_no_root(service):
    ec2 = service.client("ec2")
    instances = launch(service, ec2, MOST + 1)
    volume = make(ec2)
    attach(ec2, volume, *instances[:MOST])
    expect("AttachmentLimitExceeded", ec2.attach_volume, VolumeId=volume, InstanceId=instances[MOST], Device="/dev/sdf")
    check_shared(service, volume, instances[:MOST], "sixteen")
    ec2.detach_volume(VolumeId=volume, InstanceId=instances[0])
    wait_detached(ec2, volume, instances[0])
    attach(ec2, volume, instances[MOST])
    elsewhere = ec2.create_volume(AvailabilityZone="us-east-1b", Size=4, VolumeType="io2", Iops=100, MultiAttachEnabled=True)["VolumeId"]
    expect("InvalidVolume.ZoneMismatch", ec2.attach_volume, VolumeId=elsewhere, InstanceId=instances[0], Device="/dev/sdf")

    ec2.stop_instances(InstanceIds=instances[:1])
    wait_until(lambda: state(ec2, instances[0]) == "stopped", 30, "it is stopped")
    root = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": instances[:1]}])["Volumes"][0]
    device = root["Attachments"][0]["Device"]
    ec2.detach_volume(VolumeId=root["VolumeId"])
    expect("UnsupportedOperation", ec2.attach_volume, VolumeId=make(ec2), InstanceId=instances[0], Device=device)
    ec2.attach_volume(VolumeId=root["VolumeId"], InstanceId=instances[0], Device=device)
    modified(ec2, root["VolumeId"], VolumeType="io2", Size=4, Iops=100)
    expect("UnsupportedOperation", ec2.modify_volume, VolumeId=root["VolumeId"], MultiAttachEnabled=True)
    for instance in instances:
        ec2.terminate_instances(InstanceIds=[instance])


def test_VOL_7_VOL_11_the_last_of_its_instances_decides_whether_it_goes(service):
    ec2 = service.client("ec2")
    first, second, third, fourth = launch(service, ec2, 4)
    kept, gone = make(ec2), make(ec2)
    attach(ec2, kept, first, second)
    attach(ec2, gone, third, fourth)
    deletes(ec2, first, True)
    deletes(ec2, fourth, True)
    end(ec2, first)
    end(ec2, third)
    assert attachments(ec2, kept) == {second: "attached"} and one(ec2, kept)["State"] == "in-use"
    assert attachments(ec2, gone) == {fourth: "attached"}
    check_shared(service, kept, [second], "alone")
    end(ec2, second)
    end(ec2, fourth)
    assert one(ec2, kept)["State"] == "available" and not one(ec2, kept)["Attachments"]
    expect("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=[gone])


def test_VOL_8_VOL_9_multi_attach_is_enabled_and_disabled(service):
    ec2 = service.client("ec2")
    first, second = launch(service, ec2, 2)
    volume = make(ec2, enabled=False)
    attach(ec2, volume, first)
    expect("VolumeInUse", ec2.attach_volume, VolumeId=volume, InstanceId=second, Device="/dev/sdf")
    done = modified(ec2, volume, MultiAttachEnabled=True)  # while it is in use
    assert (done["OriginalMultiAttachEnabled"], done["TargetMultiAttachEnabled"]) == (False, True), done
    assert one(ec2, volume)["MultiAttachEnabled"] is True
    for name, value, found in (("original", "false", 1), ("original", "true", 0), ("target", "true", 1), ("target", "false", 0)):
        for written in ("-multi-attach-enabled", "MultiAttachEnabled"):  # EC2's reference has the second
            filters = [{"Name": name + written, "Values": [value]}, {"Name": "volume-id", "Values": [volume]}]
            assert len(ec2.describe_volumes_modifications(Filters=filters)["VolumesModifications"]) == found, (name, value)
    attach(ec2, volume, second)
    check_shared(service, volume, [first, second], "enabled")
    code, text = refusal(ec2.modify_volume, VolumeId=volume, MultiAttachEnabled=False)
    assert code == "IncorrectState" and "2 instances" in text, (code, text)
    expect("UnsupportedOperation", ec2.modify_volume, VolumeId=volume, VolumeType="gp3")
    done = modified(ec2, volume, Size=8, Iops=200)
    assert (done["OriginalMultiAttachEnabled"], done["TargetMultiAttachEnabled"]) == (True, True), done
    with disks(service, volume) as handles:
        assert {handle.get_size() for handle in handles.values()} == {8 << 30}
    ec2.detach_volume(VolumeId=volume, InstanceId=first)
    wait_detached(ec2, volume, first)
    done = modified(ec2, volume, MultiAttachEnabled=False)
    assert one(ec2, volume)["MultiAttachEnabled"] is False and attachments(ec2, volume) == {second: "attached"}
    expect("VolumeInUse", ec2.attach_volume, VolumeId=volume, InstanceId=first, Device="/dev/sdf")
    ec2.detach_volume(VolumeId=volume)
    wait_detached(ec2, volume, second)

    old = make(ec2, "io1")
    for changes in ({"MultiAttachEnabled": False}, {"Size": 8}, {"Iops": 120}, {"VolumeType": "io2"}):
        expect("UnsupportedOperation", ec2.modify_volume, VolumeId=old, **changes)
    expect("UnsupportedOperation", ec2.modify_volume, VolumeId=make(ec2, "io1", enabled=False), MultiAttachEnabled=True)
    plain = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    expect("InvalidParameterCombination", ec2.modify_volume, VolumeId=plain, MultiAttachEnabled=True)
    expect("DryRunOperation", ec2.modify_volume, VolumeId=make(ec2, enabled=False), MultiAttachEnabled=True, DryRun=True)


def test_VOL_11_a_restart_of_the_service_and_of_an_instance_leaves_all_attached(service):
    ec2 = service.client("ec2")
    first, second = launch(service, ec2, 2)
    volume = make(ec2)
    attach(ec2, volume, first, second)
    check_shared(service, volume, [first, second], "before")
    service.kill9()  # the scripted machines end with it
    service.start()
    ec2 = service.client("ec2")
    for instance in (first, second):
        wait_until(lambda i=instance: state(ec2, i) == "stopped", 30, "its machine is found to be gone")
    assert attachments(ec2, volume) == {first: "attached", second: "attached"}
    for instance in (first, second):
        start(ec2, instance)
    with disks(service, volume) as handles:
        assert [handle.pread(512, 512).rstrip(b"\0") for handle in handles.values()] == [b"before 1"] * 2

    ec2.stop_instances(InstanceIds=[first])
    wait_until(lambda: state(ec2, first) == "stopped", 30, "it is stopped")
    assert attachments(ec2, volume) == {first: "attached", second: "attached"}
    shown = json.loads(service.run("inspect", second).stdout)["volumes"]
    (disk,) = [v for v in shown if v["volumeId"] == volume]
    assert disk["instanceId"] == second and disk["otherAttachments"][0]["instanceId"] == first, disk
    assert not os.path.exists(disk["otherAttachments"][0]["socket"])
    handle = nbd.NBD()
    handle.connect_unix(disk["socket"])
    handle.pwrite(b"meanwhile".ljust(512, b"\0"), 4096)
    handle.shutdown()
    start(ec2, first)
    with disks(service, volume) as handles:
        assert handles[first].pread(512, 4096).rstrip(b"\0") == b"meanwhile"

    task = ec2.create_replace_root_volume_task(InstanceId=first)["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]

    def over():
        found = ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[task])
        return found["ReplaceRootVolumeTasks"][0]["TaskState"] == "succeeded"

    wait_until(over, 60, "it has another root")
    check_shared(service, volume, [first, second], "beside another root")


def test_SNP_8_CI_8_snapshots_and_images_of_one_instance_hold_it(service):
    ec2 = service.client("ec2")
    first, second = launch(service, ec2, 2)
    volume = make(ec2)
    attach(ec2, volume, first, second)
    with disks(service, volume) as handles:
        handles[first].pwrite(b"by the first".ljust(512, b"\0"), 0)
        handles[second].pwrite(b"by the second".ljust(512, b"\0"), 512)
    made = ec2.create_snapshots(InstanceSpecification={"InstanceId": second})["Snapshots"]
    (snapshot,) = [s["SnapshotId"] for s in made if s["VolumeId"] == volume]
    copy = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    handle = nbd.NBD()
    handle.connect_unix(json.loads(service.run("nbd", copy).stdout)["socket"])
    assert [handle.pread(512, at).rstrip(b"\0") for at in (0, 512)] == [b"by the first", b"by the second"]
    handle.shutdown()
    expect("InvalidParameterValue", ec2.create_snapshots, InstanceSpecification={"InstanceId": launch(service, ec2)[0], "ExcludeDataVolumeIds": [volume]})

    image = ec2.create_image(InstanceId=first, Name="with a shared volume", NoReboot=True)["ImageId"]
    mapping = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    (entry,) = [m["Ebs"] for m in mapping if m["DeviceName"] == "/dev/sdf"]
    assert (entry["VolumeType"], entry["Iops"], entry["VolumeSize"]) == ("io2", 100, 4), entry
    wait_until(lambda: ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", 60, "the image is there")
    made = ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    wait_until(lambda: state(ec2, made) == "running", 30, "it runs")
    found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"]
    assert not any(v["MultiAttachEnabled"] for v in found), "a launch enables it for none"


def test_VOL_17_its_status_names_its_instances(service):
    ec2 = service.client("ec2")
    first, second = launch(service, ec2, 2)
    volume = make(ec2)
    attach(ec2, volume, first, second)
    answer = query(service, "DescribeVolumeStatus", {"VolumeId.1": volume})
    place = "volumeStatusSet/item/attachmentStatuses/item"
    assert answer.texts(f"{place}/instanceId") == [first, second], answer.body
    assert answer.texts(f"{place}/ioPerformance") == ["not-applicable"] * 2


if __name__ == "__main__":
    kiln_test.main(seconds=240)
