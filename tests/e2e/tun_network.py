#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guests with addresses of a pool (network driver tun), beside a listener on 0.0.0.0:22: every port that rules open is reached at
the public address, by TCP, UDP and ping, from this host and through it; neighbours, restarts and ends as with the other driver.

The script is run again by itself in a network of its own (loopback only): once as it is, once as uid 65534 with CAP_NET_ADMIN
and nothing else."""

import fcntl
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test import Kiln, wait_until  # noqa: E402
from kiln_test.paths import ROOT, clean_environment  # noqa: E402

BOOT_SECONDS = 300
SILENT_SECONDS = 3  # nothing came in this time: it is closed
POOL, POOL_HOST = "203.0.113.0/28", "203.0.113.1"
LOCAL, WORLD = "127.0.0.0/8", "198.51.100.0/24"
OUTSIDER, UPSTREAM = "198.51.100.7", "198.51.100.1"
TCP_PORT, UDP_PORT, WORLD_PORT, DEAF_PORT = 40000, 40001, 40002, 40003
NOBODY = 65534
# The tiny guest has no UDP server.
UDP_ECHO = """
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int count, char **words) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(atoi(words[count - 1]))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) return 1;
    for (;;) {
        char bytes[1500];
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
        if (got >= 0) sendto(fd, bytes, got, 0, (struct sockaddr *)&from, size);
    }
}
"""
LOOPBACK_UP = """/usr/bin/python3 -c 'import fcntl, socket, struct
with socket.socket() as s: fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))'  # SIOCSIFFLAGS: up
"""
# The tree is mounted elsewhere: the directories above it may be closed to others. So may the device be, where no udev
# opened it to all: then it gets one of its own.
AS_NOBODY = f"""set -e
mount --bind "$1" "$2"
if mknod -m 666 "$3" c 10 200; then mount --bind "$3" /dev/net/tun; fi
cd "$2"
{LOOPBACK_UP}
exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin \\
    --bounding-set=-all,+net_admin /usr/bin/python3 tests/e2e/tun_network.py --inside-as-nobody
"""


def run_inside(command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1200, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


def need_tunnels():
    probe = "import fcntl, os, struct; fcntl.ioctl(os.open('/dev/net/tun', os.O_RDWR), 0x400454CA, struct.pack('16sH14x', b'', 0x1001))"
    done = subprocess.run([*namespace(), "/usr/bin/python3", "-c", probe], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise kiln_test.Skip("no network namespace with TUN devices is to be had here: " + done.stderr.strip().rpartition("\n")[2])


def namespace():
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]


def test_NET_11_every_open_port_of_a_public_address_is_reached_beside_an_ssh_daemon():
    need_tunnels()
    kiln_test.tiny_image()
    script = f"set -e\n{LOOPBACK_UP}\nexec /usr/bin/python3 {os.path.abspath(__file__)} --inside"
    run_inside([*namespace(), "sh", "-c", script])


def test_NET_12_cap_net_admin_alone_serves_and_no_guest_has_it():
    need_tunnels()
    if os.geteuid() != 0:
        raise kiln_test.Skip("becoming another user takes root")
    kiln_test.tiny_image()
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        tree, home = os.path.join(place, "tree"), os.path.join(place, "home")
        os.mkdir(tree)
        os.mkdir(home)
        shutil.chown(home, NOBODY, NOBODY)
        run_inside(["unshare", "--mount", "--net", "sh", "-c", AS_NOBODY, "sh", ROOT, tree, os.path.join(place, "tun")], env=dict(os.environ, HOME=home, TMPDIR=home))


# ---- inside ----


def tunnels():
    """The devices there are, by what the kernel says."""
    with open("/proc/net/dev", encoding="ascii") as file:
        return sorted(line.split(":")[0].strip() for line in file if line.strip().startswith("kiln"))


def routed():
    """The addresses that have a route of their own by such a device."""
    with open("/proc/net/route", encoding="ascii") as file:
        rows = [line.split() for line in file if line.startswith("kiln")]
    return {socket.inet_ntoa(struct.pack("=I", int(row[1], 16))) for row in rows}


class SshDaemon:
    """A listener on 0.0.0.0:22, as an ssh daemon's; counts who came."""

    def __init__(self):
        self.came = 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", 22))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            self.came += 1
            client.sendall(b"HOST")
            client.close()


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class World:
    """A network beyond this host, which forwards for it: a TUN device whose other end we are."""

    def __init__(self):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, 0x400454CA, struct.pack("16sH14x", b"world0", 0x1001))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for request, address in ((0x8916, UPSTREAM), (0x8918, OUTSIDER)):  # SIOCSIFADDR, SIOCSIFDSTADDR
                fcntl.ioctl(control, request, struct.pack("16sHH4s8x", b"world0", socket.AF_INET, 0, socket.inet_aton(address)))
            fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"world0", 0x1 | 0x10 | 0x40))
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")

    def asks(self, address, port, text):
        """Sends a datagram as OUTSIDER; what comes back to it, or nothing."""
        udp = struct.pack(">HHHH", 5555, port, 8 + len(text), 0) + text
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + socket.inet_aton(OUTSIDER) + socket.inet_aton(address)
        os.write(self.fd, head[:10] + struct.pack(">H", checksum(head)) + head[12:] + udp)
        end = time.monotonic() + SILENT_SECONDS
        while select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            packet = os.read(self.fd, 2000)
            if packet[0] == 0x45 and packet[9] == 17 and packet[16:20] == socket.inet_aton(OUTSIDER):
                assert packet[12:16] == socket.inet_aton(address), packet
                return packet[28:]
        return b""


