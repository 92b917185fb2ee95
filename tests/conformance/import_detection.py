#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What kiln import and kiln inspect find on a disk: architecture, boot mode, system, root device, and why it would not boot."""

import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20
TABLE = {
    "gpt": "label: gpt\nstart=2048, size=16384, type=uefi\nstart=18432, size=2048, type=21686148-6449-6E6F-744E-656564454649\nstart=20480, size=98304, type=linux\n",
    "dos": "label: dos\nstart=2048, size=16384, type=ef\nstart=20480, size=98304, type=83\n",
}
ROOT_AT = 20480 * 512
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nID=ubuntu\nVERSION_ID="24.04"\n'
X86, ARM = 62, 183


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake", "--provided-images", "none") as kiln:
        kiln.raw = os.path.join(kiln.home, "disk.raw")
        yield kiln


def run(*words, **more):
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL, env=environment, **more)


def make_tree(home, release, machine):
    tree = tempfile.mkdtemp(prefix="tree-", dir=home)
    for directory in ("etc", "usr/lib", "usr/bin"):
        os.makedirs(os.path.join(tree, directory))
    if release:
        with open(os.path.join(tree, "usr/lib/os-release"), "w", encoding="ascii") as file:
            file.write(release)
        os.symlink("../usr/lib/os-release", os.path.join(tree, "etc/os-release"))
    if machine:
        with open(os.path.join(tree, "usr/bin/bash"), "wb") as file:
            file.write(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(40))
        with open(os.path.join(tree, "usr/bin/cloud-init"), "wb") as file:
            file.write(b"#!/usr/bin/python3\n")
    return tree


def make_disk(kiln, table, loader, boot_code, release=DEBIAN, machine=X86):
    """A disk of 64 MiB: an EFI system partition, a root file system with what `release` and `machine` say, boot code."""
    if os.path.exists(kiln.raw):
        os.unlink(kiln.raw)
    with open(kiln.raw, "wb") as disk:
        disk.truncate(64 * MIB)
    run("sfdisk", "-q", kiln.raw, input=TABLE[table], text=True)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", make_tree(kiln.home, release, machine), "-E", f"offset={ROOT_AT}", kiln.raw, "48M")
    run("mformat", "-i", kiln.raw + "@@1M", "-T", "16384", "-h", "16", "-s", "32", "::")
    if loader:
        run("mmd", "-i", kiln.raw + "@@1M", "::EFI", "::EFI/BOOT")
        run("mcopy", "-i", kiln.raw + "@@1M", __file__, "::EFI/BOOT/" + loader)
    if boot_code:
        with open(kiln.raw, "r+b") as disk:
            disk.write(b"\xeb\x63\x90" * 10)


def import_disk(kiln, *more):
    done = kiln.run("import", kiln.raw, "--json", *more)
    return json.loads(done.stdout), done.stderr


def inspect(kiln, resource):
    return json.loads(kiln.run("inspect", resource).stdout)


def test_DSK_1_DSK_3_a_disk_that_boots_goes_in_without_a_word_said(service):
    ec2 = service.client("ec2")
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    made, words = import_disk(service)
    assert made["warnings"] == [] and "warning" not in words, (made, words)
    assert made["detected"]["looksBootable"] and made["detected"]["rootPartition"] == 3, made
    assert made["detected"]["os"] == {
        "id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)", "architecture": "x86_64", "cloudInit": True,
    }, made
    image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
    assert (image["Name"], image["Description"]) == ("debian-12-x86_64", "Debian GNU/Linux 12 (bookworm)"), image
    assert (image["Architecture"], image["BootMode"], image["RootDeviceName"]) == ("x86_64", "uefi-preferred", "/dev/xvda"), image
    # DSK-3: the service finds the same by itself, in the bytes it has.
    seen = inspect(service, made["imageId"])
    assert seen["warnings"] == [] and seen["rootSnapshotId"] == made["snapshotId"], seen
    assert seen["disk"]["os"] == made["detected"]["os"] and seen["disk"]["partitionTable"] == "gpt", seen
    kinds = [(part["number"], part.get("use"), part.get("fileSystem")) for part in seen["disk"]["partitions"]]
    assert kinds == [(1, "EFI system", "vfat"), (2, "BIOS boot", None), (3, None, "ext4")], seen
    assert inspect(service, made["snapshotId"])["disk"] == seen["disk"]
    told = service.run("import", service.raw, "--name", "told").stdout
    assert "Debian GNU/Linux 12 (bookworm), ext4 in partition 3, cloud-init" in told, told


