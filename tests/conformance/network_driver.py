#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kiln serve --network-driver, --public-pool: what cannot be had is refused with what to do; a pool gives addresses until it is
empty. Machines and networks are the fake ones; tests/e2e/tun_network.py has real ones.

The last test runs this script again in a network of its own, where it may make devices."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import Kiln, wait_until  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402

FAKE = ["--hypervisor", "fake"]
POOL = "203.0.113.0/29"


def without_net_admin(command):
    return ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *command] if os.geteuid() == 0 else command


def refused(*options):
    """What the daemon prints when it refuses to start."""
    command = [KILN, "serve", "--ephemeral", *FAKE, "--listen", "127.0.0.1:0", *options]
    done = subprocess.run(without_net_admin(command), capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
    assert done.returncode != 0, done.stderr
    return done.stdout + done.stderr


def test_NET_13_what_cannot_be_a_pool_is_refused_with_the_reason():
    for pool, words in (
        ("203.0.113.0", "not a network"),
        ("203.0.113.7/24", "not a network's first address"),
        ("203.0.113.0/99", "not a network"),
        ("nonsense/24", "not an IPv4 address"),
        ("203.0.113.0/30", "it must have 8 to 65,536 addresses"),
        ("10.0.0.0/8", "it must have 8 to 65,536 addresses"),
        ("127.9.0.0/24", "it overlaps 127.0.0.0/8 (the loopback network)"),
        ("169.254.169.0/24", "it overlaps 169.254.0.0/16 (the link-local network"),
        ("230.0.0.0/24", "it overlaps 224.0.0.0/3 (multicast and reserved addresses)"),
        ("172.31.7.0/24", "it overlaps 172.31.0.0/16 (the default VPC's network)"),
    ):
        for driver in ("auto", "tun"):
            printed = refused("--network-driver", driver, "--public-pool", pool)
            assert "--public-pool" in printed and f"'{pool}' cannot be the pool" in printed and words in printed, (pool, printed)


def test_NET_13_a_driver_that_cannot_be_had_is_refused_with_what_to_do():
    assert "takes auto, user or tun" in refused("--network-driver", "bridge")
    assert "needs --public-pool CIDR" in refused("--network-driver", "tun")
    assert "not for user" in refused("--network-driver", "user", "--public-pool", POOL)
    printed = refused("--network-driver", "tun", "--public-pool", POOL)
    assert "--network-driver tun is not possible" in printed, printed
    assert "CAP_NET_ADMIN" in printed or "modprobe tun" in printed, printed


def test_NET_13_auto_needs_no_privileges():
    with Kiln(*FAKE) as kiln:
        with open(kiln.log, encoding="utf-8") as file:
            assert "network driver user: " in file.read()


def test_NET_13_the_doctor_explains_the_driver():
    command = without_net_admin([KILN, "doctor", "--data", "/nowhere/data"])
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False).stdout
    (at,) = (number for number, line in enumerate(printed.splitlines()) if "network driver" in line)
    finding = " ".join(printed.splitlines()[at : at + 2])
    assert "user: " in finding and "the driver tun" in finding, finding
    assert "CAP_NET_ADMIN" in finding or "modprobe tun" in finding, finding


def test_NET_13_a_pool_gives_its_addresses_and_says_when_it_is_empty():
    namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    up = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x41))"
    tun = "import fcntl, os, struct; fcntl.ioctl(os.open('/dev/net/tun', os.O_RDWR), 0x400454CA, struct.pack('16sH14x', b'', 0x1001))"
    probe = subprocess.run([*namespace, "/usr/bin/python3", "-c", tun], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise kiln_test.Skip("no network namespace with TUN devices is to be had here")
    script = f'/usr/bin/python3 -c "{up}" && exec /usr/bin/python3 {os.path.abspath(__file__)} --inside'
    done = subprocess.run([*namespace, "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def inside():
    with kiln_test.api_service("--network-driver", "tun", "--public-pool", POOL) as kiln:
        ec2 = kiln.client("ec2")
        made = ec2.run_instances(ImageId=kiln.image, InstanceType="t3.nano", MinCount=6, MaxCount=6)["Instances"]
        ids = [instance["InstanceId"] for instance in made]

        def described():
            return [i for r in ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]

        wait_until(lambda: {i["State"]["Name"] for i in described()} == {"running", "terminated"}, 90, "all is settled")
        seen = described()
        running = {i["PublicIpAddress"] for i in seen if i["State"]["Name"] == "running"}
        assert running == {f"203.0.113.{n}" for n in range(2, 7)}, seen
        (failed,) = (i for i in seen if i["State"]["Name"] == "terminated")
        assert "every address of the public pool 203.0.113.0/29 is in use" in failed["StateReason"]["Message"], failed
        # What is given back is free again.
        (given,) = (i["InstanceId"] for i in seen if i.get("PublicIpAddress") == "203.0.113.4")
        ec2.terminate_instances(InstanceIds=[given])
        wait_until(lambda: [i["State"]["Name"] for i in described()].count("terminated") == 2, 60, "one is terminated")
        again = ec2.run_instances(ImageId=kiln.image, InstanceType="t3.nano", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[again], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        (shown,) = ec2.describe_instances(Filters=[{"Name": "ip-address", "Values": ["203.0.113.4"]}])["Reservations"]
        assert shown["Instances"][0]["InstanceId"] == again


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        inside()
    else:
        kiln_test.main()
