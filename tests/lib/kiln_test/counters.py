# SPDX-License-Identifier: Apache-2.0
"""What a data directory takes: files, objects, and bytes on the disk."""

import os


class Used:
    """Immutable; the difference of two is what came in between. The catalog and the logs are not counted: the first grows by
    rows and the log of its database goes up and down, the others by what guests and the daemon say."""

    def __init__(self, data):
        self.files = self.objects = self.bytes = 0
        for part in ("layers", "objects"):
            for entry in os.scandir(os.path.join(data, part)):
                try:
                    taken = entry.stat(follow_symlinks=False).st_blocks * 512
                except FileNotFoundError:
                    continue  # removed meanwhile
                self.files += part == "layers"
                self.objects += part == "objects"
                self.bytes += taken

    def __sub__(self, before):
        grown = object.__new__(Used)
        for name, value in vars(self).items():
            setattr(grown, name, value - getattr(before, name))
        return grown

    def __repr__(self):
        return f"{self.files} layer files, {self.objects} objects, {self.bytes} bytes"
