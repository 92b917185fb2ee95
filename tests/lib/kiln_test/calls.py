# SPDX-License-Identifier: Apache-2.0
"""One call of any operation of any service, made by hand: signed by anybody, by nobody, or long ago.

`call(endpoint, service, operation, parameters, signer)`. Parameters are flat, as they go over the wire: names of the query
protocol (`Filter.1.Name`), members of the JSON and REST protocols."""

import datetime
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

from botocore import auth, awsrequest, credentials

from .paths import ROOT

VERSIONS = {"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}
CODE = re.compile(r"<Code>([^<]*)</Code>")
MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.S)


class Signer:
    """Whose keys sign a request, and for which region; without keys nobody does. `age` seconds ago."""

    def __init__(self, pair=None, region="us-east-1", age=0, token=None):
        self.pair, self.region, self.age, self.token = pair, region, age, token

    def sign(self, service, request):
        if self.pair is None:
            return
        signing = auth.SigV4Auth(credentials.Credentials(*self.pair, self.token), service, self.region)
        if self.age:
            moment = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(seconds=self.age)
            # What the signer asks the time of: a module, or in later versions a function.
            name = "get_current_datetime" if hasattr(auth, "get_current_datetime") else "datetime"
            kept = getattr(auth, name)
            setattr(auth, name, _Clock(moment))
            try:
                signing.add_auth(request)
            finally:
                setattr(auth, name, kept)
        else:
            signing.add_auth(request)


class _Clock:
    """Both of them."""

    def __init__(self, moment):
        self.datetime = self
        self.moment = moment

    def utcnow(self):
        return self.moment

    def __call__(self):
        return self.moment


class Answer:
    """status, code and message of an error ("" for a success), and the whole body as text."""

    def __init__(self, status, body, headers):
        self.status, self.body = status, body.decode("utf-8", "replace")
        self.code, self.message = "", ""
        if status >= 300:
            self._read_error(headers)

    def _read_error(self, headers):
        if self.body.startswith("{"):
            document = json.loads(self.body)
            self.code = headers.get("x-amzn-ErrorType") or document.get("__type", "")
            self.message = document.get("message") or document.get("Message") or ""
        elif CODE.search(self.body):
            self.code = CODE.search(self.body)[1]
            self.message = MESSAGE.search(self.body)[1]
        assert self.code, (status_line(self), headers)


def status_line(answer):
    return f"{answer.status} {answer.code}: {answer.message or answer.body[:300]}"


def call(endpoint, service, operation, parameters, signer):
    request = _REQUESTS.get(service, _query)(endpoint, service, operation, parameters)
    signer.sign(service, request)
    data = request.data.encode() if isinstance(request.data, str) else request.data or None
    raw = urllib.request.Request(request.url, data=data, headers=dict(request.headers), method=request.method)
    if data is None and request.method != "GET":
        raw.add_header("Content-Length", "0")
    try:
        with urllib.request.urlopen(raw, timeout=60) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), error.headers)


def _query(endpoint, service, operation, parameters):
    data = urllib.parse.urlencode({"Action": operation, "Version": VERSIONS[service], **parameters})
    request = awsrequest.AWSRequest("POST", endpoint + "/", data=data)
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    return request


def _json(endpoint, _service, operation, parameters):
    request = awsrequest.AWSRequest("POST", endpoint + "/", data=json.dumps(parameters))
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    request.headers["X-Amz-Target"] = f"AmazonSSM.{operation}"
    return request


def _rest(endpoint, service, operation, parameters):
    """By the model: which members stand in the path, the query, the headers; `bytes` is a body as it is."""
    with open(os.path.join(ROOT, "api-model", f"{service}.json"), encoding="utf-8") as file:
        model = json.load(file)
    facts = model["operations"][operation]
    members = model["shapes"][facts["input"]]["members"]
    path, query, headers, body = facts["http"]["requestUri"], {}, {}, {}
    for name, value in parameters.items():
        member = members.get(name, {})
        where, wire = member.get("location"), member.get("locationName", name)
        if where == "uri":
            path = path.replace("{%s}" % wire, urllib.parse.quote(str(value), safe=""))
        elif where == "querystring":
            query[wire] = value
        elif where == "header":
            headers[wire] = str(value)
        elif name != "bytes":
            body[name] = value
    data = parameters.get("bytes") or (json.dumps(body) if body else "")
    url = endpoint + path + ("?" + urllib.parse.urlencode(query) if query else "")
    request = awsrequest.AWSRequest(facts["http"]["method"], url, data=data)
    for name, value in headers.items():
        request.headers[name] = value
    return request


_REQUESTS = {"ssm": _json, "ebs": _rest}
