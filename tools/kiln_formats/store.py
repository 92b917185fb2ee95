# SPDX-License-Identifier: Apache-2.0
"""A data directory at rest: docs/formats/README.md. The bytes of its snapshots and volumes, without Kiln."""

import os

from .binary import BLOCK, Damage
from .catalog import Catalog
from .layer import Layer, read
from .pack import Pack
from .tree import Objects, Tree


class Store:
    """Reads what a service has left that was stopped or killed. `boot` as in Journal. Whether the sets that a kill left pending are
    whole is not looked at. One owner thread; close it."""

    def __init__(self, folder, boot=None):
        self.folder, self.boot = folder, boot
        self.catalog = Catalog(os.path.join(folder, "catalog.sqlite"))
        self.packs = [self._pack(name) for name in self.catalog.packs()]
        self.objects = Objects(self.packs)

    def close(self):
        self.catalog.close()

    def _pack(self, name):
        path = os.path.join(self.folder, "objects", f"pack-{self.catalog.meta['uuid']}-{name.hex()}")
        pack = Pack(path, read(path))
        if pack.id != name or pack.store != self.catalog.meta["uuid"]:
            raise Damage(path, 80, "this is another pack: the files were swapped")
        return pack

    def snapshot(self, name):
        """Block number -> bytes, of the blocks that are not zeros."""
        return self.content(self.catalog.row("snapshots", name)["content"], frozen=True)

    def volume(self, name):
        row = self.catalog.row("volumes", name)
        under = self.content(row["base_content"], frozen=False) if row["base_content"] else {}
        return self._over(under, row["active_layer"], frozen=False)

    def content(self, name, frozen):
        """`frozen`: its layers have to be sealed. Those that a volume stands on may not be yet, after a kill."""
        row = self.catalog.row("contents", name)
        if row["state"] == "rooted":
            return self.tree(bytes.fromhex(row["root"]))
        under = self.content(row["parent"], frozen) if row["parent"] else {}
        return self._over(under, row["layer"], frozen)

    def tree(self, root_digest):
        blocks = {}
        for place, data in Tree(self.objects, root_digest).chunks():
            for at in range(0, len(data), BLOCK):
                if any(data[at : at + BLOCK]):
                    blocks[(place + at) // BLOCK] = data[at : at + BLOCK]
        return blocks

    def _over(self, under, name, frozen):
        state, folder = self.catalog.row("layers", name)["state"], os.path.join(self.folder, "layers")
        if state == "planned" and not os.path.exists(os.path.join(folder, f"d-{name}.map")):
            return under
        layer = Layer(folder, name, self.boot)
        if layer.map.head.store != self.catalog.meta["uuid"]:
            raise Damage(layer.stem, 16, f"the layer is of store {layer.map.head.store}")
        if not layer.sealed and (frozen or state == "sealed"):
            raise Damage(layer.stem, layer.journal.end, "the layer is not sealed")
        blocks = {block: data for block, data in under.items() if block < layer.size // BLOCK}
        for block, data in layer.blocks():
            blocks.pop(block, None)
            if data and any(data):
                blocks[block] = data
        return blocks
