#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The wire layer against botocore's own serializer and parser, for every built operation and random values.

Requests: botocore serialises, our parser reads, the result must be what went in. Responses: our writer writes what we make
up, botocore parses it, the result must be the same. Both with the service models of the installed botocore (an independent
reading, older than ours: only members both know) and with the facts in api-model (every member, botocore's code).

KILN_WIRE_TOOL names the tool (default build/dev/bin/wire_tool), KILN_SEED the seed, KILN_WIRE_ROUNDS the number of requests
and of responses made for each operation.
"""

import base64
import datetime
import json
import os
import random
import subprocess
import sys
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import kiln_test  # noqa: E402

TOOL = os.environ.get("KILN_WIRE_TOOL", os.path.join(ROOT, "build/dev/bin/wire_tool"))
SEED = int(os.environ.get("KILN_SEED", "20161115"))
ROUNDS = int(os.environ.get("KILN_WIRE_ROUNDS", "40"))
REQUEST_ID = "11111111-2222-3333-4444-555555555555"
HEADERS = {"x-amzn-requestid": REQUEST_ID}
ALPHABET = "abcXYZ019-_./:=&+%*?<>\"' \tüß€🔥\n"


class Tool:
    """The running wire_tool; one question a line, one answer a line."""

    def __init__(self):
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "failed" in answer:
            raise AssertionError(f"the tool cannot {command}: {answer['failed']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


@kiln_test.fixture
def tool():
    running = Tool()
    yield running
    running.close()


def load_json(name):
    with open(os.path.join(ROOT, "api-model", name), encoding="utf-8") as file:
        return json.load(file)


class Facts:
    """api-model/<service>.json, and the same as a model botocore can work with."""

    def __init__(self, service):
        self.facts = load_json(f"{service}.json")
        self.open_shapes = {
            name for name, shape in load_json("overlay.json").get(service, {}).get("shapes", {}).items() if shape.get("open")
        }

    def as_botocore(self):
        facts = self.facts
        operations = {}
        for name, operation in facts["operations"].items():
            described = {"name": name, "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": operation["input"]}}
            if "output" in operation:
                described["output"] = {"shape": operation["output"]}
                if "resultWrapper" in operation:
                    described["output"]["resultWrapper"] = operation["resultWrapper"]
            operations[name] = described
        metadata = {key: facts[key] for key in ("protocol", "apiVersion", "xmlNamespace", "targetPrefix") if key in facts}
        metadata.update(endpointPrefix=facts["service"], serviceId=facts["service"], jsonVersion="1.1")
        return botocore.model.ServiceModel({"metadata": metadata, "operations": operations, "shapes": facts["shapes"]})

    def shape(self, name):
        return self.facts["shapes"].get(name)


class Maker:
    """Random values for a botocore shape, restricted to members our model has too."""

    def __init__(self, facts, rng):
        self.facts = facts
        self.rng = rng

    def structure(self, shape, ours, for_request, depth=0):
        """A dictionary with at least one member, so that it does not vanish on the wire; {} when the shape has none."""
        required = set(shape.required_members) | set(ours.get("required", [])) if for_request else set()
        known = [name for name in shape.members if name in ours["members"]]
        chance = 0.5 if depth == 0 else 0.35
        chosen = [name for name in known if name in required or self.rng.random() < chance]
        if not chosen and known:
            chosen = [self.rng.choice(known)]
        return {
            name: self.value(shape.members[name], ours["members"][name]["shape"], for_request, depth + 1, name in required)
            for name in chosen
        }

    def value(self, shape, ours_name, for_request, depth, required=False):
        ours = self.facts.shape(ours_name)
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, ours, for_request, depth)
        if kind == "list":
            least = 1 if for_request else 0
            count = self.rng.randint(least, 3)
            return [self.value(shape.member, ours["member"]["shape"], for_request, depth, True) for _ in range(count)]
        return self.scalar(kind, shape, ours, ours_name, required)

    def scalar(self, kind, shape, ours, ours_name, required):
        rng = self.rng
        if kind == "string":
            if "enum" in ours and ours_name not in self.facts.open_shapes:
                return rng.choice(ours["enum"])
            least = 1 if required else 0
            return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(least, 12)))
        if kind == "integer":
            return rng.choice([0, 1, -1, 2**31 - 1, -(2**31), rng.randint(0, 100000)])
        if kind == "long":
            return rng.choice([0, -1, 2**63 - 1, -(2**63), rng.randint(0, 2**40)])
        if kind in ("double", "float"):
            return rng.choice([0.5, -1.25, 1e300, rng.random()])
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "timestamp":
            moment = datetime.datetime.fromtimestamp(rng.randint(0, 2**31), datetime.timezone.utc)
            return moment.replace(microsecond=rng.choice([0, 0, 456000]))
        if kind == "blob":
            return bytes(rng.randint(0, 255) for _ in range(rng.randint(1, 20)))
        raise AssertionError(f"no values for {kind} ({shape.name})")


def plain(value):
    """As the tool writes it in JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def built_operations(tool, service, model):
    names = tool.ask(built=True)[service]
    return [model.operation_model(name) for name in names if name in model.operation_names]


def check_requests(tool, service, model):
    facts = Facts(service)
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], include_validation=False)
    operations = built_operations(tool, service, model)
    assert operations, f"no operation of {service} is in both"
    for operation in operations:
        maker = Maker(facts, random.Random(f"{SEED} request {operation.name}"))
        ours = facts.shape(facts.facts["operations"][operation.name]["input"])
        for _ in range(ROUNDS):
            given = maker.structure(operation.input_shape, ours, True)
            body = serializer.serialize_to_request(given, operation)["body"]
            body = body.decode() if isinstance(body, bytes) else urllib.parse.urlencode(body)
            answer = tool.ask(parse=operation.name, service=service, body=body)
            assert answer.get("value") == plain(given), f"{operation.name}, seed {SEED}\n{body}\n{plain(given)}\n{answer}"


