#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What kiln import is told about an image, and what it reads from the disk itself: partition tables and EFI loaders."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402

MIB = 1 << 20


def import_disk(kiln, path, name, *more):
    return json.loads(kiln.run("import", path, "--name", name, "--json", *more).stdout)


@kiln_test.fixture
def service():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        kiln.raw = os.path.join(kiln.home, "disk.raw")
        with open(kiln.raw, "wb") as disk:
            disk.truncate(MIB)
        yield kiln


def test_import_takes_what_ec2_knows_of_an_image(service):
    ec2 = service.client("ec2")
    chosen = "ami-0123456789abcdef0"
    made = import_disk(service, service.raw, "options", "--image-id", chosen, "--platform", "windows", "--public")
    assert made["imageId"] == chosen
    image = ec2.describe_images(ImageIds=[chosen])["Images"][0]
    assert image["Platform"] == "windows" and image["PlatformDetails"] == "Windows" and image["Public"], image
    assert image["UsageOperation"] == "RunInstances:0002" and image["RootDeviceName"] == "/dev/xvda", image
    made = import_disk(service, service.raw, "old", "--virtualization-type", "paravirtual", "--architecture", "i386")
    image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
    assert image["VirtualizationType"] == "paravirtual" and image["RootDeviceName"] == "/dev/sda1", image

    def not_imported(words, *more):
        done = service.run("import", service.raw, "--name", "refused", *more, check=False)
        assert done.returncode == 1 and words in done.stderr, (more, done.stderr)

    not_imported("in use", "--image-id", chosen)
    not_imported("InvalidAMIID.Malformed", "--image-id", "ami-12")
    not_imported("InvalidAMIID.Malformed", "--image-id", "aki-12345678")
    not_imported("for platform", "--platform", "solaris")
    not_imported("virtualization-type", "--virtualization-type", "qubes")
    ec2.deregister_image(ImageId=chosen)
    not_imported("in use", "--image-id", chosen)  # an id is never used again


def test_only_an_administrator_chooses_an_image_id(service):
    done = service.account().run("import", service.raw, "--name", "chosen", "--image-id", "ami-0123456789abcdef1", check=False)
    assert done.returncode == 1 and "UnauthorizedOperation" in done.stderr, done.stderr


def make_bootable(path, script, loaders, boot_code):
    """A partitioned disk; `loaders` go to \\EFI\\BOOT of the FAT file system at 1 MiB."""
    with open(path, "wb") as disk:
        disk.truncate(64 * MIB)
    subprocess.run(["sfdisk", "-q", path], input=script, text=True, check=True, timeout=60)
    if loaders:
        subprocess.run(["mformat", "-i", path + "@@1M", "-T", "81920", "-h", "16", "-s", "32", "::"], check=True, timeout=60)
        subprocess.run(["mmd", "-i", path + "@@1M", "::EFI", "::EFI/BOOT"], check=True, timeout=60)
        for loader in loaders:
            subprocess.run(["mcopy", "-i", path + "@@1M", __file__, "::EFI/BOOT/" + loader], check=True, timeout=60)
    with open(path, "r+b") as disk:
        disk.write(b"\xeb\x63\x90" * 10 if boot_code else b"\0" * 440)


GPT = "label: gpt\nstart=2048, size=81920, type=uefi\n"
MBR = "label: dos\nstart=2048, size=81920, type=83\n"
MBR_EFI = "label: dos\nstart=2048, size=81920, type=ef\n"


def test_import_reads_architecture_and_boot_mode_from_the_disk(service):
    ec2 = service.client("ec2")
    path = os.path.join(service.home, "bootable.raw")
    for number, (script, loaders, boot_code, architecture, mode) in enumerate((
        (GPT, ["BOOTX64.EFI"], False, "x86_64", "uefi"),
        (GPT, ["bootx64.efi"], True, "x86_64", "uefi-preferred"),
        (GPT, ["BOOTAA64.EFI"], False, "arm64", "uefi"),
        (GPT, [], False, "x86_64", None),
        (MBR, [], True, "x86_64", "legacy-bios"),
        (MBR, [], False, "x86_64", None),
        (MBR_EFI, ["BOOTX64.EFI"], True, "x86_64", "uefi-preferred"),
    )):
        make_bootable(path, script, loaders, boot_code)
        made = import_disk(service, path, f"bootable-{number}")
        image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
        assert (image["Architecture"], image.get("BootMode")) == (architecture, mode), (script, loaders, boot_code, image, made)
    # What the user says stands.
    make_bootable(path, GPT, ["BOOTAA64.EFI"], True)
    made = import_disk(service, path, "said", "--architecture", "x86_64", "--boot-mode", "legacy-bios")
    image = ec2.describe_images(ImageIds=[made["imageId"]])["Images"][0]
    assert (image["Architecture"], image["BootMode"]) == ("x86_64", "legacy-bios"), image
    told = service.run("import", path, "--name", "told").stdout
    assert "GPT, boot code, EFI partition, EFI loader for arm64" in told and "arm64, uefi" in told, told


if __name__ == "__main__":
    kiln_test.main()