def test_DSK_1_DSK_4_other_systems_tell_theirs(service):
    ec2 = service.client("ec2")
    for table, loader, boot_code, release, machine, wanted in (
        ("dos", None, True, UBUNTU, X86, ("ubuntu-24.04-x86_64", "x86_64", "legacy-bios", "/dev/sda1")),
        ("gpt", "BOOTAA64.EFI", False, DEBIAN, ARM, ("debian-12-arm64", "arm64", "uefi", "/dev/xvda")),
        ("gpt", "BOOTX64.EFI", False, 'ID="x/../\x1b[31m y"\n', X86, ("x/../-[31m y-x86_64", "x86_64", "uefi", "/dev/xvda")),
    ):
        make_disk(service, table, loader, boot_code, release, machine)
        made, words = import_disk(service)
        image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
        assert (image["Name"], image["Architecture"], image.get("BootMode"), image["RootDeviceName"]) == wanted, (image, wanted)
        assert made["warnings"] == [] and "\x1b" not in words, made


def test_DSK_4_a_cloud_image_with_btrfs_tells_its_system(service):
    # As Fedora's: the root directory is a subvolume. mkfs.btrfs makes none, so it is a directory of that name here.
    ec2 = service.client("ec2")
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    top = tempfile.mkdtemp(prefix="top-", dir=service.home)
    os.rename(make_tree(service.home, 'PRETTY_NAME="Fedora Linux 41 (Cloud Edition)"\nID=fedora\nVERSION_ID="41"\n', X86), os.path.join(top, "root"))
    part = os.path.join(service.home, "part")
    with open(part, "wb") as file:
        file.truncate(48 * MIB)
    run("mkfs.btrfs", "-q", "--mixed", "-L", "fedora", "-r", top, part)
    with open(part, "rb") as whole, open(service.raw, "r+b") as disk:
        disk.seek(ROOT_AT)
        disk.write(whole.read())
    made, _ = import_disk(service)
    image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
    assert made["warnings"] == [] and made["detected"]["rootPartition"] == 3, made
    assert (image["Name"], image["Architecture"], image["RootDeviceName"]) == ("fedora-41-x86_64", "x86_64", "/dev/sda1"), image
    assert inspect(service, made["imageId"])["disk"]["os"]["name"] == "Fedora Linux 41 (Cloud Edition)", made


def test_a_qcow2_goes_in_like_a_raw_disk(service):
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    packed = os.path.join(service.home, "disk.qcow2")
    run("qemu-img", "convert", "-O", "qcow2", "-c", service.raw, packed)
    made = json.loads(service.run("import", packed, "--name", "packed", "--json").stdout)
    assert made["detected"]["os"]["id"] == "debian" and made["warnings"] == [], made


def test_DSK_1_what_the_user_says_stands_and_a_contradiction_is_told(service):
    ec2 = service.client("ec2")
    make_disk(service, "gpt", "BOOTX64.EFI", False)
    made, words = import_disk(service, "--name", "said", "--description", "mine", "--architecture", "arm64", "--boot-mode", "uefi")
    image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
    assert (image["Name"], image["Description"], image["Architecture"], image["BootMode"]) == ("said", "mine", "arm64", "uefi"), image
    assert "The image says arm64, its disk is for x86_64" in words, words
    made, words = import_disk(service, "--name", "bios", "--boot-mode", "legacy-bios")
    assert "legacy-bios" in words and "UEFI alone" in words, words
    assert inspect(service, made["imageId"])["warnings"] == made["warnings"], made


def test_DSK_2_DSK_3_a_disk_that_does_not_look_bootable_is_imported_with_a_warning(service):
    def warned(name, wanted):
        made, words = import_disk(service, "--name", name)
        assert "does not look bootable" in words and wanted in words, (wanted, words)
        assert not made["detected"]["looksBootable"] and made["warnings"], made
        seen = inspect(service, made["imageId"])
        assert any(wanted in warning for warning in seen["warnings"]), seen

    with open(service.raw, "wb") as disk:
        disk.truncate(MIB)
    warned("empty", "no partition table and no known file system")
    os.unlink(service.raw)
    run("mke2fs", "-q", "-t", "ext4", "-d", make_tree(service.home, None, None), service.raw, "16M")
    warned("data", "a data disk")
    os.unlink(service.raw)
    run("mke2fs", "-q", "-t", "ext4", "-d", make_tree(service.home, DEBIAN, X86), service.raw, "16M")
    warned("bare", "without a partition table and a boot loader")
    make_disk(service, "gpt", None, False)
    warned("no-loader", "BOOTX64.EFI")
    make_disk(service, "gpt", "BOOTX64.EFI", True, None, None)
    warned("no-system", "No operating system")
    make_disk(service, "gpt", "BOOTX64.EFI", True, DEBIAN, 243)
    warned("riscv", "riscv")


