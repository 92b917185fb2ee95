#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln export: the bytes of an image or a snapshot as a raw or qcow2 file, holes as holes; its refusals; and that
what does not come to its end leaves nothing. Disks are compared by qemu-img and byte by byte."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
SPOTS = (0, 3 * MIB + 4096, 511 * 1024, 40 * MIB, 64 * MIB - 4096)


def import_disk(kiln, path, name, *more):
    return json.loads(kiln.run("import", path, "--name", name, "--json", *more).stdout)


def write_spots(path, size, spots):
    with open(path, "wb") as disk:
        disk.truncate(size)
        for offset in spots:
            disk.seek(offset)
            disk.write(os.urandom(4096))


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.raw = os.path.join(kiln.home, "disk.raw")
        write_spots(kiln.raw, 64 * MIB, SPOTS)
        kiln.made = import_disk(kiln, kiln.raw, "disk")
        noise = os.path.join(kiln.home, "noise.raw")
        with open(noise, "wb") as file:
            for _ in range(16):
                file.write(os.urandom(MIB))
        kiln.noise = import_disk(kiln, noise, "noise")["imageId"]
        kiln.out = os.path.join(kiln.home, "out")
        os.mkdir(kiln.out)
        kiln.temporary = os.path.join(kiln.home, "tmp")
        os.mkdir(kiln.temporary)
        yield kiln


def compare(first, first_format, second, second_format):
    command = ["qemu-img", "compare", "-q", "-f", first_format, "-F", second_format, first, second]
    subprocess.run(command, check=True, timeout=120)


def export(kiln, source, name, *more, seconds=120):
    path = os.path.join(kiln.out, name)
    told = json.loads(kiln.run("export", source, path, "--json", *more, seconds=seconds).stdout)
    assert not os.path.exists(path + ".part")
    return path, told


def test_a_raw_export_has_the_bytes_of_the_disk_and_its_holes(service):
    path, told = export(service, service.made["imageId"], "image.raw")
    assert told["snapshotId"] == service.made["snapshotId"] and told["sizeBytes"] == GIB, told
    # The spot at 511 KiB lies over the edge of two 512 KiB leaves; it is two blocks all the same.
    assert told["dataBytes"] == 4096 * (len(SPOTS) + 1), told
    status = os.stat(path)
    assert status.st_size == GIB and status.st_blocks * 512 <= MIB, status
    compare(path, "raw", service.raw, "raw")  # what the shorter one lacks has to be zeros
    with open(path, "rb") as exported, open(service.raw, "rb") as original:
        assert exported.read(64 * MIB) == original.read()


def test_a_qcow2_export_has_the_same_bytes_and_is_as_small(service):
    path, told = export(service, service.made["snapshotId"], "image.qcow2", "--format", "qcow2")
    assert told["format"] == "qcow2"
    compare(path, "qcow2", service.raw, "raw")
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True, timeout=60)
    assert os.stat(path).st_size < 2 * MIB



def test_what_was_exported_can_be_imported_again(service):
    qcow2, _ = export(service, service.made["imageId"], "around.qcow2", "--format", "qcow2")
    again = import_disk(service, qcow2, "around")
    raw, _ = export(service, again["imageId"], "around.raw")
    compare(raw, "raw", service.raw, "raw")


def test_a_snapshot_of_a_changed_volume_is_exported_whole_whether_it_is_stored_or_not(service):
    ec2 = service.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=service.made["snapshotId"], Size=3)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    path, told = export(service, snapshot, "first.raw")
    assert told["sizeBytes"] == 3 * GIB
    compare(path, "raw", service.raw, "raw")

    def stored():
        seen = json.loads(service.run("inspect", snapshot).stdout)
        return all("layer" not in content for content in seen["contents"])

    kiln_test.wait_until(stored, 60, "the content is stored and its layers are gone")
    later, again = export(service, snapshot, "later.raw")
    assert again == {**told, "file": later}
    compare(later, "raw", path, "raw")


def room_for(size):
    """A directory whose file system takes a file of this size; none here, nothing is left to try."""
    for directory in ("/tmp", "/dev/shm", "/var/tmp"):
        path = os.path.join(directory, f"kiln-test-size-{os.getpid()}")
        with contextlib.suppress(OSError):
            try:
                with open(path, "wb") as file:
                    file.truncate(size)
                return directory
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(path)
    return None


def test_64_TiB_with_a_little_data_is_a_little_work(service):
    source = os.path.join(service.home, "huge.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "64T"], check=True, timeout=60)
    command = ["qemu-io", "-f", "qcow2", "-c", "write -P 7 60T 64k", "-c", "write -P 9 1G 1M", source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    made = import_disk(service, source, "huge")
    begin = time.monotonic()
    path, told = export(service, made["imageId"], "huge.qcow2", "--format", "qcow2", seconds=30)
    assert told["sizeBytes"] == 64 * TIB and told["dataBytes"] == MIB + 65536, told
    read = subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "read -P 7 60T 64k", "-c", "read -P 9 1G 1M", "-c", "read -P 0 2G 1M", path],
        check=True, capture_output=True, text=True, timeout=60,
    )
    assert "failed" not in read.stdout, read.stdout
    directory = room_for(64 * TIB)
    if directory:
        raw = os.path.join(directory, f"kiln-test-huge-{os.getpid()}.raw")
        try:
            service.run("export", made["imageId"], raw, seconds=30)
            assert os.stat(raw).st_size == 64 * TIB and os.stat(raw).st_blocks * 512 < 4 * MIB
            with open(raw, "rb") as disk:
                disk.seek(60 * TIB)
                assert disk.read(65536 + 4096) == b"\7" * 65536 + b"\0" * 4096
        finally:
            os.unlink(raw)
    if directory != "/tmp":  # where this test has its files; ext4 ends at 16 TiB
        refused(service, "--format qcow2", made["imageId"], os.path.join(service.out, "huge.raw"))
    assert time.monotonic() - begin < 60


