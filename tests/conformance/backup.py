#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln backup and restore: a whole store, copied while it is written to, comes back byte for byte; what is damaged or cut short is
refused and leaves nothing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

import nbd

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402

MIB = 1 << 20
RECORD_BYTES = 4096


def run(*words, seconds=120, check=True, **more):
    done = subprocess.run(
        list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False,
        env=clean_environment(), **more,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def write_disk(path, size):
    with open(path, "wb") as disk:
        disk.truncate(size)
        for offset in (0, 5 * MIB + 4096, size - 4096):
            disk.seek(offset)
            disk.write(os.urandom(4096))


def launch(kiln, image, **more):
    made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t2.nano", MinCount=1, MaxCount=1, **more)
    instance = made["Instances"][0]["InstanceId"]
    wait_until(lambda: state_of(kiln, instance) == "running", 30, f"{instance} runs")
    return instance


def state_of(kiln, instance):
    return kiln.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]


def disks_of(kiln, instance):
    return json.loads(kiln.run("inspect", instance).stdout)["volumes"]


def connect(socket):
    handle = nbd.NBD()
    handle.connect_unix(socket)
    return handle


def fill(socket):
    """More than sockets and pipes hold, so that a backup is under way for as long as nobody reads it."""
    writer = connect(socket)
    for offset in range(256 * MIB, 288 * MIB, MIB):
        writer.pwrite(os.urandom(MIB), offset)
    writer.flush()
    writer.shutdown()


class Records(threading.Thread):
    """Writes record n to the first socket, waits for it to be durable, then to the second: in every instant the first has the
    second's number or one more. Stopped by stop()."""

    def __init__(self, sockets):
        super().__init__()
        self.sockets, self.number, self.over = sockets, 0, threading.Event()
        self.failure = None

    def run(self):
        try:
            writers = [connect(socket) for socket in self.sockets]
            while not self.over.is_set():
                self.number += 1
                for writer in writers:
                    writer.pwrite(record(self.number), self.number * RECORD_BYTES)
                    writer.flush()
            for writer in writers:
                writer.shutdown()
        except nbd.Error as error:
            self.failure = f"record {self.number}: {error}"

    def wait_for_more(self, count):
        wanted = self.number + count
        wait_until(lambda: self.number > wanted or self.failure, 60, "records are written")
        assert not self.failure, self.failure

    def stop(self):
        self.over.set()
        self.join(60)
        assert not self.failure, self.failure


def record(number):
    return f"record {number}\n".encode().ljust(RECORD_BYTES, b"\0")


def last_record(kiln, volume):
    """The number of the last record on a volume; every one before it is there, and none after it."""
    handle = connect(json.loads(kiln.run("nbd", volume).stdout)["socket"])
    number = 0
    while handle.pread(RECORD_BYTES, (number + 1) * RECORD_BYTES) == record(number + 1):
        number += 1
    assert not any(handle.pread(MIB, (number + 1) * RECORD_BYTES)), f"something follows record {number}"
    handle.shutdown()
    kiln.run("nbd", volume, "--stop")
    return number


class Store:
    """An image, a running instance with two data volumes, a snapshot of one of them, and a backup of all that."""

    def __init__(self, kiln):
        self.kiln = kiln
        self.raw = os.path.join(kiln.home, "disk.raw")
        write_disk(self.raw, 64 * MIB)
        self.image = json.loads(kiln.run("import", self.raw, "--name", "disk", "--json").stdout)
        mapping = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}, {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 1}}]
        self.instance = launch(kiln, self.image["imageId"], BlockDeviceMappings=mapping)
        disks = {disk["device"]: disk for disk in disks_of(kiln, self.instance)}
        self.data = [disks["/dev/sdf"], disks["/dev/sdg"]]
        self.snapshot = kiln.client("ec2").create_snapshot(VolumeId=self.data[0]["volumeId"])["SnapshotId"]
        kiln.client("ec2").create_tags(Resources=[self.instance], Tags=[{"Key": "Name", "Value": "kept"}])
        self.file = os.path.join(kiln.home, "store.kiln")
        kiln.run("backup", self.file)


@kiln_test.fixture
def store():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        yield Store(kiln)


def restored(file):
    """A daemon on a directory restored from `file`."""
    kiln = kiln_test.Kiln("--hypervisor", "fake")
    try:
        done = run(KILN, "restore", file, "--data", kiln.data, check=False)
        assert done.returncode == 0, done.stderr
    except BaseException:
        kiln.close()
        raise
    return kiln


def in_use(kiln):
    return os.path.exists(os.path.join(kiln.data, "backup"))


