"""boto3 and the SageMaker SDK as a user has them, with every answer held against botocore's own model.

Nothing is configured but endpoints. botocore's validator checks requests; here it reads answers too: each member must be in the model, of
its type, within its limits and pattern.
"""

import json
import logging
import os
import re
import time
import unittest
import uuid

import boto3
import botocore.session
from botocore.validate import ParamValidator

ROLE = "arn:aws:iam::000000000000:role/service-role/pipelines"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:work"
DEADLINE = 60
CALLS = {}

logging.disable(logging.WARNING)
model = botocore.session.get_session().get_service_model("sagemaker")


def check_strings(shape, value, path):
    """Patterns and lengths, which botocore's validator leaves to the service."""
    if shape.type_name == "structure":
        for name, member in value.items():
            assert name in shape.members, f"{path}.{name} is not in the model"
            check_strings(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        limits = shape.metadata
        assert len(value) <= limits.get("max", 10**9), f"{path} has {len(value)} members"
        for index, member in enumerate(value):
            check_strings(shape.member, member, f"{path}[{index}]")
    elif shape.type_name == "string":
        limits = shape.metadata
        assert limits.get("min", 0) <= len(value) <= limits.get("max", 10**9), f"{path}: {value!r}"
        enum = limits.get("enum")
        assert not enum or value in enum, f"{path}: {value!r} is none of {enum}"
        pattern = limits.get("pattern")
        # Python has no \\p{L}; such patterns are of tags, which come back as they were given.
        if pattern and "\\p" not in pattern:
            assert re.fullmatch(pattern, value, re.S), f"{path}: {value!r} does not match {pattern}"


def check_answer(http_response, parsed, model, **_):
    CALLS[model.name] = CALLS.get(model.name, 0) + 1
    if http_response.status_code >= 300:
        return
    answer = json.loads(http_response.text)
    # The times are numbers on the wire, and what boto3 makes of them below.
    assert http_response.headers["content-type"] == "application/x-amz-json-1.1"
    shape = model.output_shape
    if shape is None:
        return
    unknown = set(answer) - set(shape.members)
    assert not unknown, f"{model.name}: {unknown} is not in the model"
    found = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(found, shape)
    assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
    check_strings(shape, found, model.name)


def boto(service="sagemaker"):
    client = boto3.client(service)
    if service == "sagemaker":
        client.meta.events.register("after-call.sagemaker", check_answer)
    return client


def lambda_step(name, value="", depends_on=(), **more):
    step = {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": FUNCTION,
        "Arguments": {"Value": value},
        "OutputParameters": [{"OutputName": "Value", "OutputType": "String"}],
    }
    if depends_on:
        step["DependsOn"] = list(depends_on)
    step.update(more)
    return step


def definition(*steps, parameters=()):
    return json.dumps(
        {"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": list(steps)}
    )


class Case(unittest.TestCase):
    def setUp(self):
        self.client = boto()
        self.name = "p" + uuid.uuid4().hex[:12]

    def create(self, *steps, **more):
        parameters = more.pop("parameters", ())
        return self.client.create_pipeline(
            PipelineName=self.name,
            RoleArn=ROLE,
            PipelineDefinition=definition(*steps, parameters=parameters),
            **more,
        )["PipelineArn"]

    def start(self, **more):
        answer = self.client.start_pipeline_execution(PipelineName=self.name, **more)
        return answer["PipelineExecutionArn"]

    def until(self, look, what):
        """Asks until `look` answers with something; the pause only spares the machine."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.05)
        self.fail(f"not within {DEADLINE} s: {what}")

    def over(self, arn, status="Succeeded"):
        def look():
            found = self.client.describe_pipeline_execution(PipelineExecutionArn=arn)
            return found if found["PipelineExecutionStatus"] not in ("Executing", "Stopping") else None

        found = self.until(look, f"the end of {arn}")
        self.assertEqual(found["PipelineExecutionStatus"], status, found.get("FailureReason"))
        return found

    def steps(self, arn, **more):
        answer = self.client.list_pipeline_execution_steps(PipelineExecutionArn=arn, **more)
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}

    def refused(self, code, call, *args, **kwargs):
        with self.assertRaises(self.client.exceptions.ClientError) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.response["Error"]["Code"], code, str(caught.exception))
        return str(caught.exception)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    print("calls:", json.dumps(CALLS, sort_keys=True))
    os._exit(0 if program.result.wasSuccessful() and program.result.testsRun else 1)
