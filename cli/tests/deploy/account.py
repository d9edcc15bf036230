"""boto3 on a deployed stack: `listen` before anything happens, then `drive` it through the API of `sidestep serve`, and see what was `told`."""

import json
import sys
import time

import boto3
from botocore.config import Config

QUEUE = "told"
ROLE = "arn:aws:iam::000000000000:role/pipelines"
DEADLINE = 180


def client(service, endpoint=None):
    return boto3.client(service, endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))


def listen():
    """A rule on the default bus that passes sidestep's events on to a queue."""
    queue = client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events = client("events")
    events.put_rule(Name=QUEUE, EventPattern=json.dumps({"source": ["sidestep"]}))
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    assert events.put_targets(Rule=QUEUE, Targets=[target])["FailedEntryCount"] == 0


def drive(endpoint, bucket):
    """Creates, starts, waits and looks, as on SageMaker."""
    sagemaker = client("sagemaker", endpoint)
    listed = [line["PipelineName"] for line in sagemaker.list_pipelines()["PipelineSummaries"]]
    assert "flights" in listed, listed
    weather = {
        "Name": "Weather",
        "Type": "Lambda",
        "FunctionArn": "weather",
        "Arguments": {"Weather": f"s3://{bucket}/weather/weather.csv.gz"},
        "OutputParameters": [{"OutputName": "Hours", "OutputType": "Integer"}],
    }
    rainy = {
        "Name": "Enough",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {"Type": "GreaterThan", "LeftValue": {"Get": "Steps.Weather.OutputParameters['Hours']"}, "RightValue": 0}
            ],
            "IfSteps": [],
            "ElseSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no weather"}}],
        },
    }
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [weather, rainy]}
    created = sagemaker.create_pipeline(PipelineName="weather", RoleArn=ROLE, PipelineDefinition=json.dumps(definition))
    arn = sagemaker.start_pipeline_execution(PipelineName="weather")["PipelineExecutionArn"]
    assert arn.startswith(created["PipelineArn"]), (arn, created)
    end = time.monotonic() + DEADLINE
    while True:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] != "Executing":
            break
        assert time.monotonic() < end, found
        time.sleep(0.2)
    assert found["PipelineExecutionStatus"] == "Succeeded", found
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    seen = {step["StepName"]: step["StepStatus"] for step in steps}
    assert seen == {"Weather": "Succeeded", "Enough": "Succeeded"}, steps
    listed = sagemaker.list_pipeline_executions(PipelineName="weather")["PipelineExecutionSummaries"]
    assert [line["PipelineExecutionArn"] for line in listed] == [arn], listed
    print(arn)


def told(*arns):
    """Waits until the ends of executions were told, and checks what was told of them. SQS keeps no order."""
    sqs = client("sqs")
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    found, end = {arn: {} for arn in arns}, time.monotonic() + DEADLINE
    while any((None, "Succeeded") not in seen for seen in found.values()):
        assert time.monotonic() < end, found
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            arn, detail = event["detail"]["pipelineExecutionArn"], event["detail"]
            status = detail.get("currentStepStatus", detail.get("currentPipelineExecutionStatus"))
            found.setdefault(arn, {})[detail.get("stepName"), status] = event
    for arn in arns:
        assert (None, "Executing") in found[arn], found[arn]
        for (step, _), event in found[arn].items():
            kind = "Execution Step" if step else "Execution"
            assert event["detail-type"] == f"SageMaker Model Building Pipeline {kind} Status Change", event
            assert event["source"] == "sidestep", event
            assert event["resources"] == [arn.split("/execution/")[0], arn], event
    print(json.dumps(sorted(step for step, status in found[arns[-1]] if step and status == "Succeeded")))


{"listen": listen, "drive": drive, "told": told}[sys.argv[1]](*sys.argv[2:])
