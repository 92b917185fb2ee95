#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes signed.txt: requests signed by botocore (Debian's python3-botocore), for sigv4_test.cpp to verify.

Run it with /usr/bin/python3. Each entry is a line `=== NAME SERVICE LENGTH` and a whole HTTP request of that length.
The clock stands at 2024-02-29T12:00:00Z; the key is Amazon's documentation example.
"""
import datetime
import pathlib
import unittest.mock

import botocore.auth
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"
HOST = "127.0.0.1:4566"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": "Boto3/1.26 not signed"}


class FixedTime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return cls(2024, 2, 29, 12, 0, 0)


def case(name, service, auth, method, target, headers=None, body=b"", token=None, **options):
    credentials = Credentials(ACCESS, SECRET, token)
    # botocore leaves the payload unsigned over TLS only, and only when told to
    unsigned = options.pop("payload_signing", True) is False
    url = ("https://" if unsigned else "http://") + HOST + target
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    if unsigned:
        request.context["payload_signing_enabled"] = False
    auth(credentials, service, REGION, **options).add_auth(request)
    prepared = request.prepare()
    lines = [f"{method} {prepared.url.split(HOST, 1)[1]} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{key}: {value if isinstance(value, str) else value.decode()}" for key, value in prepared.headers.items()]
    raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return f"=== {name} {service} {len(raw)}\n".encode() + raw + b"\n"


def cases():
    body = b"Action=DescribeImages&Version=2016-11-15&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1=a%2A+b"
    yield case("form-post", "ec2", SigV4Auth, "POST", "/", FORM, body)
    yield case("form-post-with-session", "ec2", SigV4Auth, "POST", "/", FORM, body, token="FQoGZXIvYXdzEXAMPLE//token==")
    yield case("get-with-query", "ec2", SigV4Auth, "GET", "/?Action=DescribeRegions&Version=2016-11-15&Filter.1.Value.1=eu-%2A%20x")
    yield case("empty-post", "sts", SigV4Auth, "POST", "/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15")
    yield case("spaces-in-headers", "ec2", SigV4Auth, "POST", "/", {"X-Amz-Meta-Note": "  two   words  ", "X-Custom": "a,b"}, b"x")
    yield case("path-double-encoded", "ebs", SigV4Auth, "GET", "/snapshots/snap-1/blocks/7?blockToken=AAA%2FB%2B%3D&x")
    yield case("path-with-escapes", "execute-api", SigV4Auth, "GET", "/a%20b/../c%2Fd/./e~f//g")
    yield case("json-target", "kms", SigV4Auth, "POST", "/", {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}, b"{}")
    yield case("presigned-get", "ec2", SigV4QueryAuth, "GET", "/?Action=DescribeImages&Version=2016-11-15", expires=900)
    yield case("presigned-get-with-session", "ec2", SigV4QueryAuth, "GET", "/?Action=CopySnapshot&B=%2F%20", token="tok/en+=", expires=3600)
    yield case("s3-put", "s3", S3SigV4Auth, "PUT", "/bucket/a%20b//c/../d~e%2Bf", {"Content-Type": "text/plain"}, b"hello")
    yield case("s3-put-unsigned", "s3", S3SigV4Auth, "PUT", "/bucket/key", {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}, b"hello",
               payload_signing=False)
    yield case("s3-presigned", "s3", S3SigV4QueryAuth, "GET", "/bucket/a%20b?versionId=1", expires=604800)


with unittest.mock.patch.object(botocore.auth.datetime, "datetime", FixedTime):
    data = b"".join(cases())
pathlib.Path(__file__).with_name("signed.txt").write_bytes(data)
