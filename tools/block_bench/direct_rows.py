# SPDX-License-Identifier: Apache-2.0
"""Row P14: snapshots written and read block by block over the EBS direct API, each block a request of its own.

Requests are signed and digests computed before the clock runs, and the client only moves bytes between a file and a socket: it
shares the processors with the service. Before each turn some bytes of every 64 KiB are changed, so that all data is new.
"""

import base64
import concurrent.futures
import hashlib
import os
import socket
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import corpus
from .measure import in_turns, row
from .targets import DEADLINE_SECONDS, Workshop

BLOCK = 524288
CONNECTIONS = 4
PUT_MB, GET_MB = 200, 400  # what is allowed for on two processors


def p14(plan):
    with Workshop() as workshop:
        path = corpus.one_file(workshop.path("data"), (32 if plan.quick else 512) * corpus.MIB)
        size = os.path.getsize(path) // BLOCK * BLOCK
        os.truncate(path, size)
        snapshots, stored = [], []

        def put():
            corpus.stamp(path)
            workshop.quiet()
            snapshot, speed, until_stored = upload(workshop, path)
            snapshots.append(snapshot)
            stored.append(until_stored)
            return speed

        def get():
            workshop.start_anew()  # nothing that was read before is in its memory
            return download(workshop, snapshots[-1], path)

        # Reading needs what was written: no turns the other way round.
        figures = [(put(), get()) for _ in range(plan.rounds)]
        what = f"{size >> 20} MiB in blocks of 512 KiB over {CONNECTIONS} connections"
        for identifier, how, values, allowed, target in (
            ("P14.put", "put", [put for put, _ in figures], PUT_MB, 1.0),
            ("P14.put/stored", "put, completed and stored", stored, PUT_MB, None),
            ("P14.get", "got", [get for _, get in figures], GET_MB, 1.0),
        ):
            rounds = allowance(values, allowed)
            told = f"EBS direct: {what} are {how}"
            yield row(identifier, told, rounds, "kiln", "allowed", unit="MB/s", target=target, peer_name=f"{allowed} MB/s")


def allowance(values, allowed):
    given = iter(values)
    return in_turns({"kiln": lambda: next(given), "allowed": lambda: allowed}, len(values))


def upload(workshop, path):
    """A snapshot of the file, and MB/s: of the puts, and from the first of them until the snapshot is stored."""
    ebs, size = workshop.kiln.client("ebs"), os.path.getsize(path)
    snapshot = ebs.start_snapshot(VolumeSize=-(-size // (1 << 30)), Timeout=60)["SnapshotId"]
    digests, heads = [], []
    with open(path, "rb") as file:
        for index in range(size // BLOCK):
            digests.append(hashlib.sha256(file.read(BLOCK)).digest())
            checked = {"x-amz-Checksum": text(digests[-1]), "x-amz-Data-Length": str(BLOCK), "x-amz-Checksum-Algorithm": "SHA256"}
            heads.append(head(workshop.kiln, "PUT", f"/snapshots/{snapshot}/blocks/{index}", checked, BLOCK))
    begin, end = in_parallel(send_blocks, workshop.kiln, heads, path)
    ebs.complete_snapshot(
        SnapshotId=snapshot, ChangedBlocksCount=len(heads), Checksum=text(hashlib.sha256(b"".join(digests)).digest()),
        ChecksumAlgorithm="SHA256", ChecksumAggregationMethod="LINEAR",
    )  # fmt: skip
    workshop.completed(snapshot)
    workshop.stored(snapshot)
    return snapshot, size / (end - begin) / 1e6, size / (time.monotonic() - begin) / 1e6


def download(workshop, snapshot, path):
    """MB/s of getting every block; each is as long as it must be, and the last one read is compared."""
    ebs, tokens, page = workshop.kiln.client("ebs"), {}, {}
    while True:
        answer = ebs.list_snapshot_blocks(SnapshotId=snapshot, MaxResults=10000, **page)
        tokens.update((block["BlockIndex"], block["BlockToken"]) for block in answer["Blocks"])
        if "NextToken" not in answer:
            break
        page = {"NextToken": answer["NextToken"]}
    assert len(tokens) == os.path.getsize(path) // BLOCK, len(tokens)
    heads = [
        head(workshop.kiln, "GET", f"/snapshots/{snapshot}/blocks/{index}?blockToken={urllib.parse.quote(token, safe='')}")
        for index, token in sorted(tokens.items())
    ]
    begin, end = in_parallel(receive_blocks, workshop.kiln, heads, path)
    return len(heads) * BLOCK / (end - begin) / 1e6


def text(digest):
    return base64.b64encode(digest).decode()


def head(kiln, method, path, headers=None, length=0):
    """The bytes of a signed request before its body, which is not signed itself: its digest in the headers is."""
    request = AWSRequest(method, kiln.endpoint + path, headers=headers or {}, data=b"")
    request.context["payload_signing_enabled"] = not length
    SigV4Auth(Credentials(kiln.access_key, kiln.secret_key), "ebs", kiln.region).add_auth(request)
    sent = {"Host": urllib.parse.urlsplit(kiln.endpoint).netloc, "Content-Length": str(length), **dict(request.headers.items())}
    return "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in sent.items()), "\r\n"]).encode()


def in_parallel(work, kiln, heads, path):
    """When the first of the workers began, and when the last ended; worker n has every block n, n + CONNECTIONS, ..."""
    place = urllib.parse.urlsplit(kiln.endpoint)
    with concurrent.futures.ProcessPoolExecutor(CONNECTIONS) as pool:
        jobs = [pool.submit(work, (place.hostname, place.port), heads[n::CONNECTIONS], path, n) for n in range(CONNECTIONS)]
        times = [job.result() for job in jobs]
    return min(begin for begin, _ in times), max(end for _, end in times)


class Connection:
    """One connection to the service; `receive` reads an answer into a buffer of a block."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=DEADLINE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(BLOCK + 65536)

    def receive(self, status):
        """The body: a view that the next answer overwrites."""
        view, got, start = memoryview(self.buffer), 0, -1
        while start < 0:
            got += self._more(view[got:])
            start = self.buffer.find(b"\r\n\r\n", 0, got)
        lines = bytes(view[:start]).decode().split("\r\n")
        assert lines[0].split()[1] == status, bytes(view[:got])
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        begin, end = start + 4, start + 4 + int(fields["content-length"])
        while got < end:
            got += self._more(view[got:end])
        return view[begin:end]

    def _more(self, room):
        count = self.socket.recv_into(room)
        assert count, "the service closed the connection"
        return count


def send_blocks(address, heads, path, first):
    connection, begin = Connection(address), time.monotonic()
    with open(path, "rb") as file:
        for number, request in enumerate(heads):
            connection.socket.sendall(request, socket.MSG_MORE)
            connection.socket.sendfile(file, (first + number * CONNECTIONS) * BLOCK, BLOCK)
            connection.receive("201")
    return begin, time.monotonic()


def receive_blocks(address, heads, path, first):
    connection, begin = Connection(address), time.monotonic()
    for request in heads:
        connection.socket.sendall(request)
        body = connection.receive("200")
        assert len(body) == BLOCK, len(body)
    end = time.monotonic()
    with open(path, "rb") as file:
        file.seek((first + (len(heads) - 1) * CONNECTIONS) * BLOCK)
        assert file.read(BLOCK) == body, "the last block has other bytes"
    return begin, end