class Guest:
    def __init__(self, site, groups):
        self.site = site
        made = site.ec2.run_instances(
            ImageId=site.image, InstanceType="t3.nano", MinCount=1, MaxCount=1, KeyName="me", SecurityGroupIds=groups)  # fmt: skip
        self.id, self.private = made["Instances"][0]["InstanceId"], made["Instances"][0]["PrivateIpAddress"]

    def wait_ready(self, boots=1):
        wait_until(lambda: self.site.kiln.serial(self.id).count("TINY READY") >= boots, BOOT_SECONDS, f"{self.id} is ready")
        self.public = self.describe()["PublicIpAddress"]

    def describe(self):
        return self.site.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    def wait_state(self, name):
        wait_until(lambda: self.describe()["State"]["Name"] == name, 90, f"{self.id} is {name}")

    def network(self):
        return json.loads(self.site.kiln.run("inspect", self.id).stdout)["network"]

    def run(self, command, check=True):
        arguments = ["-o", f"UserKnownHostsFile={self.site.kiln.home}/known_hosts", "-i", self.site.key]
        done = self.site.kiln.run("ssh", *arguments, f"root@{self.id}", "--", command, check=False, seconds=90)
        assert done.returncode == 0 or (not check and done.returncode != 255), done.stderr
        return done.stdout

    def serve(self):
        """Echoes lines at TCP_PORT, datagrams at UDP_PORT and WORLD_PORT."""
        self.run(f"(while :; do nc -l -p {TCP_PORT} -e cat; done) </dev/null >/dev/null 2>&1 &")
        program = os.path.join(self.site.kiln.home, "echo")
        subprocess.run(["gcc", "-static", "-O1", "-o", program, "-x", "c", "-"], input=UDP_ECHO, text=True, check=True)
        options = f"BatchMode=yes StrictHostKeyChecking=no UserKnownHostsFile={self.site.kiln.home}/hosts".split()
        with open(program, "rb") as file:  # by the public address, as anybody would
            subprocess.run(
                ["ssh", *(word for option in options for word in ("-o", option)), "-i", self.site.key, f"root@{self.public}",
                 "cat >/tmp/echo && chmod +x /tmp/echo"],
                stdin=file, env=clean_environment(), timeout=90, check=True,
            )  # fmt: skip
        for port in (UDP_PORT, WORLD_PORT):
            self.run(f"/tmp/echo {port} </dev/null >/dev/null 2>&1 &")

    def greets(self, port=22, count=8):
        try:
            with socket.create_connection((self.public, port), timeout=SILENT_SECONDS) as client:
                return client.recv(count)
        except OSError:
            return b""

    def connect(self):
        """A connection to the echoing port, or nothing."""
        try:
            client = socket.create_connection((self.public, TCP_PORT), timeout=SILENT_SECONDS)
        except OSError:
            return None
        client.settimeout(30)
        return client

    def says_to_datagram(self, port=UDP_PORT):
        """What comes back: the datagram, "refused" by the guest, or nothing."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(SILENT_SECONDS)
            client.connect((self.public, port))
            try:
                client.send(b"datagram")
                return client.recv(64).decode("ascii")
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                return ""

    def answers_ping(self):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.settimeout(SILENT_SECONDS)
            echo = struct.pack(">BBHHH", 8, 0, 0, 4711, 1) + b"payload"
            raw.sendto(echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:], (self.public, 0))
            try:
                while True:
                    packet, sender = raw.recvfrom(2000)
                    if packet[20] == 0 and packet[24:26] == struct.pack(">H", 4711):
                        return sender[0] == self.public and packet[28:] == b"payload"
            except TimeoutError:
                return False


class Site:
    def __init__(self, kiln):
        self.kiln = kiln
        self.connect()
        self.key = os.path.join(kiln.home, "key.pem")
        with open(self.key, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(self.ec2.create_key_pair(KeyName="me", KeyType="ed25519")["KeyMaterial"])
        self.group = self.ec2.create_security_group(GroupName="of-the-test", Description="of the test")["GroupId"]
        self.permit("tcp", 22)
        disk = os.path.join(ROOT, "build/guests/tiny.raw")
        self.image = json.loads(kiln.run("import", disk, "--boot-mode", "legacy-bios", "--name", "tiny", "--json").stdout)["imageId"]

    def connect(self):
        self.ec2 = self.kiln.client("ec2")

    def permit(self, protocol, port, cidr=LOCAL, last=None):
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group, IpProtocol=protocol, FromPort=port, ToPort=port if last is None else last, CidrIp=cidr)  # fmt: skip


def echoes(client, text):
    client.sendall(text)
    return client.recv(64) == text


def check_addresses(site, one, two):
    """NET-11: addresses of the pool, where EC2 shows them."""
    assert {one.public, two.public} == {"203.0.113.2", "203.0.113.3"}, (one.public, two.public)
    assert len(tunnels()) == 2 and routed() == {one.public, two.public}, (tunnels(), routed())
    tunnel = one.network()["tunnel"]
    assert tunnel["address"] == one.public and tunnel["device"] in tunnels(), tunnel
    found = site.ec2.describe_instances(Filters=[{"Name": "ip-address", "Values": [one.public]}])["Reservations"]
    assert [r["Instances"][0]["InstanceId"] for r in found] == [one.id], found
    shown = one.describe()["NetworkInterfaces"][0]
    assert shown["Association"]["PublicIp"] == one.public, shown
    ask = """t=$(printf 'PUT /latest/api/token HTTP/1.0\\r\\nHost: m\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nContent-Length: 0\\r\\n\\r\\n' |
        nc -w 5 169.254.169.254 80 | tr -d '\\r' | tail -n 1)
        timeout 10 wget -q -O - --header "X-aws-ec2-metadata-token: $t" http://169.254.169.254/latest/meta-data/public-ipv4"""
    assert one.run(ask) == one.public


