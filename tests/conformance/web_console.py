#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The web console's files and one-time links, as a plain HTTP client sees them. What is in the pages: tests/console."""

import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from kiln_test.paths import KILN, clean_environment  # noqa: E402


@kiln_test.fixture
def service():
    with kiln_test.api_service() as kiln:
        yield kiln


def ask(kiln, method, path, body=None, **headers):
    url = urllib.parse.urlsplit(kiln.endpoint)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def redeem(kiln, token):
    status, headers, body = ask(kiln, "POST", "/console/session", json.dumps({"token": token}))
    assert headers["Cache-Control"] == "no-store"
    return status, json.loads(body)


def link_of(kiln, *more):
    link = kiln.run("web", *more).stdout.strip()
    assert link.startswith(f"{kiln.endpoint}/console/#/session/"), link
    return link.rsplit("/", 1)[1]


def test_WEB_2_the_page_and_what_it_loads_are_served(service):
    status, headers, page = ask(service, "GET", "/console/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    rules = dict(rule.split(maxsplit=1) for rule in headers["Content-Security-Policy"].split(";") if len(rule.split()) > 1)
    assert rules["default-src"] == "'none'" and rules["connect-src"] == "'self'", rules
    assert not any(word in value for value in rules.values() for word in ("*", "http:", "https:")), "it reaches this server alone"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache" and "Content-Encoding" not in headers
    parts = re.findall(rb'(?:src|href)="\./([^"]+)"', page)
    assert parts
    for part in parts:
        path = "/console/" + part.decode()
        status, headers, plain = ask(service, "GET", path)
        assert status == 200 and (b"assets/" not in part or "immutable" in headers["Cache-Control"])
        status, packed_headers, packed = ask(service, "GET", path, Accept_Encoding="br, gzip")
        assert status == 200 and packed_headers["Content-Encoding"] == "gzip" and gzip.decompress(packed) == plain
        status, _, nothing = ask(service, "GET", path, If_None_Match=headers["ETag"])
        assert (status, nothing) == (304, b"")
        status, head, nothing = ask(service, "HEAD", path)
        assert (status, nothing, int(head["Content-Length"])) == (200, b"", len(plain))


def test_WEB_2_a_browser_at_the_root_is_led_to_the_console_and_a_client_is_not(service):
    for path in ("/", "/console"):
        status, headers, _ = ask(service, "GET", path, Accept="text/html,*/*")
        assert (status, headers["Location"]) == (302, "/console/"), path
    assert ask(service, "GET", "/", Accept="*/*")[0] == 403
    assert ask(service, "GET", "/?Action=DescribeRegions", Accept="text/html")[0] == 403
    assert ask(service, "GET", "/", Accept="text/html", Authorization="AWS4-HMAC-SHA256 Credential=AKIA/x")[0] in (400, 403), "it signs"


def test_what_is_not_there_is_refused(service):
    for path in ("/console/nothing.js", "/console/../etc/passwd", "/console/%2e%2e/etc/passwd", "/console/assets/", "/console/index.html/"):
        assert ask(service, "GET", path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE"):
        status, headers, _ = ask(service, method, "/console/index.html", "")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert ask(service, "GET", "/console/session")[0] == 405
    for body in (b"", b"{", b"[]", b'{"token": 7}', b"\xff\xfe", b"[" * 4000):
        assert ask(service, "POST", "/console/session", body)[0] == 400, body
    assert ask(service, "POST", "/console/session", b" " * 5000)[0] == 400


def test_WEB_1_a_link_hands_over_the_keys_it_was_made_with_once(service):
    token = link_of(service)
    assert redeem(service, token[:-1])[0] == 403
    status, keys = redeem(service, token)
    assert (status, keys) == (200, {"accessKeyId": service.access_key, "secretAccessKey": service.secret_key, "region": "us-east-1"})
    status, refusal = redeem(service, token)
    assert status == 403 and "kiln web" in refusal["message"]
    assert redeem(service, link_of(service, "--region", "eu-west-1"))[1]["region"] == "eu-west-1"
    used_before_a_restart = link_of(service)
    service.restart()
    assert redeem(service, used_before_a_restart)[0] == 403


def test_WEB_1_a_link_is_made_only_for_whoever_has_the_keys(service):
    assert ask(service, "POST", "/kiln/v1/console/links", "")[0] == 403
    wrong = dict(clean_environment(), AWS_ACCESS_KEY_ID=service.access_key, AWS_SECRET_ACCESS_KEY="wrong", AWS_REGION="us-east-1")
    done = subprocess.run(
        [KILN, "web", "--endpoint-url", service.endpoint], env=wrong, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0 and not done.stdout, done
    with open(service.log, encoding="utf-8") as log:
        assert "/session/" not in log.read()


def test_WEB_3_a_client_is_told_where_it_comes_from(service):
    def whereabouts(**claims):
        signed = AWSRequest("GET", f"{service.endpoint}/kiln/v1/client", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD", **claims})
        SigV4Auth(Credentials(service.access_key, service.secret_key), "kiln", "us-east-1").add_auth(signed)
        status, _, body = ask(service, "GET", "/kiln/v1/client", **dict(signed.headers.items()))
        return status, json.loads(body)

    assert whereabouts() == (200, {"address": "127.0.0.1", "range": "127.0.0.0/8"})
    assert whereabouts(**{"X-Forwarded-For": "203.0.113.7"}) == (200, {"address": "127.0.0.1", "range": "127.0.0.0/8"})
    assert ask(service, "GET", "/kiln/v1/client")[0] == 403


if __name__ == "__main__":
    kiln_test.main()
