"""Pipelines built with the SageMaker Python SDK, as a user has them."""

import unittest

import boto3
from client import FUNCTION, ROLE, Case, boto, main
from sagemaker.lambda_helper import Lambda
from sagemaker.session import Session
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.steps import CacheConfig

VALUE = LambdaOutput(output_name="Value", output_type=LambdaOutputTypeEnum.String)
SIZE = LambdaOutput(output_name="Size", output_type=LambdaOutputTypeEnum.Integer)


def step(name, value, **more):
    return LambdaStep(
        name=name,
        lambda_func=Lambda(function_arn=FUNCTION),
        inputs={"Value": value},
        outputs=[VALUE, SIZE],
        **more,
    )


class Sdk(Case):
    def setUp(self):
        super().setUp()
        self.session = Session(
            boto_session=boto3.Session(), sagemaker_client=self.client, default_bucket="sdk-default"
        )

    def pipeline(self, *steps, parameters=()):
        return Pipeline(
            name=self.name, parameters=list(parameters), steps=list(steps), sagemaker_session=self.session
        )

    def gate(self):
        """Prepare, then train; what the condition finds decides between publishing and failing."""
        month = ParameterString("Month", default_value="2013-01")
        least = ParameterInteger("Least", default_value=2)
        rate = ParameterFloat("Rate", default_value=0.5)
        prepare = step("Prepare", month, cache_config=CacheConfig(enable_caching=True, expire_after="P30D"))
        train = step("Train", Join(on="/", values=[prepare.properties.Outputs["Value"], rate]))
        publish = step("Publish", train.properties.Outputs["Value"])
        fail = FailStep("TooSmall", error_message=Join(on=" ", values=["fewer than", least]))
        check = ConditionStep(
            name="Check",
            conditions=[
                ConditionGreaterThanOrEqualTo(left=train.properties.Outputs["Size"], right=least)
            ],
            if_steps=[publish],
            else_steps=[fail],
        )
        return self.pipeline(prepare, train, check, parameters=[month, least, rate])

    def test_upsert_twice_start_wait_and_look(self):
        pipeline = self.gate()
        pipeline.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "delays"}])
        again = pipeline.upsert(role_arn=ROLE, tags=[{"Key": "cost", "Value": "4 2"}])
        tags = self.client.list_tags(ResourceArn=again["PipelineArn"])["Tags"]
        self.assertEqual({tag["Key"] for tag in tags}, {"team", "cost"})
        self.assertEqual(pipeline.latest_pipeline_version_id, 1, "the same text is no new version")

        execution = pipeline.start(
            parameters={"Month": "2013-02", "Rate": 0.125},
            execution_display_name="second-month",
            execution_description="from a test",
            parallelism_config=ParallelismConfiguration(max_parallel_execution_steps=2),
        )
        execution.wait(delay=1, max_attempts=60)
        found = execution.describe()
        self.assertEqual(found["PipelineExecutionDisplayName"], "second-month")
        self.assertEqual(found["PipelineExecutionDescription"], "from a test")
        self.assertEqual(found["ParallelismConfiguration"], {"MaxParallelExecutionSteps": 2})
        self.assertEqual(found["PipelineVersionId"], 1)
        steps = execution.list_steps()
        self.assertEqual([s["StepName"] for s in steps], ["Publish", "Check", "Train", "Prepare"])
        self.assertEqual(steps[1]["Metadata"], {"Condition": {"Outcome": "True"}})
        outputs = {o["Name"]: o["Value"] for o in steps[2]["Metadata"]["Lambda"]["OutputParameters"]}
        self.assertEqual(outputs, {"Value": "2013-02/0.125", "Size": "3"})
        parameters = execution.list_parameters()["PipelineParameters"]
        self.assertEqual(
            {p["Name"]: p["Value"] for p in parameters},
            {"Month": "2013-02", "Least": "2", "Rate": "0.125"},
        )

        second = pipeline.start(parameters={"Month": "2013-02"})
        second.wait(delay=1, max_attempts=60)
        hit = next(s for s in second.list_steps() if s["StepName"] == "Prepare")
        self.assertEqual(hit["CacheHitResult"], {"SourcePipelineExecutionArn": execution.arn})
        listed = pipeline.list_executions()["PipelineExecutionSummaries"]
        self.assertEqual([line["PipelineExecutionArn"] for line in listed], [second.arn, execution.arn])
        self.assertIn("Check", pipeline.describe()["PipelineDefinition"])

    def test_a_reached_fail_step_fails_the_execution_and_wait_says_so(self):
        pipeline = self.gate()
        pipeline.create(role_arn=ROLE)
        execution = pipeline.start(parameters={"Least": 4})
        with self.assertRaisesRegex(Exception, "Waiter PipelineExecutionComplete failed"):
            execution.wait(delay=1, max_attempts=60)
        steps = {s["StepName"]: s for s in execution.list_steps()}
        self.assertNotIn("Publish", steps, "the untaken branch is not listed")
        self.assertEqual(steps["TooSmall"]["Metadata"]["Fail"]["ErrorMessage"], "fewer than 4")
        self.assertEqual(steps["Check"]["Metadata"]["Condition"]["Outcome"], "False")
        self.assertTrue(execution.describe()["FailureReason"].startswith("Step failure"))
        refused = self.client.retry_pipeline_execution
        text = self.refused("ConflictException", refused, PipelineExecutionArn=execution.arn)
        self.assertIn("Fail step", text)

    def test_selective_execution_in_all_its_forms(self):
        pipeline = self.gate()
        pipeline.create(role_arn=ROLE)
        with self.assertRaisesRegex(Exception, "Invalid SourcePipelineExecutionArn: null"):
            pipeline.start(selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Train"], reference_latest_execution=False))
        # Latest, of which there is none: what depends on nothing may run.
        first = pipeline.start(
            selective_execution_config=SelectiveExecutionConfig(selected_steps=["Prepare"]))
        first.wait(delay=1, max_attempts=60)
        self.assertEqual([s["StepName"] for s in first.list_steps()], ["Prepare"])

        whole = pipeline.start(parameters={"Month": "2013-03"})
        whole.wait(delay=1, max_attempts=60)

        # Latest, found by the SDK.
        config = SelectiveExecutionConfig(selected_steps=["Train"])
        latest = pipeline.start(selective_execution_config=config)
        latest.wait(delay=1, max_attempts=60)
        self.assertEqual(config.source_pipeline_execution_arn, whole.arn)
        steps = {s["StepName"]: s for s in latest.list_steps()}
        self.assertEqual(set(steps), {"Prepare", "Train"})
        source = steps["Prepare"]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"]
        self.assertEqual(source, whole.arn)
        self.assertNotIn("SelectiveExecutionResult", steps["Train"])
        echoed = latest.describe()["SelectiveExecutionConfig"]
        self.assertEqual(echoed["SelectedSteps"], [{"StepName": "Train"}])
        self.assertEqual(echoed["SourcePipelineExecutionArn"], whole.arn)

        # Named, with the source's parameters and one other.
        parameters = pipeline.build_parameters_from_execution(
            whole.arn, parameter_value_overrides={"Rate": 0.25})
        self.assertEqual(parameters["Month"], "2013-03")
        named = pipeline.start(
            parameters=parameters,
            selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Train", "Check"], source_pipeline_execution_arn=whole.arn))
        named.wait(delay=1, max_attempts=60)
        train = next(s for s in named.list_steps() if s["StepName"] == "Train")
        values = {o["Name"]: o["Value"] for o in train["Metadata"]["Lambda"]["OutputParameters"]}
        self.assertEqual(values["Value"], "2013-03/0.25")
        with self.assertRaises(ValueError):
            pipeline.build_parameters_from_execution(whole.arn, parameter_value_overrides={"No": 1})

        # Not connected: Train is between.
        with self.assertRaisesRegex(Exception, "ValidationException.*Train"):
            pipeline.start(selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Prepare", "Check"], source_pipeline_execution_arn=whole.arn))
        with self.assertRaisesRegex(Exception, "ValidationException.*Missing"):
            pipeline.start(selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Missing"], source_pipeline_execution_arn=whole.arn))

        # Better than SageMaker: a selector where the SDK takes a name.
        wave = pipeline.start(selective_execution_config=SelectiveExecutionConfig(
            selected_steps=["Train+"], source_pipeline_execution_arn=whole.arn))
        wave.wait(delay=1, max_attempts=60)
        names = {s["StepName"] for s in wave.list_steps()}
        self.assertEqual(names, {"Prepare", "Train", "Check", "Publish"})

    def test_a_callback_waits_for_its_answer_and_holds_a_stop(self):
        sqs = boto("sqs")
        queue = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        approve = CallbackStep(
            name="Approve",
            sqs_queue_url=queue,
            inputs={"Model": "m"},
            outputs=[CallbackOutput(output_name="By", output_type=CallbackOutputTypeEnum.String)],
        )
        publish = step("Publish", approve.properties.Outputs["By"])
        pipeline = self.pipeline(approve, publish)
        pipeline.create(role_arn=ROLE)
        execution = pipeline.start()
        token = self.token_of(execution)
        message = self.until(
            lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the callback's message")
        self.assertIn(token, message[0]["Body"])
        send = self.client.send_pipeline_execution_step_success
        text = self.refused("ValidationException", send, CallbackToken=token,
                            OutputParameters=[{"Name": "Who", "Value": "x"}])
        self.assertIn("By", text)
        answer = send(CallbackToken=token, OutputParameters=[{"Name": "By", "Value": "ada"}])
        self.assertEqual(answer["PipelineExecutionArn"], execution.arn)
        execution.wait(delay=1, max_attempts=60)
        steps = {s["StepName"]: s for s in execution.list_steps()}
        self.assertEqual(steps["Approve"]["Metadata"]["Callback"]["OutputParameters"],
                         [{"Name": "By", "Value": "ada"}])
        outputs = steps["Publish"]["Metadata"]["Lambda"]["OutputParameters"]
        self.assertIn({"Name": "Value", "Value": "ada"}, outputs)
        self.refused("ConflictException", send, CallbackToken=token)
        self.refused("ResourceNotFound", send, CallbackToken="abcdefghij")

        failed = pipeline.start()
        token = self.token_of(failed)
        self.client.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="not good")
        found = self.over(failed.arn, "Failed")
        self.assertTrue(found["FailureReason"].startswith("Step failure"))
        self.assertEqual(self.steps(failed.arn)["Approve"]["FailureReason"], "not good")

        stopped = pipeline.start()
        token = self.token_of(stopped)
        stopped.stop()
        self.assertEqual(stopped.describe()["PipelineExecutionStatus"], "Stopping")
        send(CallbackToken=token, OutputParameters=[{"Name": "By", "Value": "ada"}])
        self.over(stopped.arn, "Stopped")
        self.assertNotIn("Publish", self.steps(stopped.arn))
        self.refused("ConflictException", self.client.stop_pipeline_execution,
                     PipelineExecutionArn=stopped.arn)
        # Taken up again, it is the same execution, and what succeeded stays.
        self.client.retry_pipeline_execution(PipelineExecutionArn=stopped.arn)
        self.over(stopped.arn)
        self.assertIn("Publish", self.steps(stopped.arn))

    def token_of(self, execution):
        def look():
            step = self.steps(execution.arn).get("Approve")
            return step and step["Metadata"]["Callback"].get("CallbackToken")

        return self.until(look, "a callback that waits")

    def test_a_definition_over_100_kib_comes_through_s3(self):
        boto("s3").create_bucket(Bucket="sdk-default")
        steps = [step(f"S{i}", "x" * 4000) for i in range(30)]
        pipeline = self.pipeline(*steps)
        self.assertGreater(len(pipeline.definition()), 100 * 1024)
        pipeline.upsert(role_arn=ROLE)
        described = pipeline.describe()
        self.assertEqual(described["PipelineDefinition"], pipeline.definition())
        pipeline.delete()
        self.refused("ResourceNotFound", self.client.describe_pipeline, PipelineName=self.name)


if __name__ == "__main__":
    main()
