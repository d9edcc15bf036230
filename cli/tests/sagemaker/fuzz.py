"""Malformed requests, made from botocore's model: never a 5xx, never a hang, and the server serves on.

The seed is printed; `FUZZ_SEED` repeats a run.
"""

import http.client
import json
import os
import random
import socket
import sys
import unittest
import urllib.parse

from client import Case, boto, lambda_step, main, model

SEED = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(2**32)))
OPERATIONS = [
    "AddTags", "CreatePipeline", "DeletePipeline", "DeleteTags", "DescribePipeline",
    "DescribePipelineDefinitionForExecution", "DescribePipelineExecution", "ListPipelineExecutionSteps",
    "ListPipelineExecutions", "ListPipelineParametersForExecution", "ListPipelineVersions", "ListPipelines",
    "ListTags", "RetryPipelineExecution", "SendPipelineExecutionStepFailure", "SendPipelineExecutionStepSuccess",
    "StartPipelineExecution", "StopPipelineExecution", "UpdatePipeline", "UpdatePipelineExecution",
    "UpdatePipelineVersion",
]
TARGET = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL_SAGEMAKER"])
HEADERS = {"Content-Type": "application/x-amz-json-1.1"}
# A request that takes longer hangs.
LIMIT = 30
CODES = {
    "ValidationException", "SerializationException", "ResourceNotFound", "ConflictException",
    "ResourceLimitExceeded", "UnknownOperationException",
}


