#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main job as nobody in particular: uid 65534, without /dev/kvm and /dev/net/tun, beside a listener on 0.0.0.0:22. Launch,
log in, change the disk, create an image of the running instance, launch that, find what was written.

The script is run a second time by itself: as that user, in a mount namespace and a network of its own (loopback only)."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import wait_until  # noqa: E402
from kiln_test.paths import ROOT  # noqa: E402

NOBODY = "65534"
BOOT_SECONDS = 240
# The tree is mounted elsewhere: the directories above it may be closed to others.
PREPARE = """set -e
mount --bind "$1" "$2"
for device in /dev/kvm /dev/net/tun; do
    if [ -e $device ]; then mount --bind "$3" $device; fi
done
/usr/bin/python3 -c 'import fcntl, socket, struct
with socket.socket() as s: fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))'  # SIOCSIFFLAGS: up
sysctl -q -w net.ipv4.ip_unprivileged_port_start=22 2>/dev/null || echo 22 >/proc/sys/net/ipv4/ip_unprivileged_port_start
cd "$2"
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all \
    /usr/bin/python3 tests/e2e/any_user.py --inside
"""


def test_uid_65534_without_devices_beside_an_ssh_daemon_does_the_main_job():
    if os.geteuid() != 0:
        raise kiln_test.Skip("becoming another user takes root; all other tests ran as this one")
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        tree = os.path.join(place, "tree")
        os.mkdir(tree)
        home = os.path.join(place, "home")
        os.mkdir(home)
        shutil.chown(home, int(NOBODY), int(NOBODY))
        hidden = os.path.join(place, "hidden")  # what the devices are covered with
        os.close(os.open(hidden, os.O_CREAT, 0))
        command = ["unshare", "--mount", "--net", "sh", "-c", PREPARE, "sh", ROOT, tree, hidden]
        environment = dict(os.environ, HOME=home, TMPDIR=home)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout)


class Machine:
    def __init__(self, kiln, image, key):
        self.kiln, self.key = kiln, key
        made = kiln.client("ec2").run_instances(ImageId=image, InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="me")
        self.id = made["Instances"][0]["InstanceId"]
        wait_until(lambda: "TINY READY" in kiln.serial(self.id), BOOT_SECONDS, f"{self.id} has booted")

    def ssh(self, command):
        arguments = ["ssh", "-o", f"UserKnownHostsFile={self.kiln.home}/known_hosts", "-i", self.key, f"root@{self.id}", "--", command]
        return self.kiln.run(*arguments, seconds=60).stdout

    def forwarded(self):
        return json.loads(self.kiln.run("inspect", self.id).stdout)["network"]["forwards"]


def inside():
    assert os.geteuid() == int(NOBODY)
    for device in ("/dev/kvm", "/dev/net/tun"):
        assert not os.access(device, os.R_OK), device
    # As an ssh daemon does. This network lets everybody have port 22, so it is this listener alone that is in the way.
    with socket.socket() as daemon:
        daemon.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        daemon.bind(("0.0.0.0", 22))
        daemon.listen()
        story()
    print("the main job was done")


def story():
    with kiln_test.Kiln() as kiln:
        ec2 = kiln.client("ec2")
        key = os.path.join(kiln.home, "key.pem")
        with open(key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(ec2.create_key_pair(KeyName="me", KeyType="ed25519")["KeyMaterial"])
        group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="127.0.0.0/8")
        disk = os.path.join(ROOT, "build/guests/tiny.raw")
        image = json.loads(kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]
        first = Machine(kiln, image, key)
        (forward,) = (f for f in first.forwarded() if f["guestPort"] == 22)
        assert forward["port"] > 1023, forward
        first.ssh("echo baked >/var/marker && sync")
        made = ec2.create_image(InstanceId=first.id, Name="baked", NoReboot=True)["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        second = Machine(kiln, made, key)
        assert second.ssh("cat /var/marker") == "baked\n"
        ec2.terminate_instances(InstanceIds=[first.id, second.id])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[first.id, second.id], WaiterConfig={"Delay": 1, "MaxAttempts": 120})


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        inside()
    else:
        kiln_test.main(seconds=900)