def check_ports(site, one, host):
    """NET-11: port 22 is the guest's, whoever listens on the host; every other port opens with its rule."""
    came = host.came
    assert one.greets() == b"SSH-2.0-" and host.came == came
    assert one.connect() is None
    site.permit("tcp", TCP_PORT)
    with one.connect() as client:
        assert client.getsockname()[0] == POOL_HOST and echoes(client, b"line\n")
    assert one.says_to_datagram() == ""
    site.permit("udp", UDP_PORT, "0.0.0.0/0")
    assert one.says_to_datagram() == "datagram"
    site.permit("udp", DEAF_PORT)
    assert one.says_to_datagram(DEAF_PORT) == "refused"  # an ICMP error, about the address that was asked
    if os.geteuid() == 0:
        assert not one.answers_ping()
        site.permit("icmp", -1)
        assert one.answers_ping()
    refused = site.kiln.run("proxy", one.id, "40009", check=False)
    assert "authorize-security-group-ingress" in refused.stderr, refused.stderr


def check_world(site, one):
    """NET-11: a client beyond this host is known by its own address."""
    world = World()
    assert world.asks(one.public, WORLD_PORT, b"too early") == b""
    site.permit("udp", WORLD_PORT, WORLD)
    assert world.asks(one.public, WORLD_PORT, b"from afar") == b"from afar"
    assert world.asks(one.public, TCP_PORT, b"x") == b""