def refused(kiln, words, *arguments):
    before = sorted(os.listdir(kiln.out))
    done = kiln.run("export", *arguments, check=False)
    assert done.returncode == 1 and words in done.stderr, (words, done.stderr)
    assert sorted(os.listdir(kiln.out)) == before


def test_refusals_leave_nothing_and_say_what_to_do(service):
    image = service.made["imageId"]
    new = os.path.join(service.out, "new.raw")
    path, _ = export(service, image, "there.raw")
    with open(path, "r+b") as file:
        file.write(b"mine")
    refused(service, "--force", image, path)
    with open(path, "rb") as file:
        assert file.read(4) == b"mine"
    export(service, image, "there.raw", "--force")
    compare(path, "raw", service.raw, "raw")
    refused(service, "not a regular file", image, service.out, "--force")
    refused(service, "No such file", image, os.path.join(service.out, "no/such/directory"))
    refused(service, "--format takes raw or qcow2", image, new, "--format", "vmdk")
    refused(service, "make a snapshot of it", "vol-12345678901234567", new)
    refused(service, "InvalidAMIID.NotFound", "ami-12345678901234567", new)
    refused(service, "InvalidSnapshot.NotFound", "snap-12345678901234567", new)
    refused(service, "InvalidParameterValue", "snap-123", new)


def test_another_account_exports_neither_the_snapshot_nor_what_it_may_only_launch(service):
    other = service.account()
    shared = import_disk(service, service.raw, "shared", "--public")
    assert service.client("ec2").describe_images(ImageIds=[shared["imageId"]])["Images"][0]["Public"]
    path = os.path.join(service.out, "stolen.raw")
    for source, words in (
        (service.made["snapshotId"], "InvalidSnapshot.NotFound"),
        (service.made["imageId"], "AuthFailure"),
        (shared["imageId"], "can share the snapshot"),
    ):
        done = other.run("export", source, path, check=False)
        assert done.returncode == 1 and words in done.stderr, (source, done.stderr)
    assert not os.path.exists(path) and not os.path.exists(path + ".part")


class Relay:
    """Stands between a client and the service, and passes on the first megabytes of the answer only. One owner thread."""

    LIMIT = 4 * MIB

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("http://").rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.full = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(self.target) as server:
            passed = 0
            while passed < self.LIMIT:
                for side in select.select([client, server], [], [])[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    (server if side is client else client).sendall(data)
                    passed += len(data) if side is server else 0
            self.full.set()
            self.over.wait(60)

    def close(self):
        self.over.set()
        self.thread.join(30)
        self.listener.close()


@contextlib.contextmanager
def exporting(kiln, form):
    """An export that has begun and does not go on: process, path of the file, relay."""
    relay = Relay(kiln.endpoint)
    path = os.path.join(kiln.out, "cut.disk")
    environment = kiln_test.paths.clean_environment(
        AWS_PROFILE="kiln",
        AWS_SHARED_CREDENTIALS_FILE=os.path.join(kiln.data, "credentials"),
        AWS_CONFIG_FILE=os.path.join(kiln.data, "config"),
        AWS_ENDPOINT_URL=relay.endpoint,
        TMPDIR=kiln.temporary,
    )
    process = subprocess.Popen(
        [kiln_test.paths.KILN, "export", kiln.noise, path, "--format", form], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert relay.full.wait(30)
        kiln_test.wait_until(lambda: os.stat(path + ".part").st_blocks * 512 > MIB, 30, "it writes")
        yield process, path, relay
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()
        relay.close()


def test_an_interrupted_export_leaves_nothing(service):
    for form in ("raw", "qcow2"):
        for number in (signal.SIGINT, signal.SIGTERM):
            with exporting(service, form) as (process, path, _):
                refused(service, "is being written by another process", service.made["imageId"], path)
                process.send_signal(number)
                assert process.wait(20) == -number, process.returncode
                assert not os.path.exists(path) and not os.path.exists(path + ".part")
            assert not os.listdir(service.temporary)


def test_an_export_that_is_cut_off_fails_and_leaves_nothing(service):
    for form in ("raw", "qcow2"):
        with exporting(service, form) as (process, path, relay):
            relay.over.set()
            assert process.wait(30) == 1, process.returncode
            words = process.stderr.read()
            assert "nothing was kept of the export" in words, words
            assert not os.path.exists(path) and not os.path.exists(path + ".part")
    # What a kill leaves is written anew.
    with exporting(service, "raw") as (process, path, _):
        process.kill()
        process.wait(10)
        assert os.path.exists(path + ".part")
        path, _ = export(service, service.made["imageId"], "cut.disk")
        compare(path, "raw", service.raw, "raw")
        os.unlink(path)


if __name__ == "__main__":
    kiln_test.main()
