# SPDX-License-Identifier: Apache-2.0
"""Kiln's files as docs/formats describes them, read without Kiln: written from those documents alone, not from the program.

Every reader checks all that its document promises and raises `Damage`, which names the file, the offset and what is wrong.
`docs/formats/README.md` says what is here; tools/dump prints files, tests/conformance/formats.py keeps program and documents together.
"""
