# SPDX-License-Identifier: Apache-2.0
"""The metadata service of an instance, asked as its network process would ask it."""

import http.client
import os
import socket


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("169.254.169.254", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def read_metadata(kiln, instance, path):
    """What it answers to a GET of `path` below /latest/; None for what there is not."""
    connection = _UnixConnection(os.path.join(kiln.home, "run", instance, "metadata.sock"))
    try:
        connection.request("GET", "/latest/" + path)
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status == 200 else None
    finally:
        connection.close()
