# SPDX-License-Identifier: Apache-2.0
"""Debian packages as a source of files: found and downloaded by apt-get, never installed.

The set of packages is resolved once per cache directory and written to `NAME.lock` (file name, size, SHA-256), so that
a second build needs neither the network nor a fresh package index; `refresh=True` resolves again. Files are read
straight out of the package's data archive. Needs no root, except that an empty package index can only be filled by root.

Errors are `BuildError` with a sentence that says what to do.
"""

import hashlib
import os
import re
import subprocess
import tarfile


class BuildError(Exception):
    """Something outside this program is missing or refused; the text is for the person at the keyboard."""


class Deb:
    """One downloaded package. Immutable."""

    def __init__(self, path, sha256):
        self.path = path
        self.sha256 = sha256

    def files(self, wanted):
        """Yields (name, mode, bytes) for regular files whose path (without leading ./) satisfies `wanted`."""
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", self.path], stdout=subprocess.PIPE) as unpack:
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
                for member in archive:
                    name = member.name.lstrip("./")
                    if member.isfile() and wanted(name):
                        yield name, member.mode, archive.extractfile(member).read()
        if unpack.returncode != 0:
            raise BuildError(f"dpkg-deb cannot read {self.path}; remove it and build again")


def fetch(names, cache, lock_name, refresh=False):
    """Returns one Deb per name, downloaded into `cache` and checked against its SHA-256."""
    os.makedirs(cache, exist_ok=True)
    lock = os.path.join(cache, lock_name + ".lock")
    entries = None if refresh else _read_lock(lock, names)
    if entries is None:
        entries = _resolve(names)
        lines = [f"{name} {file} {digest}\n" for name, (file, digest) in entries.items()]
        with open(lock + ".new", "w", encoding="ascii") as out:
            out.writelines(lines)
        os.rename(lock + ".new", lock)
    missing = [name for name in names if not os.path.exists(os.path.join(cache, entries[name][0]))]
    if missing:
        _download(missing, entries, cache)
    return {name: _checked(os.path.join(cache, file), digest) for name, (file, digest) in entries.items()}


def newest(meta_package, pattern):
    """The package matching `pattern` on which `meta_package` depends, e.g. the current kernel image."""
    answer = subprocess.run(
        ["apt-cache", "depends", meta_package], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"Depends: (" + pattern + r")\s", answer)
    if not found:
        _fill_index()
        answer = subprocess.run(
            ["apt-cache", "depends", meta_package], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"Depends: (" + pattern + r")\s", answer)
    if not found:
        raise BuildError(f"the package index has no {meta_package}: is this Debian 12 on amd64?")
    return found.group(1)


def _read_lock(path, names):
    try:
        with open(path, encoding="ascii") as lines:
            rows = [line.split() for line in lines]
    except FileNotFoundError:
        return None
    entries = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    return entries if list(entries) == list(names) else None


def _resolve(names):
    answer = _apt_download(names, print_only=True)
    if answer.returncode != 0:
        _fill_index()
        answer = _apt_download(names, print_only=True)
    if answer.returncode != 0:
        raise BuildError("apt-get cannot find the packages for the guest:\n" + answer.stderr.strip())
    found = re.findall(r"^'\S+' (\S+_\S+\.deb) \d+ SHA256:([0-9a-f]{64})$", answer.stdout, re.M)
    by_name = {file.split("_")[0]: (file, digest) for file, digest in found}
    absent = [name for name in names if name not in by_name]
    if absent:
        raise BuildError("apt-get gave no address for: " + " ".join(absent))
    return {name: by_name[name] for name in names}


def _download(names, entries, cache):
    # Exact versions: the lock, not the index of today, decides what is in the guest.
    exact = [f"{name}={entries[name][0].split('_')[1].replace('%3a', ':')}" for name in names]
    answer = _apt_download(exact, cwd=cache)
    if answer.returncode != 0:
        raise BuildError(
            "apt-get download failed (a locked version may be gone from the archive: build with --refresh):\n"
            + answer.stderr.strip()
        )


def _apt_download(names, print_only=False, cwd=None):
    # As root apt would drop to its own user, which cannot write here; the files are verified by digest anyway.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"]
    command += ["--print-uris"] if print_only else []
    return subprocess.run(command + names, cwd=cwd, capture_output=True, text=True, check=False)


def _fill_index():
    if os.geteuid() != 0:
        raise BuildError("the package index is empty or old; run once: sudo apt-get update")
    subprocess.run(["apt-get", "-q", "update"], stdout=subprocess.DEVNULL, check=False)


def _checked(path, digest):
    with open(path, "rb") as data:
        actual = hashlib.file_digest(data, "sha256").hexdigest()
    if actual != digest:
        raise BuildError(f"{path} is damaged (SHA-256 {actual}); remove it and build again")
    return Deb(path, digest)
