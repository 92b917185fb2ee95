# SPDX-License-Identifier: Apache-2.0
"""What rows about storing are measured with: files of this machine, as they lie in /usr/lib, in an order that their names decide.

Two machines with the same packages have the same bytes. One owner thread.
"""

import hashlib
import os
import random
import subprocess

SOURCE = "/usr/lib"
MIB = 1 << 20
MOST_FILE_BYTES = 16 * MIB  # so that no single library is most of it
STAMP_EVERY = 65536  # a chunk
STAMP_BYTES = 16
PER_DIRECTORY = 100
DEADLINE_SECONDS = 600
# Whoever makes the same image twice gets the same bytes.
FIXED = {"E2FSPROGS_FAKE_TIME": "1700000000"}
IDENTIFIER = "6b696c6e-0000-4000-8000-000000000000"


def files():
    """Paths and sizes, in the order of the digests of the paths: a mixture from the start on."""
    found = []
    for folder, _, names in os.walk(SOURCE):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.path.isfile(path) and os.access(path, os.R_OK):
                size = os.path.getsize(path)
                if 0 < size <= MOST_FILE_BYTES:
                    found.append((hashlib.sha256(os.fsencode(path)).digest(), path, size))
    return [(path, size) for _, path, size in sorted(found)]


def content(path):
    with open(path, "rb") as file:
        return file.read()


def one_file(path, size):
    """Files one after the other, `size` bytes of them; fewer where there are fewer, and whole chunks."""
    with open(path, "wb") as out:
        for source, _ in files():
            out.write(content(source))
            if out.tell() >= size:
                break
        out.truncate(min(size, out.tell()) // STAMP_EVERY * STAMP_EVERY)
    return path


def stamp(path):
    """Makes every chunk one that nobody has stored before, by a few bytes of it; zeros stay. The file is on the medium then, so that
    its writing disturbs nobody."""
    zeros = bytes(STAMP_EVERY)
    with open(path, "r+b") as file:
        for offset in range(0, os.path.getsize(path), STAMP_EVERY):
            file.seek(offset)
            if file.read(STAMP_EVERY) != zeros:
                file.seek(offset + STAMP_EVERY - STAMP_BYTES)
                file.write(os.urandom(STAMP_BYTES))
        file.flush()
        os.fdatasync(file.fileno())


class Lineage:
    """An ext4 image, and its successors: each has some of the files of the one before rewritten, some removed, and new ones."""

    REWRITTEN, REMOVED, ADDED = 0.05, 0.03, 0.10  # of the files; of their bytes

    def __init__(self, directory, size):
        self.directory = directory
        self.size = size
        self.rest = iter(files())
        self.names = {}  # of the files in the image: the path that its bytes come from
        self.count = 0
        self.choice = random.Random(1)

    def first(self, path, image_bytes):
        """The image whose files have `size` bytes."""
        tree = os.path.join(self.directory, "tree")
        for name, source in self._more(self.size):
            os.makedirs(os.path.join(tree, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(tree, name), "wb") as file:
                file.write(content(source))
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", tree, "-U", IDENTIFIER]
        run([*command, "-E", f"hash_seed={IDENTIFIER}", path, f"{image_bytes >> 10}k"])
        run(["rm", "-rf", tree])
        return path

    def next(self, before, path):
        """The image after an upgrade and an installation, as it were."""
        run(["cp", "--sparse=always", before, path])
        names = sorted(self.names)
        removed = self.choice.sample(names, int(len(names) * self.REMOVED))
        rewritten = self.choice.sample(sorted(set(names) - set(removed)), int(len(names) * self.REWRITTEN))
        lines = [line for name in removed for line in self._remove(name)]
        for name in removed:
            del self.names[name]
        for name in rewritten:
            lines += [*self._remove(name), *self._write(name, self._edited(self.names[name]))]
        folders = {os.path.dirname(name) for name in names}
        for name, source in self._more(self.size * self.ADDED):
            if os.path.dirname(name) not in folders:
                folders.add(os.path.dirname(name))
                lines += ["cd /", f"mkdir {os.path.dirname(name)}"]  # it takes /NAME for one in the current directory
            lines += self._write(name, source)
        script = os.path.join(self.directory, "script")
        with open(script, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        done = run(["debugfs", "-w", "-f", script, path])
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("debugfs 1.")]
        assert not complaints, complaints[:3]  # it ends with 0 whatever happened
        return path

    def _more(self, size):
        """Names and sources of the next files."""
        while size > 0:
            taken = next(self.rest, None)
            if taken is None:
                return
            name = f"d{self.count // PER_DIRECTORY}/f{self.count}"
            self.count += 1
            size -= taken[1]
            self.names[name] = taken[0]
            yield name, taken[0]

    def _edited(self, source):
        """A newer version: a few bytes more, a third of the way into it, and a few other bytes at its beginning."""
        old = content(source)
        path = os.path.join(self.directory, f"edited-{self.choice.getrandbits(64):016x}")
        with open(path, "wb") as file:
            third = max(len(old) // 3, 32)
            file.write(self.choice.randbytes(32) + old[32:third] + self.choice.randbytes(100) + old[third:])
        return path

    @staticmethod
    def _remove(name):
        return [f"rm /{name}"]

    @staticmethod
    def _write(name, source):
        return [f"cd /{os.path.dirname(name)}", f"write {source} {os.path.basename(name)}"]


def run(command, seconds=DEADLINE_SECONDS, **environment):
    """Output of a program that must succeed."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", **FIXED, **environment}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=environment, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done
