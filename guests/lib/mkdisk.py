# SPDX-License-Identifier: Apache-2.0
"""Assembles a bootable raw disk from a directory tree, without loop devices, mounts or privileges.

Layout (as Debian's cloud images): GPT; partition 14 BIOS boot (GRUB's core), 15 EFI system (GRUB for UEFI), 1 the root
file system (ext4), which takes the rest. The same disk boots under SeaBIOS and OVMF. File systems are written straight
into the raw file by mke2fs and mtools at an offset; the disk stays sparse.

All UUIDs come from the caller's seed and all times from SOURCE_DATE_EPOCH or a fixed date, so that equal inputs give
equal partition tables and identities. File change times inside ext4 are the exception: mke2fs takes them from the tree.
"""

import os
import struct
import subprocess
import tempfile
import uuid

from debs import BuildError

SECTOR = 512
MIB = 1 << 20
SECTORS_PER_MIB = MIB // SECTOR
BIOS_START, BIOS_SECTORS = 1 * SECTORS_PER_MIB, 1 * SECTORS_PER_MIB
ESP_START, ESP_SECTORS = 2 * SECTORS_PER_MIB, 4 * SECTORS_PER_MIB
ROOT_START = ESP_START + ESP_SECTORS
TAIL_SECTORS = 1 * SECTORS_PER_MIB  # holds the backup GPT (33 sectors), and keeps the root's end aligned
BIOS_BOOT_TYPE = "21686148-6449-6E6F-744E-656564454649"
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
GRUB_MODULES = "part_gpt ext2 search search_fs_uuid configfile normal linux serial terminal".split()
GRUB_DIR = "/usr/lib/grub"
DEFAULT_EPOCH = 1672531200  # 2023-01-01, when no SOURCE_DATE_EPOCH is given


class DiskIds:
    """The identities of one disk, all derived from a seed string. Immutable."""

    def __init__(self, seed):
        def derive(role):
            return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed}/{role}"))

        self.disk = derive("disk")
        self.bios = derive("bios")
        self.esp = derive("esp")
        self.root_partition = derive("root-partition")
        self.root_fs = derive("root-fs")
        self.hash_seed = derive("hash-seed")