def test_DSK_2_a_disk_that_is_cut_short_is_told(service):
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    os.truncate(service.raw, 40 * MIB)
    _, words = import_disk(service, "--name", "cut")
    assert "cut short" in words, words


def test_DSK_3_an_image_registered_of_a_data_volume_says_so_when_it_is_inspected(service):
    ec2 = service.client("ec2")
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    image = ec2.register_image(
        Name="no-root", RootDeviceName="/dev/xvda", VirtualizationType="hvm", Architecture="x86_64",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
    )["ImageId"]
    seen = inspect(service, image)
    assert any("no partition table" in warning for warning in seen["warnings"]), seen
    seen = inspect(service, snapshot)["disk"]
    assert not seen["looksBootable"] and seen["bootWarnings"], seen
    # Register's old defaults against a disk that is another (RI-4).
    make_disk(service, "gpt", "BOOTX64.EFI", False)
    made, _ = import_disk(service, "--name", "root")
    image = ec2.register_image(
        Name="old-defaults", RootDeviceName="/dev/xvda", VirtualizationType="hvm",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": made["snapshotId"]}}],
    )["ImageId"]
    warnings = " ".join(inspect(service, image)["warnings"])
    assert "says i386, its disk is for x86_64" in warnings and "which means BIOS" in warnings, warnings


def test_DSK_3_who_may_not_read_a_disk_is_told_nothing_of_it(service):
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    made, _ = import_disk(service, "--name", "shared", "--public")
    other = service.account()

    def ask(resource):
        return other.run("inspect", resource, check=False)

    seen = json.loads(ask(made["imageId"]).stdout)
    assert seen["name"] == "shared" and "disk" not in seen and seen["diskNotRead"], seen
    assert "InvalidSnapshot.NotFound" in ask(made["snapshotId"]).stderr


def test_DSK_5_a_file_system_that_kills_its_reader_costs_nothing_else(service):
    # Sectors as the fuzz targets have them: u32 number and 512 bytes.
    with open(os.path.join(kiln_test.paths.ROOT, "src/disks/fuzz/corpus/file_systems/xfs-broken"), "rb") as file:
        records = file.read()
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    with open(service.raw, "r+b") as disk:
        disk.truncate(256 * MIB)
    run("sfdisk", "-q", "--append", service.raw, input="start=131072, size=65536, type=linux\n", text=True)
    with open(service.raw, "r+b") as disk:
        for at in range(0, len(records) - 515, 516):
            disk.seek((131072 + struct.unpack_from("<I", records, at)[0]) * 512)
            disk.write(records[at + 4 : at + 516])
    made, _ = import_disk(service, "--name", "killer")
    found = made["detected"]
    assert "failed" in found["fileSystemsNotRead"] and found["partitions"][3]["fileSystem"] == "xfs", found
    assert found["os"]["id"] == "debian" and found["rootPartition"] == 3, found
    assert inspect(service, made["imageId"])["disk"]["os"]["id"] == "debian"


def test_DSK_5_without_a_sandbox_file_systems_are_not_read_and_the_import_goes_on(service):
    make_disk(service, "gpt", "BOOTX64.EFI", True)
    # A path on which there is no bwrap: only what prlimit and the loader need.
    bare = os.path.join(service.home, "bare-bin")
    os.mkdir(bare)
    os.symlink("/usr/bin/prlimit", os.path.join(bare, "prlimit"))
    command = [kiln_test.paths.KILN, "import", service.raw, "--data", service.data, "--name", "no-sandbox", "--json"]
    done = subprocess.run(command, env=dict(os.environ, PATH=bare), capture_output=True, text=True, timeout=60, check=True)
    made = json.loads(done.stdout)
    assert made["detected"]["fileSystemsNotRead"] and made["bootMode"] == "uefi-preferred" and "os" not in made["detected"], made


if __name__ == "__main__":
    kiln_test.main()
