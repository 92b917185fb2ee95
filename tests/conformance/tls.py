#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The API over TLS, spoken to by Debian's aws, boto3 and kiln's own client: with the right certificate only."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import boto3  # noqa: E402
import kiln_test  # noqa: E402
from botocore.exceptions import SSLError  # noqa: E402
from kiln_test.paths import KILN, TEMPORARY, clean_environment  # noqa: E402


def make_certificate(folder, name):
    certificate, key = (os.path.join(folder, f"{name}.{kind}") for kind in ("crt", "key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=kiln", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return certificate, key


def regions(kiln, trusted):
    session = boto3.session.Session()
    ec2 = session.client("ec2", region_name="us-east-1", endpoint_url=kiln.endpoint, verify=trusted,
                         aws_access_key_id=kiln.access_key, aws_secret_access_key=kiln.secret_key)  # fmt: skip
    return ec2.describe_regions()["Regions"]


def test_every_client_speaks_tls_and_believes_nobody_else(folder):
    certificate, key = make_certificate(folder, "kiln")
    stranger, _ = make_certificate(folder, "stranger")
    with kiln_test.Kiln("--hypervisor", "fake", "--tls-certificate", certificate, "--tls-key", key) as kiln:
        assert kiln.endpoint.startswith("https://127.0.0.1:"), kiln.endpoint
        assert regions(kiln, certificate)
        try:
            regions(kiln, stranger)
            raise AssertionError("boto3 believed a stranger's certificate")
        except SSLError:
            pass
        identity = kiln.aws("sts", "get-caller-identity", "--ca-bundle", certificate)
        assert identity["Account"].isdigit()
        done = kiln.run("operations", "--built", "--ca-bundle", certificate)
        assert "DescribeRegions" in done.stdout
        disk = os.path.join(folder, "disk.raw")
        with open(disk, "wb") as file:
            file.write(os.urandom(3 << 20))
        made = json.loads(kiln.run("import", disk, "--name", "over-tls", "--json", "--ca-bundle", certificate).stdout)
        assert made["dataBytes"] == 3 << 20, made
        for arguments in (["--ca-bundle", stranger], []):
            done = kiln.run("operations", *arguments, check=False)
            assert done.returncode != 0 and "certificate verify failed" in done.stderr, done.stderr


def test_a_key_without_its_certificate_is_refused(folder):
    certificate, _ = make_certificate(folder, "kiln")
    _, other_key = make_certificate(folder, "other")
    for arguments in (["--tls-certificate", certificate], ["--tls-certificate", certificate, "--tls-key", other_key]):
        done = subprocess.run(
            [KILN, "serve", "--ephemeral", "--hypervisor", "fake", "--listen", "127.0.0.1:0", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_environment(), timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode != 0 and "TLS" in done.stderr, (done.returncode, done.stderr)


@kiln_test.fixture
def folder():
    path = tempfile.mkdtemp(prefix="kt-", dir=TEMPORARY)
    yield path
    shutil.rmtree(path)


if __name__ == "__main__":
    kiln_test.main()
