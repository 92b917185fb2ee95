# SPDX-License-Identifier: Apache-2.0
"""The catalog: docs/formats/catalog.md. Opened read-only; tables as they are, and the few columns that lead to bytes."""

import json
import os
import sqlite3
import struct
import urllib.parse

from .binary import Damage, crc32c

SCHEMA = 17
# Tables whose rows have a check sum, and over which columns.
CHECKED = {
    "snapshots": "id region owner state volume content cut created doc",
    "contents": "id state parent layer created doc",
    "layers": "id state created doc",
    "packs": "number id kind digest domain state epoch bytes created trashed",
}
SECRET_FACTS = ("authorization_message_secret", "block_token_secret", "identity_document_key", "metadata_token_secret", "session_secret")


class Catalog:
    """One database, checked by SQLite. Close it."""

    def __init__(self, path):
        self.where = path
        try:
            # Without a log beside it nobody uses it, and SQLite shall not make one to read it.
            beside = os.path.exists(path + "-wal") or os.path.exists(path + "-shm")
            place = f"file:{urllib.parse.quote(path)}?{'mode=ro' if beside else 'immutable=1'}"
            self.database = sqlite3.connect(place, uri=True)
            self.database.row_factory = sqlite3.Row
            said = self.database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            self.meta = {row["name"]: row["content"] for row in self.database.execute("SELECT name, content FROM meta")}
        except sqlite3.DatabaseError as error:
            raise Damage(path, 0, f"SQLite: {error}") from None
        if said != "ok":
            raise Damage(path, 0, f"SQLite: {said}")
        if not 1 <= int(self.meta.get("schema", 0)) <= SCHEMA:
            raise Damage(path, 0, f"schema {self.meta.get('schema')} is not known")
        if int(self.meta["schema"]) >= 6:
            self._check_rows()

    def _check_rows(self):
        for table, columns in CHECKED.items():
            names = columns.split()
            for row in self.database.execute(f"SELECT * FROM {table}"):
                if row["crc"] != row_crc(table, [row[name] for name in names]):
                    raise Damage(self.where, 0, f"{table}: the row of {_shown(table, row, 'id')} has another check sum")

    def close(self):
        self.database.close()

    def row(self, table, name):
        """A row as a dictionary, its document's members among the columns."""
        row = self.database.execute(f"SELECT * FROM {table} WHERE id = ?", (name,)).fetchone()
        if not row:
            raise Damage(self.where, 0, f"{table} has no {name}")
        return {**json.loads(row["doc"]), **{key: row[key] for key in row.keys() if key != "doc"}}

    def chunks(self):
        """The chunk index: (id, pack's id) -> (place, stored_bytes, plain_bytes, type, codec, encryption), of packs that are read."""
        query = """SELECT chunks.id, packs.id, place, stored_bytes, plain_bytes, type, codec, encryption
                   FROM chunks JOIN packs ON chunks.pack = packs.number WHERE packs.state IN ('stored', 'condemned')"""
        return {(row[0], row[1]): tuple(row[2:]) for row in self.database.execute(query)}

    def packs(self):
        """Ids of the packs that hold something to be read."""
        return [row["id"] for row in self.database.execute("SELECT id FROM packs WHERE state IN ('stored', 'condemned')")]

    def lines(self):
        tables = [row[0] for row in self.database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        yield f"catalog of store {self.meta.get('uuid')}, schema {self.meta['schema']}"
        for table in tables:
            rows = self.database.execute(f'SELECT * FROM "{table}"').fetchall()
            yield f"{table}: {len(rows)} rows"
            for row in rows:
                yield "  " + " ".join(f"{key}={_shown(table, row, key)}" for key in row.keys())


def row_crc(table, values):
    data = b""
    for value in [table, *values]:
        raw = b"" if value is None else value if isinstance(value, bytes) else str(value).encode()
        data += struct.pack("<Q", 2**64 - 1 if value is None else len(raw)) + raw
    return crc32c(data)


def _shown(table, row, key):
    value = row[key]
    if table == "meta" and key == "content" and row["name"] in SECRET_FACTS:
        return "(secret)"
    if key == "doc" and table == "access_keys":
        return json.dumps({name: "(secret)" if name == "secret" else member for name, member in json.loads(value).items()})
    return value.hex() if isinstance(value, bytes) else value
