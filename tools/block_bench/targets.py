# SPDX-License-Identifier: Apache-2.0
"""Block devices to measure, ours and the peers': each a context manager whose `engine` are the words that make fio use it.

All files lie in one directory, so that every contestant stands on the same file system. A Workshop owns them and one
daemon with a machine over the scripted hypervisor, which leaves its volumes' sockets to us. One owner thread.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from kiln_test import Kiln, wait_until

GIB = 1 << 30
DEADLINE_SECONDS = 60
REST_SECONDS = 600  # tens of thousands of small extents may have to be given back to the device
ALLOWANCE = ("--hypervisor", "fake")
EMPTY_DISK_BYTES = 1 << 20


class File:
    """A file without a server."""

    def __init__(self, path):
        self.path = path
        self.engine = ["--ioengine=io_uring", f"--filename={path}", "--direct=1"]

    def close(self):
        pass


class Server:
    """A server that is one process on one socket; fio knows how to load those of NBD."""

    def __init__(self, command, socket):
        self.socket = socket
        self.engine = ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={socket}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(socket), DEADLINE_SECONDS, f"{command[0]} serves")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_SECONDS)
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class Volume:
    """A volume attached to a machine, through its export's socket."""

    def __init__(self, identifier, socket):
        self.identifier, self.socket = identifier, socket
        self.engine = ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={socket}"]

    def close(self):
        pass