def test_BAK_1_BAK_2_a_backup_under_load_comes_back_as_it_was_at_one_instant(store):
    kiln, file = store.kiln, os.path.join(store.kiln.home, "under-load.kiln")
    records = Records([disk["socket"] for disk in store.data])
    records.start()
    records.wait_for_more(20)
    before = records.number
    kiln.run("backup", file)
    after = records.number
    records.wait_for_more(20)
    records.stop()
    assert os.stat(file).st_mode & 0o777 == 0o600
    wait_until(lambda: not in_use(kiln), 30, "what the backup held is given back")
    told = kiln.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert sorted(s["SnapshotId"] for s in told) == sorted([store.snapshot, store.image["snapshotId"]]), told
    with restored(file) as copy:
        wait_until(lambda: state_of(copy, store.instance) == "stopped", 60, "the instance is stopped")
        numbers = [last_record(copy, disk["volumeId"]) for disk in store.data]
        assert numbers[1] <= numbers[0] <= numbers[1] + 1, numbers
        assert before - 1 <= numbers[1] and numbers[0] <= after + 1, (before, numbers, after)
        check_copy(store, copy)


def check_copy(store, copy):
    """What is restored is as it was, and works."""
    ec2 = copy.client("ec2")
    names = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [store.instance]}])["Tags"]
    assert [tag["Value"] for tag in names] == ["kept"], names
    path = os.path.join(copy.home, "out.raw")
    copy.run("export", store.image["imageId"], path)
    run("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", path, store.raw)
    ec2.start_instances(InstanceIds=[store.instance])
    wait_until(lambda: state_of(copy, store.instance) == "running", 60, "the instance runs again")
    (disk,) = [d for d in disks_of(copy, store.instance) if d["volumeId"] == store.data[0]["volumeId"]]
    writer = connect(disk["socket"])
    writer.pwrite(b"\x09" * 65536, 512 * MIB)
    writer.flush()
    writer.shutdown()
    made = ec2.create_snapshot(VolumeId=disk["volumeId"])["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    launch(copy, store.image["imageId"])
    copy.run("gc")
    copy.restart()
    second = os.path.join(copy.home, "again.raw")
    copy.run("export", store.image["imageId"], second)
    run("cmp", path, second)


def test_backups_go_through_pipes_and_replace_no_file_unasked(store):
    kiln = store.kiln
    piped = subprocess.run(backup_to_pipe(kiln), stdin=subprocess.DEVNULL, capture_output=True, check=True, env=clean_environment())
    with tempfile.TemporaryDirectory(dir=kiln.home) as place:
        target = os.path.join(place, "data")
        done = subprocess.run([KILN, "restore", "-", "--data", target], input=piped.stdout, capture_output=True, check=True)
        assert target in done.stdout.decode(), done.stdout
        assert oct(os.stat(target).st_mode & 0o777) == "0o700"
        assert all(os.stat(os.path.join(target, name)).st_mode & 0o077 == 0 for name in os.listdir(target))
    path = os.path.join(kiln.home, "twice.kiln")
    kiln.run("backup", path)
    refused = kiln.run("backup", path, check=False)
    assert refused.returncode == 1 and "exists" in refused.stderr, refused.stderr
    kiln.run("backup", path, "--force")


def backup_to_pipe(kiln):
    return [KILN, "backup", "-", "--data", kiln.data]


def test_BAK_4_a_second_backup_at_the_same_time_is_refused(store):
    kiln, path = store.kiln, os.path.join(store.kiln.home, "second.kiln")
    fill(store.data[1]["socket"])
    with subprocess.Popen(backup_to_pipe(kiln), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment()) as first:
        wait_until(lambda: in_use(kiln) and first.stdout.read(8) == b"KILNBAK1", 60, "the first has begun")
        refused = kiln.run("backup", path, check=False)
        assert refused.returncode == 1 and "Another backup is under way" in refused.stderr, refused.stderr
        assert not os.path.exists(path) and not os.path.exists(path + ".part")
        first.stdout.read()
        assert first.wait(60) == 0
    wait_until(lambda: not in_use(kiln), 30, "the first has ended")
    kiln.run("backup", path)


def test_BAK_3_a_damaged_backup_is_refused_and_leaves_nothing(store):
    kiln = store.kiln
    with open(store.file, "rb") as file:
        good = bytearray(file.read())
    place = os.path.join(kiln.home, "damaged")
    os.mkdir(place)
    target = os.path.join(place, "data")
    bad = os.path.join(kiln.home, "bad.kiln")
    step = max(1, len(good) // 23)
    for at in list(range(0, len(good), step)) + [len(good) - 1]:
        flipped = bytearray(good)
        flipped[at] ^= 0x10
        for what, content in (("a flipped bit", flipped), ("an early end", good[:at])):
            with open(bad, "wb") as file:
                file.write(content)
            done = run(KILN, "restore", bad, "--data", target, check=False)
            assert done.returncode == 1 and (b"damaged" in done.stderr or b"not a backup" in done.stderr), (what, at, done.stderr)
            assert not os.listdir(place), (what, at, os.listdir(place))
    with open(bad, "wb") as file:
        file.write(good + b"x")
    assert run(KILN, "restore", bad, "--data", target, check=False).returncode == 1
    assert not os.listdir(place)


def test_BAK_3_a_restore_that_is_killed_leaves_no_store(store):
    place = os.path.join(store.kiln.home, "killed")
    os.mkdir(place)
    target = os.path.join(place, "data")
    with open(store.file, "rb") as file:
        good = file.read()
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([KILN, "restore", "-", "--data", target], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(good[: len(good) // 2])
        process.stdin.flush()
        wait_until(lambda: os.listdir(place), 30, "it has begun")
        process.send_signal(number)
        assert process.wait(30) == -number
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
        left = os.listdir(place)
        assert not left if number == signal.SIGTERM else [name[:15] for name in left] == ["data.restoring-"], left
    # The next one clears away what the killed one left, and nothing else.
    os.mkdir(os.path.join(place, "data.restoring-mine"))
    run(KILN, "restore", store.file, "--data", target)
    assert sorted(os.listdir(place)) == ["data", "data.restoring-mine"]


def test_BAK_5_a_full_disk_fails_cleanly(store):
    kiln = store.kiln
    place = os.path.join(kiln.home, "full")
    os.mkdir(place)
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if run(*unshare, "true", check=False).returncode != 0:
        raise kiln_test.Skip("no namespace of mounts can be made here")
    script = """
        mount -t tmpfs -o size=64k none "$1"
        "$2" backup "$1/store.kiln" --data "$3"; echo "exit $?"; ls -A "$1"
        "$2" restore "$4" --data "$1/data"; echo "exit $?"; ls -A "$1"
        "$2" restore "$4" --data "$1"; echo "exit $?"; ls -A "$1"
    """
    done = run(*unshare, "sh", "-c", script, "sh", place, KILN, kiln.data, store.file)
    assert done.stdout == b"exit 1\n" * 3, (done.stdout, done.stderr)
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 3 and all("No space left" in line for line in errors[:2]) and "is mounted" in errors[2], errors
    wait_until(lambda: not in_use(kiln), 30, "what the backup held is given back")


def test_BAK_3_directories_in_use_are_refused_by_name(store):
    kiln = store.kiln
    done = run(KILN, "restore", store.file, "--data", kiln.data, check=False)
    says = f"a service (process {kiln.process.pid}) runs on {kiln.data}".encode()
    assert done.returncode == 1 and says in done.stderr, done.stderr
    other = os.path.join(kiln.home, "other")
    os.mkdir(other)
    with open(os.path.join(other, "lock"), "w", encoding="ascii") as file:
        file.write("of another program")
    done = run(KILN, "restore", store.file, "--data", other, check=False)
    assert done.returncode == 1 and b"is not empty" in done.stderr, done.stderr
    with open(os.path.join(other, "lock"), encoding="ascii") as file:
        assert file.read() == "of another program" and os.listdir(other) == ["lock"]
    os.remove(os.path.join(other, "lock"))
    run(KILN, "restore", store.file, "--data", other)
    done = run(KILN, "restore", store.file, "--data", other, check=False)
    assert done.returncode == 1 and b"holds a store" in done.stderr, done.stderr
    # The copy has the name of the original, which runs: it is told apart by its sockets' directory.
    command = [KILN, "serve", "--hypervisor", "fake", "--listen", "127.0.0.1:0", "--provided-images", "none", "--data", other]
    done = run(*command, "--runtime-directory", os.path.join(kiln.home, "run"), check=False, seconds=30)
    assert done.returncode == 1 and b"--runtime-directory" in done.stderr, done.stderr
    # One that no service has ever run on can be given up too.
    run(KILN, "reset", "--data", other, "--yes")
    assert not os.listdir(other), os.listdir(other)


def test_BAK_4_only_administrators_make_backups(store):
    kiln = store.kiln
    path = os.path.join(kiln.home, "no.kiln")
    done = kiln.account().run("backup", path, check=False)
    assert done.returncode == 1 and "UnauthorizedOperation" in done.stderr, done.stderr
    assert not os.path.exists(path) and not os.path.exists(path + ".part")


def test_BAK_5_a_backup_broken_off_leaves_nothing_and_does_not_stop_the_next(store):
    kiln = store.kiln
    path = os.path.join(kiln.home, "broken.kiln")
    process = subprocess.Popen(backup_to_pipe(kiln), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment())
    process.stdout.read(100)
    process.stdout.close()  # a broken pipe
    assert process.wait(30) != 0
    wait_until(lambda: not in_use(kiln), 60, "what the backup held is given back")
    kiln.run("backup", path)


def test_BAK_5_a_service_killed_in_a_backup_leaves_nothing_to_the_next(store):
    with restored(store.file) as kiln:
        fill(disks_of(kiln, launch(kiln, store.image["imageId"]))[0]["socket"])
        with subprocess.Popen(backup_to_pipe(kiln), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment()) as client:
            client.stdout.read(100)
            kiln.kill9()
            client.stdout.read()
            assert client.wait(30) == 1
        kiln.start()
        assert not in_use(kiln)
        kiln.run("backup", os.path.join(kiln.home, "after.kiln"))


if __name__ == "__main__":
    kiln_test.main(seconds=300)
