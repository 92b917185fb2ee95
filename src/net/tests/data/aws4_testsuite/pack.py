#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pack.py DIR: writes vectors.txt from tests/aws-signing-test-suite/v4 of aws-c-auth (see README.md)."""
import pathlib
import sys

FILES = ["request.txt", "header-canonical-request.txt", "header-string-to-sign.txt", "header-signed-request.txt",
         "query-canonical-request.txt", "query-string-to-sign.txt", "query-signed-request.txt"]

out = bytearray()
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if folder.name.endswith("-unnormalized"):
        continue  # for services that sign the path unnormalised yet encode it twice; there is none such
    if not (folder / FILES[1]).exists():
        continue  # published without its expectations
    for name in FILES:
        data = (folder / name).read_bytes()
        out += f"=== {folder.name} {name} {len(data)}\n".encode() + data + b"\n"
pathlib.Path(__file__).with_name("vectors.txt").write_bytes(out)