class Workshop:
    def __init__(self, *options):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="kb-", dir="/tmp")
        self.made = 0
        self.open = []
        self.kiln = None

    def __enter__(self):
        try:
            self.kiln = Kiln(*ALLOWANCE, *self.options)
            self.kiln.__enter__()
            self.ec2 = self.kiln.client("ec2")
            disk = self._empty_disk()
            done = self.kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "empty", "--json")
            self.image = json.loads(done.stdout)["imageId"]
            self.instance = self._launch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for target in self.open:
            target.close()
        if self.kiln:
            self.kiln.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- peers ---

    def path(self, ending):
        self.made += 1
        return os.path.join(self.directory, f"{self.made}.{ending}")

    def raw(self, size=GIB):
        """A sparse file."""
        path = self.path("raw")
        with open(path, "wb") as file:
            file.truncate(size)
        return self.keep(File(path))

    def qcow2(self, size=GIB, backing=None, options=()):
        path = self.path("qcow2")
        command = ["qemu-img", "create", "-q", "-f", "qcow2", *options]
        command += ["-b", backing, "-F", "qcow2"] if backing else []
        subprocess.run([*command, path, str(size)], check=True, timeout=DEADLINE_SECONDS)
        return path

    def qemu_nbd(self, path, layout):
        socket = self.path("sock")
        command = ["qemu-nbd", "-t", "-k", socket, "-f", layout, "-e", "8", "--cache=none", "--aio=io_uring", "--discard=unmap", path]
        return self.keep(Server(command, socket))

    def nbdkit(self, path):
        socket = self.path("sock")
        return self.keep(Server(["nbdkit", "-f", "-U", socket, "file", path], socket))

    def keep(self, target):
        """Closes it with the workshop."""
        self.open.append(target)
        return target

    def drop(self, target):
        """Ends a server before its time; its file goes when the workshop does."""
        self.open.remove(target)
        target.close()

    # --- ours ---

    def start_anew(self):
        """The service is another process, with a machine of its own: nothing is in its memory."""
        self.kiln.restart()
        self.ec2 = self.kiln.client("ec2")
        self.instance = self._launch()
        self.letters = -1

    def volume(self, gigabytes=1, **source):
        """A new volume, attached."""
        made = self.create_volume(gigabytes, **source)
        return self.attach(made)

    def create_volume(self, gigabytes, **source):
        return self.ec2.create_volume(AvailabilityZone=self.zone, Size=gigabytes, VolumeType="gp3", **source)["VolumeId"]

    def attach(self, identifier):
        self._attach(identifier)
        return Volume(identifier, wait_until(lambda: self._socket(identifier), DEADLINE_SECONDS, "the volume is served", interval=0.05))

    def attach_at_once(self, identifier, other):
        """The socket of the volume as soon as it is there: where `other` has its own."""
        self._attach(identifier)
        socket = other.socket.replace(other.identifier, identifier)
        return wait_until(lambda: os.path.exists(socket) and socket, DEADLINE_SECONDS, "the volume is served", interval=0.001)

    def _attach(self, identifier):
        self.letters = getattr(self, "letters", -1) + 1
        first, second = divmod(self.letters, 26)
        device = f"/dev/xvd{chr(ord('b') + first)}{chr(ord('a') + second)}"
        self._becomes(identifier, "available")
        self.ec2.attach_volume(VolumeId=identifier, InstanceId=self.instance, Device=device)

    def _becomes(self, identifier, state):
        def has_become():
            return self.ec2.describe_volumes(VolumeIds=[identifier])["Volumes"][0]["State"] == state

        wait_until(has_become, DEADLINE_SECONDS, f"{identifier} is {state}", interval=0.001)

    def discard(self, identifier):
        self.ec2.detach_volume(VolumeId=identifier)
        self._becomes(identifier, "available")
        self.ec2.delete_volume(VolumeId=identifier)

    def snapshot(self, volume):
        """Cuts the volume and waits until what that leaves to do behind the scenes is done."""
        made = self.ec2.create_snapshot(VolumeId=volume.identifier)["SnapshotId"]
        self.completed(made)
        self.stored(made)
        self.quiet()
        return made

    def stored(self, snapshot, seconds=DEADLINE_SECONDS):
        """Returns when all that the snapshot consists of is in the image tier."""
        self.kiln.wait_stored(snapshot, seconds)

    def completed(self, snapshot, seconds=DEADLINE_SECONDS):
        def done():
            return self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed"

        wait_until(done, seconds, "the snapshot is completed", interval=0.01)

    def processor_seconds(self):
        with open(f"/proc/{self.kiln.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        with open(f"/proc/{self.kiln.process.pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def quiet(self, seconds=REST_SECONDS):
        """Returns when the daemon has used next to no processor time for half a second, and no layer is being removed: its
        background work is over. Removing waits for the device where that is told of every block that becomes free."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            before = self.processor_seconds()
            time.sleep(0.5)
            if self.processor_seconds() - before <= 0.03 and not self._removes_layers():
                return
        raise AssertionError("the daemon does not come to rest")

    def _removes_layers(self):
        """The map goes first of a layer's files, d-LAYER.map, d-LAYER.jnl and d-LAYER-NUMBER.blk."""
        names = set(os.listdir(os.path.join(self.kiln.data, "layers")))
        layers = {name[:-4].rsplit("-", 1)[0] if name.endswith(".blk") else name[:-4] for name in names}
        return any(layer + ".map" not in names for layer in layers)

    def _empty_disk(self):
        path = self.path("empty")
        with open(path, "wb") as file:
            file.write(b"\1")
            file.truncate(EMPTY_DISK_BYTES)
        return path

    def _launch(self):
        made = self.ec2.run_instances(ImageId=self.image, InstanceType="t2.nano", MinCount=1, MaxCount=1)["Instances"][0]
        self.zone = made["Placement"]["AvailabilityZone"]
        identifier = made["InstanceId"]
        wait_until(lambda: self._state(identifier) == "running" and self._volumes(identifier), DEADLINE_SECONDS, "the machine runs")
        return identifier

    def _state(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"]

    def _volumes(self, instance):
        volumes = json.loads(self.kiln.run("inspect", instance).stdout)["volumes"]
        return [volume for volume in volumes if volume["open"]]

    def _socket(self, identifier):
        for volume in self._volumes(self.instance):
            if volume["volumeId"] == identifier and os.path.exists(volume["socket"]):
                return volume["socket"]
        return None