def epoch():
    """The one time stamp of everything that is built."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", DEFAULT_EPOCH))


def make_disk(tree, out, size_mib, ids, kernel, initrd, cmdline):
    """Writes `out` from `tree`, into which it first puts boot/grub/grub.cfg. `out` appears by rename when complete."""
    _write_grub_cfg(tree, ids, kernel, initrd, cmdline)
    _set_times(tree)
    part = out + ".part"
    total = size_mib * SECTORS_PER_MIB
    with open(part, "wb") as disk:
        disk.truncate(total * SECTOR)
    _write_root(part, tree, ids, total - ROOT_START - TAIL_SECTORS)
    _write_table(part, ids, total - ROOT_START - TAIL_SECTORS)
    with tempfile.TemporaryDirectory(prefix="mkdisk-") as work:
        _install_bios_grub(part, work, ids)
        _install_efi_grub(part, work, ids)
    os.rename(part, out)


def _run(command, **options):
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(epoch()), E2FSPROGS_FAKE_TIME=str(epoch()))
    # sfdisk and mke2fs live in /sbin, which is not in every user's path.
    environment["PATH"] = environment.get("PATH", "") + ":/usr/sbin:/sbin"
    environment["MTOOLS_SKIP_CHECK"] = "1"
    try:
        subprocess.run(command, check=True, capture_output=True, env=environment, **options)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is missing; run tools/install-packages") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command)}: {error.stderr.decode(errors='replace').strip()}") from error


def _write_grub_cfg(tree, ids, kernel, initrd, cmdline):
    # The first entry is started at once; the output goes to the serial console, which is all a server has.
    lines = ["set timeout=0", "serial --unit=0 --speed=115200", "terminal_output serial", 'menuentry "Linux" {']
    lines.append(f"  linux {kernel} root=UUID={ids.root_fs} ro {cmdline}")
    if initrd:
        lines.append(f"  initrd {initrd}")
    lines.append("}")
    os.makedirs(os.path.join(tree, "boot/grub"), exist_ok=True)
    with open(os.path.join(tree, "boot/grub/grub.cfg"), "w", encoding="ascii") as config:
        config.write("\n".join(lines) + "\n")


def _set_times(tree):
    when = (epoch(), epoch())
    for folder, _, files in os.walk(tree, topdown=False):
        for name in files:
            os.utime(os.path.join(folder, name), when, follow_symlinks=False)
        os.utime(folder, when)


def _write_root(disk, tree, ids, sectors):
    options = f"offset={ROOT_START * SECTOR},hash_seed={ids.hash_seed},lazy_itable_init=1,nodiscard"
    command = ["mke2fs", "-q", "-t", "ext4", "-F", "-U", ids.root_fs, "-L", "root", "-d", tree, "-E", options]
    # GRUB 2.06 does not read file systems with this feature.
    command += ["-O", "^metadata_csum_seed", disk, f"{sectors // 2}k"]
    if os.geteuid() != 0:
        # mke2fs copies owners from the tree; in this namespace the builder's files belong to root.
        command = ["unshare", "--map-root-user"] + command
    _run(command)


def _write_table(disk, ids, root_sectors):
    table = [
        "label: gpt",
        f"label-id: {ids.disk}",
        f"14: start={BIOS_START},size={BIOS_SECTORS},type={BIOS_BOOT_TYPE},uuid={ids.bios}",
        f"15: start={ESP_START},size={ESP_SECTORS},type={ESP_TYPE},uuid={ids.esp}",
        f"1: start={ROOT_START},size={root_sectors},type={ROOT_TYPE},uuid={ids.root_partition}",
    ]
    _run(["sfdisk", "-q", "--no-reread", "--no-tell-kernel", disk], input=("\n".join(table) + "\n").encode())


def _grub_image(work, ids, target, out, extra_modules):
    early = os.path.join(work, "early.cfg")
    with open(early, "w", encoding="ascii") as config:
        config.write(f"search --no-floppy --fs-uuid --set=root {ids.root_fs}\n")
        config.write("set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n")
    path = os.path.join(work, out)
    _run(["grub-mkimage", "-O", target, "-c", early, "-p", "/boot/grub", "-o", path] + extra_modules + GRUB_MODULES)
    return path


def _install_bios_grub(disk, work, ids):
    """What grub-install would do on a real disk: boot code into the MBR, the core image into the BIOS boot partition."""
    with open(_grub_image(work, ids, "i386-pc", "core.img", ["biosdisk"]), "rb") as image:
        core = bytearray(image.read())
    with open(os.path.join(GRUB_DIR, "i386-pc/boot.img"), "rb") as image:
        boot = bytearray(image.read())
    if len(core) > BIOS_SECTORS * SECTOR:
        raise BuildError("GRUB's core image does not fit the BIOS boot partition")
    core[0x1F4:0x1FC] = struct.pack("<Q", BIOS_START + 1)  # diskboot.img: where the rest of the core lies
    boot[0x5C:0x64] = struct.pack("<Q", BIOS_START)  # boot.img: kernel_sector
    boot[0x66:0x68] = b"\x90\x90"  # two no-ops: boot from the drive the BIOS named, as grub-install does for hard disks
    with open(disk, "r+b") as out:
        out.write(boot[:440])  # what follows are the disk signature and the protective partition table
        out.seek(BIOS_START * SECTOR)
        out.write(core)


def _install_efi_grub(disk, work, ids):
    image = _grub_image(work, ids, "x86_64-efi", "BOOTX64.EFI", ["efi_gop"])
    esp = os.path.join(work, "esp")
    with open(esp, "wb") as out:
        out.truncate(ESP_SECTORS * SECTOR)
    serial = ids.esp.replace("-", "")[:8]
    _run(["mformat", "-i", esp, "-T", str(ESP_SECTORS), "-h", "16", "-s", "32", "-N", serial, "-v", "ESP", "::"])
    _run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"])
    _run(["mcopy", "-i", esp, image, "::/EFI/BOOT/BOOTX64.EFI"])
    with open(esp, "rb") as source, open(disk, "r+b") as out:
        out.seek(ESP_START * SECTOR)
        data = source.read()
        out.write(data.rstrip(b"\0"))