def check_responses(tool, service, model):
    facts = Facts(service)
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    for operation in built_operations(tool, service, model):
        maker = Maker(facts, random.Random(f"{SEED} response {operation.name}"))
        for _ in range(ROUNDS):
            given = {}
            if operation.output_shape:
                ours = facts.shape(facts.facts["operations"][operation.name]["output"])
                given = maker.structure(operation.output_shape, ours, False)
            body = tool.ask(write=operation.name, service=service, value=plain(given))["body"]
            reply = {"status_code": 200, "headers": HEADERS, "body": body.encode()}
            parsed = parser.parse(reply, operation.output_shape)
            metadata = parsed.pop("ResponseMetadata")
            assert metadata["RequestId"] == REQUEST_ID, body
            assert plain(parsed) == plain(given), f"{operation.name}, seed {SEED}\n{plain(given)}\n{plain(parsed)}\n{body}"


def installed_model(service):
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service_name=service)


def test_ec2_requests_of_the_installed_botocore_arrive_as_sent(tool):
    check_requests(tool, "ec2", installed_model("ec2"))


def test_ec2_responses_are_read_by_the_installed_botocore_as_written(tool):
    check_responses(tool, "ec2", installed_model("ec2"))


def test_sts_requests_of_the_installed_botocore_arrive_as_sent(tool):
    check_requests(tool, "sts", installed_model("sts"))


def test_sts_responses_are_read_by_the_installed_botocore_as_written(tool):
    check_responses(tool, "sts", installed_model("sts"))


def test_every_ec2_request_member_of_our_model_arrives_as_sent(tool):
    check_requests(tool, "ec2", Facts("ec2").as_botocore())


def test_every_ec2_response_member_of_our_model_is_read_as_written(tool):
    check_responses(tool, "ec2", Facts("ec2").as_botocore())


def test_every_sts_request_and_response_member_of_our_model_goes_both_ways(tool):
    check_requests(tool, "sts", Facts("sts").as_botocore())
    check_responses(tool, "sts", Facts("sts").as_botocore())


def test_ssm_requests_and_responses_go_both_ways(tool):
    for model in (installed_model("ssm"), Facts("ssm").as_botocore()):
        check_requests(tool, "ssm", model)
        check_responses(tool, "ssm", model)


def test_errors_of_all_protocols_are_read_with_code_message_and_request_id(tool):
    error = {"code": "InvalidAMIID.NotFound", "message": "The image id '[<ami>]' does not exist & more", "status": 400}
    for service in ("ec2", "ssm", "sts"):
        body = tool.ask(write_error=error, service=service)["body"]
        parser = botocore.parsers.create_parser(Facts(service).facts["protocol"])
        parsed = parser.parse({"status_code": 400, "headers": HEADERS, "body": body.encode()}, None)
        assert parsed["Error"]["Code"] == error["code"], parsed
        assert parsed["Error"]["Message"] == error["message"], parsed
        assert parsed["ResponseMetadata"]["RequestId"] == REQUEST_ID, parsed


if __name__ == "__main__":
    kiln_test.main()