def send(operation, body, method="POST", path="/", headers=None):
    connection = http.client.HTTPConnection(TARGET.hostname, TARGET.port, timeout=LIMIT)
    target = {} if operation is None else {"X-Amz-Target": operation}
    try:
        connection.request(method, path, body, {**HEADERS, **target, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Fuzz(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        arn = self.create(lambda_step("A"), PipelineVersionAliases=["stable"])
        execution = self.start()
        self.over(execution)
        self.known = [self.name, arn, execution, "stable", "A", "Name", "x" * 36, "arn:aws:iam::000000000000:role/r"]

    def tearDown(self):
        # Whatever came before, an honest request is answered.
        self.assertEqual(self.client.describe_pipeline(PipelineName=self.name)["PipelineName"], self.name)

    def text(self):
        make = self.random.choice([
            lambda: self.random.choice(self.known),
            lambda: "",
            lambda: "\u0000",
            lambda: "a" * self.random.choice([1, 63, 257, 1025, 5000]),
            lambda: "".join(chr(self.random.randrange(1, 0xD7FF)) for _ in range(20)),
            lambda: self.random.choice(self.known) + self.random.choice(["/", "/../x", "%2e", "\n", "#", " "]),
            lambda: self.random.choice(self.known)[: self.random.randrange(1, 40)],
            lambda: '{"Version":"2020-12-01","Steps":[' + "[" * self.random.randrange(200) + "]}",
        ])
        return make()

    def anything(self, depth=0):
        leaves = [
            lambda: None, lambda: True, lambda: self.random.randrange(-(2**63), 2**63), lambda: 1e308,
            lambda: -0.5, self.text,
        ]
        nests = [
            lambda: [self.anything(depth + 1) for _ in range(self.random.randrange(4))],
            lambda: {self.text(): self.anything(depth + 1) for _ in range(self.random.randrange(4))},
        ]
        return self.random.choice(leaves + nests if depth < 3 else leaves)()

    def value(self, shape):
        if self.random.random() < 0.1:
            return self.anything()
        kind = shape.type_name
        if kind == "structure":
            chosen = [n for n in shape.members if n in shape.required_members or self.random.random() < 0.5]
            return {name: self.value(shape.members[name]) for name in chosen}
        if kind == "list":
            return [self.value(shape.member) for _ in range(self.random.choice([0, 1, 2, 60]))]
        if kind in ("integer", "long"):
            return self.random.choice([0, 1, 2, 50, 100, 101, -1, 2**31, 2**63, 1.5])
        if kind in ("timestamp", "float", "double"):
            return self.random.choice([0, -1, 1.5, 1e18, 1795442463.9, "2026-11-23", 1e300])
        if kind == "boolean":
            return self.random.choice([True, False, "true"])
        enum = shape.metadata.get("enum")
        return self.random.choice(enum) if enum and self.random.random() < 0.7 else self.text()

    def answered(self, status, body, sent):
        self.assertLess(status, 500, f"{sent!r}: {body!r}")
        answer = json.loads(body)
        if status != 200:
            self.assertIn(answer["__type"], CODES, sent)
            self.assertTrue(answer.get("message") or answer.get("Message"), sent)
        return status

    def test_requests_with_wrong_members_are_refused_or_answered(self):
        seen = {}
        for _ in range(1500):
            operation = self.random.choice(OPERATIONS)
            request = self.value(model.operation_model(operation).input_shape)
            if isinstance(request, dict) and "ClientRequestToken" in request and self.random.random() < 0.7:
                request["ClientRequestToken"] = "%032x" % self.random.getrandbits(128)
            if operation == "DeletePipeline" and isinstance(request, dict):
                request["PipelineName"] = "never"
            status, body = send("SageMaker." + operation, json.dumps(request))
            seen.setdefault(self.answered(status, body, (operation, request)), set()).add(operation)
        self.assertIn(200, seen, "not one request got through: the fuzzer is too wild")
        self.assertEqual(len(seen[400]), len(OPERATIONS))

    def test_bodies_that_are_no_request_are_refused(self):
        bodies = [
            b"", b"{", b"null", b"[]", b"1", b'"x"', b"\xff\xfe", b'{"PipelineName": "\xff"}', b"{}{}", b"\x00" * 1000,
            b'{"a":' * 100_000, b"[" * 1_000_000, b'{"PipelineName": 1e999}', b'{"MaxResults": 99999999999999999999}',
            b'{"PipelineName": "\\ud800"}', b'{"PipelineName": "a", "PipelineName": "b"}', b" " * 9_000_000,
        ]
        for body in bodies:
            for operation in ["CreatePipeline", "StartPipelineExecution", "ListPipelines"]:
                try:
                    status, answer = send("SageMaker." + operation, body)
                except (BrokenPipeError, ConnectionResetError):
                    # Told and cut off in the middle of a body that is far too large.
                    self.assertGreater(len(body), 8_000_000)
                    continue
                self.answered(status, answer, body[:80])
        for length in range(0, 300, 7):
            body = bytes(self.random.randrange(256) for _ in range(length))
            self.answered(*send("SageMaker.StartPipelineExecution", body), body)

    def test_envelopes_that_are_none_are_refused(self):
        for target in [None, "", "SageMaker", "SageMaker.", "SageMaker.Nothing", "SageMaker." + "x" * 5000, "sagemaker.ListPipelines", "SageMaker.ListPipelines.x"]:
            status, body = send(target, "{}")
            self.assertEqual(self.answered(status, body, target), 400)
            self.assertEqual(json.loads(body)["__type"], "UnknownOperationException")
        # The address is that of other services, too, which want a signature.
        status, body = send("DynamoDB_20120810.ListTables", "{}")
        self.assertEqual((status, json.loads(body)["__type"]), (400, "MissingAuthenticationTokenException"))
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"]:
            status, body = send("SageMaker.ListPipelines", "{}", method)
            self.assertEqual(self.answered(status, body, method), 400)
        # A name of elsewhere that is pointed at this machine, as a web page could.
        status, body = send("SageMaker.ListPipelines", "{}", headers={"Host": "evil.example"})
        self.assertEqual(self.answered(status, body, "host"), 400)

    def test_connections_that_break_off_hold_no_client_up(self):
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: SageMaker.ListPipelines\r\n"
        open_ones = []
        for raw in [b"", b"POST", head, head + b"Content-Length: 100\r\n\r\n{", head + b"Content-Length: -1\r\n\r\n",
                    head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\x00", b"\r\n" * 1000]:
            connection = socket.create_connection((TARGET.hostname, TARGET.port), timeout=LIMIT)
            connection.sendall(raw)
            open_ones.append(connection)
            # While all of them are open, others are served.
            self.assertEqual(send("SageMaker.ListPipelines", "{}")[0], 200)
        for connection in open_ones:
            connection.close()


if __name__ == "__main__":
    print("FUZZ_SEED =", SEED, file=sys.stderr)
    main()
