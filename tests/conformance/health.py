#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Health, readiness and metrics as monitoring asks for them, and the log line of a request."""

import http.client
import json
import os
import re
import resource
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import kiln_test  # noqa: E402
from kiln_test.refusals import refusal  # noqa: E402

SAMPLE = re.compile(r"^[a-z_]+(\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\})? (-?[0-9.e+-]+|\+Inf)$")


def ask(kiln, path, method="GET"):
    url = urllib.parse.urlsplit(kiln.endpoint)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def samples(kiln):
    status, headers, text = ask(kiln, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert SAMPLE.match(line), line
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def counted(kiln, operation, code):
    name = r'kiln_requests_total\{(?=.*service="ec2")(?=.*operation="%s")(?=.*code="%s")' % (operation, code)
    return sum(value for sample, value in samples(kiln).items() if re.match(name, sample))


def wait_counted(kiln, operation, code, times):
    """Requests are counted once the answer is on its way."""
    kiln_test.wait_until(lambda: counted(kiln, operation, code) >= times, 10, f"{operation} is counted")
    assert counted(kiln, operation, code) == times


def test_health_and_readiness_need_no_keys():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        for path in ("/healthz", "/readyz"):
            assert ask(kiln, path)[::2] == (200, "ok\n")
            assert ask(kiln, path, "HEAD")[::2] == (200, "")
            assert ask(kiln, path, "POST")[0] == 405
        assert ask(kiln, "/healthz/more")[0] != 200


def test_readiness_says_when_the_store_is_full():
    with kiln_test.Kiln("--hypervisor", "fake", "--reserve", "1000000GiB") as kiln:
        assert ask(kiln, "/healthz")[0] == 200
        status, _, text = ask(kiln, "/readyz")
        assert status == 503 and "full" in text, text


def test_all_files_that_it_may_have_are_used():
    """Each open volume has several, and shells begin with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with kiln_test.Kiln("--hypervisor", "fake") as kiln:
            assert resource.prlimit(kiln.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_requests_are_counted_by_operation_and_code():
    with kiln_test.Kiln("--hypervisor", "fake") as kiln:
        ec2 = kiln.client("ec2")
        for _ in range(3):
            ec2.describe_regions()
        assert refusal(ec2.describe_volumes, VolumeIds=["vol-0123456789abcdef0"])[0] == "InvalidVolume.NotFound"
        wrong = kiln.client("ec2", access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wrong")
        assert refusal(wrong.describe_regions)[0] == "AuthFailure"
        wait_counted(kiln, "DescribeRegions", "OK", 3)
        wait_counted(kiln, "DescribeVolumes", "InvalidVolume.NotFound", 1)
        wait_counted(kiln, "", "AuthFailure", 1)
        now = samples(kiln)
        assert now["kiln_machines"] == 0 and 0 < now["process_resident_memory_bytes"] < 1 << 30
        assert 0 < now["kiln_store_available_bytes"] < now["kiln_store_capacity_bytes"]
        (times,) = (value for name, value in now.items() if name.startswith("kiln_request_duration_seconds_count{") and "Regions" in name)
        assert times == 3


def test_a_request_is_logged_with_the_id_the_client_was_given():
    with kiln_test.Kiln("--hypervisor", "fake", "--log-format", "json", "--verbose") as kiln:
        made = kiln.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1)
        request = made["ResponseMetadata"]["RequestId"]

        def logged():
            with open(kiln.log, encoding="utf-8") as log:
                text = log.read()
            return [json.loads(line) for line in text[: text.rfind("\n")].splitlines() if line.startswith("{")]

        def of_request(lines):
            return [line for line in lines if line["component"] == "api" and line["message"].startswith(request)]

        # It is written once the answer is on its way.
        kiln_test.wait_until(lambda: of_request(logged()), 10, "the request is logged")
        lines = logged()
        (line,) = of_request(lines)
        assert line["level"] == "info" and " ec2 CreateVolume " in line["message"] and "code=OK" in line["message"], line
        assert all(set(line) == {"time", "level", "component", "message"} for line in lines)


if __name__ == "__main__":
    kiln_test.main()