def check_guests(site, one, two, host):
    """NET-9, NET-12: neighbours by private address; neither each other's public one nor the host."""
    site.ec2.authorize_security_group_ingress(
        GroupId=site.group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": site.group}]}])  # fmt: skip
    assert "1 packets received" in one.run(f"ping -c 1 -W 3 {two.private}")
    say = "sleep 3 | timeout 10 nc -w 3 {} 22 | head -c 8"
    assert one.run(say.format(two.private)) == "SSH-2.0-"
    came = host.came
    site.permit("tcp", 22, "0.0.0.0/0")
    for address in (two.public, one.public, POOL_HOST):
        assert one.run(say.format(address), check=False) == "", address
    assert host.came == came


def check_kills(site, one):
    """D17, D19: the process is started again, with its tunnel; it needs no daemon."""
    before = one.network()
    with one.connect() as session:
        assert echoes(session, b"before\n")
        os.kill(before["pid"], 9)
        wait_until(lambda: one.greets() == b"SSH-2.0-", 30, "ssh answers again")
        # The client's side of the connection is the host's, the other the guest's: both are still there.
        assert echoes(session, b"after\n")
        assert one.network()["restarts"] == 1 and one.network()["pid"] != before["pid"]
        address = one.public
        site.kiln.kill9()
        assert echoes(session, b"without a daemon\n")
    assert one.greets() == b"SSH-2.0-"
    site.kiln.start()
    site.connect()
    assert one.describe()["PublicIpAddress"] == address and one.greets() == b"SSH-2.0-"
    site.permit("tcp", 40010)
    assert one.network()["tunnel"]["address"] == address


def check_ends(site, one, two):
    """STP-2, NET-11: an address lasts from start to stop, device and route with it."""
    site.ec2.stop_instances(InstanceIds=[two.id])
    two.wait_state("stopped")
    assert "PublicIpAddress" not in two.describe()
    assert len(tunnels()) == 1 and routed() == {one.public}
    site.ec2.start_instances(InstanceIds=[two.id])
    two.wait_ready(boots=2)
    assert two.public != one.public and two.greets() == b"SSH-2.0-"
    site.ec2.terminate_instances(InstanceIds=[one.id, two.id])
    one.wait_state("terminated")
    two.wait_state("terminated")
    assert tunnels() == [] and routed() == set()


def inside():
    host = SshDaemon()
    with Kiln("--public-pool", POOL, "--guest-memory-cap", "192") as kiln:
        with open(kiln.log, encoding="utf-8") as file:
            assert "network driver tun: something listens on 0.0.0.0:22" in file.read()
        site = Site(kiln)
        one, two = Guest(site, [site.group]), Guest(site, [site.group])
        one.wait_ready()
        two.wait_ready()
        one.serve()
        check_addresses(site, one, two)
        check_ports(site, one, host)
        check_world(site, one)
        check_guests(site, one, two, host)
        check_kills(site, one)
        check_ends(site, one, two)
    print("every port was reached")


def capabilities(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        sets = dict(line.split(":\t") for line in file if line.startswith(("CapPrm", "CapEff", "CapAmb")))
    return {int(value, 16) for value in sets.values()}


def inside_as_nobody():
    assert os.geteuid() == NOBODY
    with Kiln("--network-driver", "tun", "--public-pool", POOL, "--guest-memory-cap", "192") as kiln:
        site = Site(kiln)
        guest = Guest(site, [site.group])
        guest.wait_ready()
        assert guest.greets() == b"SSH-2.0-"
        machine = json.loads(kiln.run("inspect", guest.id).stdout)["machine"]
        assert capabilities(kiln.process.pid) != {0}  # the service has it, or this would show nothing
        for pid in (guest.network()["pid"], machine["pid"]):
            assert capabilities(pid) == {0}, (pid, capabilities(pid))
        site.ec2.terminate_instances(InstanceIds=[guest.id])
        guest.wait_state("terminated")
        assert tunnels() == []
    print("one capability was enough")


if __name__ == "__main__":
    if sys.argv[1:] == ["--inside"]:
        inside()
    elif sys.argv[1:] == ["--inside-as-nobody"]:
        inside_as_nobody()
    else:
        kiln_test.main(seconds=1500)
