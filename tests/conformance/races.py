#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Races: requests that cannot all have their way, from many threads at one moment, against a real daemon. Each race is run a number of
rounds (ROUNDS=100 for more); which outcomes may stand beside each other is asserted in every one, and which ways it went is printed. At
the end the store is checked."""

import base64
import collections
import hashlib
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.calls import Signer, call, status_line  # noqa: E402

ZONE = "us-east-1a"
BLOCK = os.urandom(524288)
SUM = base64.b64encode(hashlib.sha256(BLOCK).digest()).decode()
ROUNDS = int(os.environ.get("ROUNDS", "12"))


@kiln_test.fixture
def kiln():
    with kiln_test.api_service("--gc-grace", "0") as daemon:
        daemon.wait_stored(daemon.snapshot)
        daemon.friend = daemon.account("friend")
        yield daemon


def ask(kiln, operation, pair=None, service="ec2", region="us-east-1", **parameters):
    """One request on a connection of its own; `A_1_B` is A.1.B."""
    flat = parameters if service == "ebs" else {name.replace("_", "."): value for name, value in parameters.items()}
    return call(kiln.endpoint, service, operation, flat, Signer(pair or (kiln.access_key, kiln.secret_key), region))


def good(answer):
    assert not answer.code, status_line(answer)
    return answer


def one(answer, element):
    """The text of the first element of that name."""
    return re.search(rf"<{element}>([^<]*)</{element}>", good(answer).body)[1]


def race(*requests):
    """All at one moment, in threads; the answers in their order."""
    start, answers = threading.Barrier(len(requests)), [None] * len(requests)

    def run(at, request):
        start.wait(30)
        try:
            answers[at] = request()
        except Exception as error:  # pylint: disable=broad-except
            answers[at] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    assert None not in answers, "a request was not answered"
    return answers


def codes(answers):
    return [answer.code or "done" for answer in answers]


class Ways:
    """Counts how it went; only these outcomes may be."""

    def __init__(self, name):
        self.name, self.seen = name, collections.Counter()

    def went(self, way):
        self.seen[way] += 1

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        print(f"{self.name}: " + ", ".join(f"{way} {count}" for way, count in sorted(self.seen.items())))


def register(kiln, name, snapshot):
    disk = {"RootDeviceName": "/dev/xvda", "BlockDeviceMapping_1_DeviceName": "/dev/xvda", "BlockDeviceMapping_1_Ebs_SnapshotId": snapshot}
    return ask(kiln, "RegisterImage", Name=name, Architecture="x86_64", VirtualizationType="hvm", EnaSupport="true", **disk)


def copied(kiln):
    return one(ask(kiln, "CopySnapshot", SourceRegion="us-east-1", SourceSnapshotId=kiln.snapshot), "snapshotId")


def run(kiln, image, pair=None, **more):
    usual = {"InstanceType": "t3.nano", "MinCount": "1", "MaxCount": "1", "Placement_AvailabilityZone": ZONE}
    return ask(kiln, "RunInstances", pair, ImageId=image, **(usual | more))


def running(kiln):
    made = one(run(kiln, kiln.image), "instanceId")
    wait_for(kiln, made, "running")
    return made


def state(kiln, instance, pair=None):
    return re.search(r"<instanceState><code>\d+</code><name>([^<]*)<", good(ask(kiln, "DescribeInstances", pair, InstanceId_1=instance)).body)[1]


def wait_for(kiln, instance, wanted, pair=None):
    wait_until(lambda: state(kiln, instance, pair) == wanted, 30, f"{instance} is {wanted}")


def end(kiln, *instances):
    for instance in instances:
        good(ask(kiln, "TerminateInstances", InstanceId_1=instance))
    for instance in instances:
        wait_for(kiln, instance, "terminated")


def volume(kiln, **more):
    made = one(ask(kiln, "CreateVolume", AvailabilityZone=ZONE, **(more or {"Size": "1"})), "volumeId")
    wait_until(lambda: volume_state(kiln, made) == "available", 30, "the volume is there")
    return made


def volume_state(kiln, name):
    return re.search(r"<status>([^<]*)</status>", good(ask(kiln, "DescribeVolumes", VolumeId_1=name)).body)[1]


def image_state(kiln, image):
    return one(ask(kiln, "DescribeImages", ImageId_1=image), "imageState")


def own_snapshots(kiln):
    return set(re.findall(r"<snapshotId>(snap-[0-9a-f]+)<", good(ask(kiln, "DescribeSnapshots", Owner_1="self")).body))


def blocks(kiln, snapshot):
    return [int(index) for index in re.findall(r'"BlockIndex": ?(\d+)', good(ask(kiln, "ListSnapshotBlocks", service="ebs", SnapshotId=snapshot)).body)]


def put(kiln, snapshot, index):
    return ask(kiln, "PutSnapshotBlock", service="ebs", SnapshotId=snapshot, BlockIndex=index, DataLength=524288, Checksum=SUM, ChecksumAlgorithm="SHA256", bytes=BLOCK)


def complete(kiln, snapshot, count):
    return ask(kiln, "CompleteSnapshot", service="ebs", SnapshotId=snapshot, ChangedBlocksCount=count)


def test_RACE_1_what_was_made_is_found_at_once(kiln):
    def make_and_look(number):
        made = one(ask(kiln, "CreateSecurityGroup", GroupName=f"group {number}", GroupDescription="x"), "groupId")
        good(ask(kiln, "DescribeSecurityGroups", GroupId_1=made))
        snapshot = copied(kiln)
        good(ask(kiln, "DescribeSnapshots", SnapshotId_1=snapshot))
        image = one(register(kiln, f"found at once {number}", snapshot), "imageId")
        good(ask(kiln, "DescribeImages", ImageId_1=image))
        made = one(ask(kiln, "CreateVolume", AvailabilityZone=ZONE, SnapshotId=snapshot), "volumeId")
        good(ask(kiln, "CreateTags", ResourceId_1=made, Tag_1_Key="a", Tag_1_Value="b"))
        assert "<key>a</key>" in good(ask(kiln, "DescribeVolumes", VolumeId_1=made)).body
        return good(ask(kiln, "DeregisterImage", ImageId=image))

    race(*(lambda number=number: make_and_look(number) for number in range(16)))


def test_RACE_2_one_of_many_gets_a_name_and_the_others_leave_nothing(kiln):
    source = running(kiln)
    with Ways("the name went to") as ways:
        for number in range(ROUNDS):
            snapshot, before, name = copied(kiln), own_snapshots(kiln), f"wanted by many {number}"
            makers = {
                "RegisterImage": lambda snapshot=snapshot, name=name: register(kiln, name, snapshot),
                "CreateImage": lambda name=name: ask(kiln, "CreateImage", InstanceId=source, Name=name, NoReboot="true"),
                "CopyImage": lambda name=name: ask(kiln, "CopyImage", SourceImageId=kiln.image, SourceRegion="us-east-1", Name=name),
            }
            wanted = [kind for kind in makers for _ in range(5)]
            answers = race(*(makers[kind] for kind in wanted))
            assert sorted(codes(answers)) == ["InvalidAMIName.Duplicate"] * 14 + ["done"], codes(answers)
            (won,) = [at for at, answer in enumerate(answers) if not answer.code]
            ways.went(wanted[won])
            image = one(answers[won], "imageId")
            wait_until(lambda image=image: image_state(kiln, image) == "available", 30, "the image is there")
            found = good(ask(kiln, "DescribeImages", Filter_1_Name="name", Filter_1_Value_1=name))
            assert re.findall(r"<imageId>(.*?)<", found.body) == [image]
            added = own_snapshots(kiln) - before - {snapshot}
            assert len(added) == (0 if wanted[won] == "RegisterImage" else 1), (wanted[won], added)
            good(ask(kiln, "DeregisterImage", ImageId=image, DeleteAssociatedSnapshots="true"))
    end(kiln, source)


def test_RACE_4_a_launch_that_was_let_in_is_done_and_none_begins_after(kiln):
    with Ways("launches that came before the end") as ways:
        for number in range(ROUNDS):
            snapshot = copied(kiln)
            image = one(register(kiln, f"ends {number}", snapshot), "imageId")
            how = ("DeregisterImage", "DisableImage")[number % 2]
            answers = race(lambda: ask(kiln, how, ImageId=image), *(lambda: run(kiln, image) for _ in range(5)))
            assert codes(answers)[0] == "done" and set(codes(answers)[1:]) <= {"done", "InvalidAMIID.Unavailable"}, [status_line(answer) for answer in answers]
            assert run(kiln, image).code == "InvalidAMIID.Unavailable"
            launched = [one(answer, "instanceId") for answer in answers[1:] if not answer.code]
            ways.went(f"{len(launched)}:")
            if how == "DeregisterImage":
                good(ask(kiln, "DeleteSnapshot", SnapshotId=snapshot))
            for instance in launched:
                wait_for(kiln, instance, "running")
            end(kiln, *launched)


def test_RACE_4_a_copy_is_whole_or_there_is_none(kiln):
    with Ways("copies that came before the end") as ways:
        for number in range(ROUNDS):
            image = one(register(kiln, f"copied {number}", copied(kiln)), "imageId")
            copies = [lambda at=at: ask(kiln, "CopyImage", region="eu-west-1", SourceImageId=image, SourceRegion="us-east-1", Name=f"copy {number} {at}") for at in range(4)]
            answers = race(lambda: ask(kiln, "DeregisterImage", ImageId=image, DeleteAssociatedSnapshots="true"), *copies)
            assert codes(answers)[0] == "done" and set(codes(answers)[1:]) <= {"done", "InvalidAMIID.Unavailable"}, [status_line(answer) for answer in answers]
            assert "<returnCode>success</returnCode>" in answers[0].body
            made = [one(answer, "imageId") for answer in answers[1:] if not answer.code]
            ways.went(f"{len(made)}:")
            kiln.run("gc")
            for copy in made:
                found = good(ask(kiln, "DescribeImages", region="eu-west-1", ImageId_1=copy))
                snapshot = one(found, "snapshotId")
                listed = good(ask(kiln, "ListSnapshotBlocks", service="ebs", region="eu-west-1", SnapshotId=snapshot)).body
                assert re.findall(r'"BlockIndex": ?(\d+)', listed) == ["0"] and one(found, "imageState") == "available"
                good(ask(kiln, "DeregisterImage", region="eu-west-1", ImageId=copy, DeleteAssociatedSnapshots="true"))


def test_RACE_5_who_may_launch_is_decided_once(kiln):
    image = one(register(kiln, "given and taken", copied(kiln)), "imageId")
    permission = {"LaunchPermission_%s_1_UserId": kiln.friend.id}
    with Ways("launches that came before the permission went") as ways:
        for _ in range(ROUNDS):
            good(ask(kiln, "ModifyImageAttribute", ImageId=image, **{name % "Add": value for name, value in permission.items()}))
            answers = race(
                lambda: ask(kiln, "ModifyImageAttribute", ImageId=image, **{name % "Remove": value for name, value in permission.items()}),
                *(lambda: run(kiln, image, kiln.friend.pair) for _ in range(5)),
            )
            assert codes(answers)[0] == "done" and set(codes(answers)[1:]) <= {"done", "AuthFailure"}, codes(answers)
            assert run(kiln, image, kiln.friend.pair).code == "AuthFailure"
            launched = [one(answer, "instanceId") for answer in answers[1:] if not answer.code]
            ways.went(f"{len(launched)}:")
            for instance in launched:
                wait_for(kiln, instance, "running", kiln.friend.pair)
                good(ask(kiln, "TerminateInstances", kiln.friend.pair, InstanceId_1=instance))
                wait_for(kiln, instance, "terminated", kiln.friend.pair)


def test_RACE_6_stopped_or_ended_while_its_image_is_made(kiln):
    with Ways("the image") as ways:
        for number in range(ROUNDS):
            instance, how = running(kiln), ("StopInstances", "TerminateInstances")[number % 2]
            made, ended = race(lambda: ask(kiln, "CreateImage", InstanceId=instance, Name=f"meanwhile {number}"), lambda: ask(kiln, how, InstanceId_1=instance))
            assert made.code in ("", "InvalidParameterValue", "InvalidInstanceID.NotFound") and ended.code in ("", "IncorrectInstanceState"), (status_line(made), status_line(ended))
            if made.code:
                assert not ended.code, "one of both was first"
                ways.went(f"{how}: was refused")
            else:
                image = one(made, "imageId")
                wait_until(lambda: image_state(kiln, image) != "pending", 60, "it is decided")
                decided = image_state(kiln, image)
                assert decided == "available" or (decided == "failed" and how == "TerminateInstances"), decided
                ways.went(f"{how}: {decided}")
                good(ask(kiln, "DeregisterImage", ImageId=image, DeleteAssociatedSnapshots="true"))
            if ended.code:
                wait_for(kiln, instance, "running")
            else:
                wait_for(kiln, instance, "stopped" if how == "StopInstances" else "terminated")
            end(kiln, instance)


def test_RACE_7_an_instance_starts_while_its_volumes_are_cut(kiln):
    instance = running(kiln)
    for _ in range(ROUNDS):
        good(ask(kiln, "StopInstances", InstanceId_1=instance))
        wait_for(kiln, instance, "stopped")
        answers = race(lambda: ask(kiln, "StartInstances", InstanceId_1=instance), lambda: ask(kiln, "CreateSnapshots", InstanceSpecification_InstanceId=instance))
        assert not answers[0].code and answers[1].code in ("", "IncorrectInstanceState"), [status_line(answer) for answer in answers]
        wait_for(kiln, instance, "running")
        if not answers[1].code:
            cut = one(answers[1], "snapshotId")
            wait_until(lambda: one(ask(kiln, "DescribeSnapshots", SnapshotId_1=cut), "status") == "completed", 30, "the snapshot is completed")
            good(ask(kiln, "DeleteSnapshot", SnapshotId=cut))
    end(kiln, instance)


def test_RACE_8_a_volume_goes_to_one_and_is_changed_by_one(kiln):
    instances = [running(kiln) for _ in range(3)]
    for _ in range(ROUNDS):
        made = volume(kiln)
        attach = [lambda at=at: ask(kiln, "AttachVolume", VolumeId=made, InstanceId=instances[at % 3], Device=f"/dev/sd{'fghijk'[at // 3]}") for at in range(9)]
        answers = race(*attach)
        assert sorted(codes(answers)) == ["VolumeInUse"] * 8 + ["done"], codes(answers)
        wait_until(lambda: "<status>attached</status>" in ask(kiln, "DescribeVolumes", VolumeId_1=made).body, 30, "it is attached")
        answers = race(*(lambda: ask(kiln, "DetachVolume", VolumeId=made) for _ in range(6)))
        assert codes(answers).count("done") == 1 and set(codes(answers)) <= {"done", "IncorrectState"}, codes(answers)
        wait_until(lambda: volume_state(kiln, made) == "available", 30, "it is detached")
        sizes = [2, 3, 4, 5, 6, 7]  # one after the other, so never a smaller one after a larger, and not one of them lost
        answers = race(*(lambda size=size: ask(kiln, "ModifyVolume", VolumeId=made, Size=str(size)) for size in sizes))
        grown = [size for size, answer in zip(sizes, answers) if not answer.code]
        others = {"IncorrectModificationState", "InvalidParameterValue", "VolumeModificationRateExceeded"}
        assert 1 <= len(grown) <= 4 and set(codes(answers)) <= {"done"} | others, codes(answers)
        wait_until(lambda: one(ask(kiln, "DescribeVolumesModifications", VolumeId_1=made), "modificationState") == "completed", 30, "it is modified")
        assert one(ask(kiln, "DescribeVolumes", VolumeId_1=made), "size") == str(max(grown)), (grown, codes(answers))
        answers = race(*(lambda: ask(kiln, "DeleteVolume", VolumeId=made) for _ in range(6)))
        assert "done" in codes(answers) and set(codes(answers)) <= {"done", "IncorrectState", "InvalidVolume.NotFound"}, codes(answers)
    end(kiln, *instances)


def test_RACE_8_attaching_and_deleting_and_two_volumes_for_one_device(kiln):
    instance = running(kiln)
    with Ways("attaching against deleting") as ways:
        for _ in range(ROUNDS):
            made = volume(kiln)
            attached, deleted = race(lambda: ask(kiln, "AttachVolume", VolumeId=made, InstanceId=instance, Device="/dev/sdf"), lambda: ask(kiln, "DeleteVolume", VolumeId=made))
            assert (not attached.code) != (not deleted.code), codes([attached, deleted])
            if attached.code:
                assert attached.code in ("IncorrectState", "InvalidVolume.NotFound"), status_line(attached)
                ways.went("deleted")
                continue
            assert deleted.code == "VolumeInUse", status_line(deleted)
            ways.went("attached")
            wait_until(lambda: "<status>attached</status>" in ask(kiln, "DescribeVolumes", VolumeId_1=made).body, 30, "it is attached")
            good(ask(kiln, "DetachVolume", VolumeId=made))
            wait_until(lambda: volume_state(kiln, made) == "available", 30, "it is detached")
            good(ask(kiln, "DeleteVolume", VolumeId=made))
    rivals = [volume(kiln) for _ in range(4)]
    answers = race(*(lambda name=name: ask(kiln, "AttachVolume", VolumeId=name, InstanceId=instance, Device="/dev/sdf") for name in rivals))
    assert sorted(codes(answers)) == ["InvalidParameterValue"] * 3 + ["done"], codes(answers)
    end(kiln, instance)


def test_RACE_9_one_token_from_sixteen_threads_launches_once(kiln):
    for number in range(ROUNDS):
        answers = race(*(lambda: run(kiln, kiln.image, ClientToken=f"token {number}", MinCount="2", MaxCount="2") for _ in range(16)))
        launched = {tuple(sorted(set(re.findall(r"<instanceId>(i-[0-9a-f]+)<", good(answer).body)))) for answer in answers}
        assert len(launched) == 1, launched
        (instances,) = launched
        found = good(ask(kiln, "DescribeInstances", Filter_1_Name="client-token", Filter_1_Value_1=f"token {number}"))
        assert sorted(re.findall(r"<instanceId>(i-[0-9a-f]+)<", found.body)) == list(instances) and len(instances) == 2
        end(kiln, *instances)
    # CreateVolume and CopyImage have tokens too.
    for operation, element, parameters in (
        ("CreateVolume", "volumeId", {"AvailabilityZone": ZONE, "Size": "1"}),
        ("CopyImage", "imageId", {"SourceImageId": kiln.image, "SourceRegion": "us-east-1", "Name": "by token"}),
    ):
        answers = race(*(lambda: ask(kiln, operation, ClientToken="many", **parameters) for _ in range(16)))
        assert len({one(answer, element) for answer in answers}) == 1, operation


def test_RACE_9_ended_by_many_at_once(kiln):
    with Ways("beside the ends") as ways:
        for number in range(ROUNDS):
            instance, other = running(kiln), ("StopInstances", "RebootInstances", "StartInstances")[number % 3]
            answers = race(lambda: ask(kiln, other, InstanceId_1=instance), *(lambda: ask(kiln, "TerminateInstances", InstanceId_1=instance) for _ in range(8)))
            assert set(codes(answers)[1:]) == {"done"} and codes(answers)[0] in ("done", "IncorrectInstanceState"), codes(answers)
            ways.went(f"{other} {codes(answers)[0]}")
            wait_for(kiln, instance, "terminated")
    assert not re.findall(r"<status>in-use<", good(ask(kiln, "DescribeVolumes")).body), "no volume is left attached"


def test_RACE_10_what_is_made_of_a_snapshot_outlives_it(kiln):
    with Ways("made of it before it went") as ways:
        for _ in range(ROUNDS):
            snapshot = copied(kiln)
            makers = [lambda: ask(kiln, "CreateVolume", AvailabilityZone=ZONE, SnapshotId=snapshot)] * 3 + [lambda: ask(kiln, "CopySnapshot", SourceRegion="us-east-1", SourceSnapshotId=snapshot)] * 3
            answers = race(lambda: ask(kiln, "DeleteSnapshot", SnapshotId=snapshot), *makers)
            assert codes(answers)[0] == "done" and set(codes(answers)[1:]) <= {"done", "InvalidSnapshot.NotFound"}, codes(answers)
            kiln.run("gc")
            made = [answer for answer in answers[1:] if not answer.code]
            ways.went(f"{len(made)}:")
            for answer in made:
                if "<volumeId>" in answer.body and "CreateVolumeResponse" in answer.body:
                    name = one(answer, "volumeId")
                    wait_until(lambda name=name: volume_state(kiln, name) == "available", 30, "the volume is there")
                    cut = one(ask(kiln, "CreateSnapshot", VolumeId=name), "snapshotId")
                    wait_until(lambda cut=cut: one(ask(kiln, "DescribeSnapshots", SnapshotId_1=cut), "status") == "completed", 30, "the snapshot is completed")
                    good(ask(kiln, "DeleteVolume", VolumeId=name))
                else:
                    cut = one(answer, "snapshotId")
                assert blocks(kiln, cut) == [0]
                good(ask(kiln, "DeleteSnapshot", SnapshotId=cut))


def test_RACE_11_completed_once_and_nothing_put_after(kiln):
    with Ways("the late block") as ways:
        for _ in range(ROUNDS):
            upload = re.search(r'"SnapshotId": ?"(snap-[0-9a-f]+)"', good(ask(kiln, "StartSnapshot", service="ebs", VolumeSize=1)).body)[1]
            for index in range(3):
                good(put(kiln, upload, index))
            answers = race(*(lambda: complete(kiln, upload, 3) for _ in range(4)), lambda: put(kiln, upload, 7), lambda: put(kiln, upload, 8))
            done, late = codes(answers)[:4], codes(answers)[4:]
            assert set(done) <= {"done", "ValidationException"} and set(late) <= {"done", "ValidationException"}, (done, late)
            # Either it was completed with three, or none of these was right, since a fourth had come.
            if "done" in done:
                assert late == ["ValidationException"] * 2, (done, late)
                kept = [0, 1, 2]
            else:
                kept = [0, 1, 2] + [7 + at for at in range(2) if late[at] == "done"]
                assert len(kept) > 3, (done, late)
                good(complete(kiln, upload, len(kept)))
            ways.went("was refused" if "done" in done else "was put")
            wait_until(lambda: one(ask(kiln, "DescribeSnapshots", SnapshotId_1=upload), "status") == "completed", 30, "it is completed")
            assert put(kiln, upload, 9).code == "ValidationException" and blocks(kiln, upload) == kept
            assert codes(race(*(lambda: complete(kiln, upload, len(kept)) for _ in range(4)))) == ["done"] * 4  # it is said again
            good(ask(kiln, "DeleteSnapshot", SnapshotId=upload))


def test_RACE_13_an_image_that_is_available_stays_so(kiln):
    source = running(kiln)
    for number in range(ROUNDS):
        image = one(ask(kiln, "CreateImage", InstanceId=source, Name=f"watched {number}"), "imageId")

        def watch():
            seen = []
            while not seen or seen[-1] != "available" or seen.count("available") < 5:
                seen.append(image_state(kiln, image))
                assert len(seen) < 3000, "it does not become available"
            return types_of(seen)

        for order in race(*(watch for _ in range(4))):
            assert order in (["pending", "available"], ["available"]), order
        good(ask(kiln, "DeregisterImage", ImageId=image, DeleteAssociatedSnapshots="true"))
        wait_for(kiln, source, "running")
    end(kiln, source)


def types_of(seen):
    """The states in their order, each run of one as one."""
    return [state for at, state in enumerate(seen) if at == 0 or seen[at - 1] != state]


def test_the_store_is_sound_after_all_of_this(kiln):
    kiln.run("gc")
    kiln.stop()
    checked = kiln.run("fsck", "--data", kiln.data, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    kiln.start()
    states = re.findall(r"<instanceState><code>\d+</code><name>([^<]*)<", good(ask(kiln, "DescribeInstances")).body)
    assert set(states) <= {"terminated"}, states
    assert "<status>in-use" not in good(ask(kiln, "DescribeVolumes")).body


if __name__ == "__main__":
    kiln_test.main(seconds=240)
