"""Pipelines built with the SageMaker Python SDK 3, as a user has them."""

import json
import unittest

import boto3
from botocore.exceptions import WaiterError
from client import FUNCTION, ROLE, Case, boto, main
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.shapes.shapes import MlflowConfig
from sagemaker.core.workflow.conditions import ConditionEquals, ConditionGreaterThanOrEqualTo, ConditionNot
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.for_each_step import CurrentItem, ForEachStep
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfig
from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition

APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-1"


def step(name, value="", do="", **more):
    return LambdaStep(
        name=name,
        lambda_func=Lambda(function_arn=FUNCTION),
        inputs={"Value": value, "Do": do},
        outputs=[
            LambdaOutput(output_name="Value", output_type=LambdaOutputTypeEnum.String),
            LambdaOutput(output_name="Size", output_type=LambdaOutputTypeEnum.Integer),
        ],
        **more,
    )


class Sdk3(Case):
    def setUp(self):
        super().setUp()
        self.session = Session(
            boto_session=boto3.Session(), sagemaker_client=self.client, default_bucket="sdk3-default"
        )

    def pipeline(self, *steps, parameters=(), **more):
        return Pipeline(name=self.name, parameters=list(parameters), steps=list(steps),
                        sagemaker_session=self.session, **more)

    def statuses(self, execution):
        return {s["StepName"]: s["StepStatus"] for s in execution.list_steps()}

    def test_upsert_twice_start_wait_and_look(self):
        month = ParameterString(name="Month", default_value="2013-01")
        least = ParameterInteger(name="Least", default_value=2)
        rate = ParameterFloat(name="Rate", default_value=0.5)
        prepare = step("Prepare", month)
        train = step("Train", Join(on="/", values=[prepare.properties.Outputs["Value"], rate]))
        publish = step("Publish", train.properties.Outputs["Value"])
        check = ConditionStep(
            name="Check",
            conditions=[ConditionGreaterThanOrEqualTo(left=train.properties.Outputs["Size"], right=least)],
            if_steps=[publish],
            else_steps=[FailStep(name="TooSmall", error_message=Join(on=" ", values=["fewer than", least]))],
        )
        pipeline = self.pipeline(prepare, train, check, parameters=[month, least, rate])
        self.assertIsNone(json.loads(pipeline.definition())["MlflowConfig"])
        pipeline.upsert(role_arn=ROLE, tags=[{"Key": "team", "Value": "delays"}])
        again = pipeline.upsert(role_arn=ROLE, tags=[{"Key": "cost", "Value": "4 2"}])
        tags = self.client.list_tags(ResourceArn=again["PipelineArn"])["Tags"]
        self.assertEqual({tag["Key"] for tag in tags}, {"team", "cost"})
        self.assertEqual(pipeline.describe()["PipelineDefinition"], pipeline.definition())
        self.assertEqual(pipeline.latest_pipeline_version_id, 1, "the same text is no new version")

        execution = pipeline.start(
            parameters={"Month": "2013-02", "Rate": 0.125},
            execution_display_name="second-month",
            parallelism_config=ParallelismConfiguration(max_parallel_execution_steps=2),
            mlflow_experiment_name="given",
        )
        execution.wait(delay=1, max_attempts=60)
        found = execution.describe()
        self.assertEqual(found["PipelineExecutionStatus"], "Succeeded")
        self.assertEqual(found["ParallelismConfiguration"], {"MaxParallelExecutionSteps": 2})
        self.assertEqual(found["MLflowConfig"], {"MlflowExperimentName": "given"})
        identity = execution.arn.rsplit("/", 1)[-1]
        self.assertEqual(found["PipelineExperimentConfig"],
                         {"ExperimentName": self.name, "TrialName": identity})
        names = [s["StepName"] for s in execution.list_steps()]
        self.assertEqual(names, ["Publish", "Check", "Train", "Prepare"], "newest first")
        values = {p["Name"]: p["Value"] for p in execution.list_parameters()["PipelineParameters"]}
        self.assertEqual(values, {"Month": "2013-02", "Least": "2", "Rate": "0.125"})

        rest = pipeline.start(
            parameters=pipeline.build_parameters_from_execution(execution.arn, {"Rate": "0.25"}),
            selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Train"], source_pipeline_execution_arn=execution.arn),
        )
        rest.wait(delay=1, max_attempts=60)
        steps = {s["StepName"]: s for s in rest.list_steps()}
        self.assertEqual(set(steps), {"Prepare", "Train"})
        source = steps["Prepare"]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"]
        self.assertEqual(source, execution.arn)
        outputs = steps["Train"]["Metadata"]["Lambda"]["OutputParameters"]
        self.assertIn({"Name": "Value", "Value": "2013-02/0.25"}, outputs)
        with self.assertRaisesRegex(Exception, "ValidationException.*Train"):
            pipeline.start(selective_execution_config=SelectiveExecutionConfig(
                selected_steps=["Prepare", "Check"], source_pipeline_execution_arn=execution.arn))
        failed = pipeline.start(parameters={"Least": 4})
        with self.assertRaises(WaiterError):
            failed.wait(delay=1, max_attempts=60)
        self.assertEqual(self.steps(failed.arn)["TooSmall"]["FailureReason"], "fewer than 4")
        pipeline.delete()

    def test_names_of_experiments_hold_the_values_of_the_execution(self):
        team = ParameterString(name="Team", default_value="Delays")
        pipeline = self.pipeline(
            step("A"),
            parameters=[team],
            pipeline_experiment_config=PipelineExperimentConfig(
                Join(on="-", values=[team, "All"]), ExecutionVariables.PIPELINE_EXECUTION_ID),
            mlflow_config=MlflowConfig(mlflow_resource_arn=APP, mlflow_experiment_name=team),
        )
        pipeline.create(role_arn=ROLE)
        for given, shown in [(None, "Flights"), ("other", "other")]:
            execution = pipeline.start(parameters={"Team": "Flights"}, mlflow_experiment_name=given)
            found = execution.describe()
            self.assertEqual(found["PipelineExperimentConfig"]["ExperimentName"], "flights-all")
            self.assertEqual(found["MLflowConfig"],
                             {"MlflowResourceArn": APP, "MlflowExperimentName": shown})
            self.over(execution.arn)

    def test_run_conditions_and_what_completes_with_failures(self):
        def graph(do):
            train = step("Train", do=do)
            publish = step("Publish", train.properties.Outputs["Value"])
            notify = step("Notify", depends_on=[StepDependency(train, TriggerCondition.FAILED)])
            clean = step("Clean", depends_on=[StepDependency(publish, TriggerCondition.ANY), "Audit"])
            never = step("Never", depends_on=[StepDependency(train, TriggerCondition.STOPPED)])
            return [train, publish, notify, step("Audit"), clean, never]

        pipeline = self.pipeline(*graph("fail"))
        pipeline.upsert(role_arn=ROLE)
        execution = pipeline.start()
        found = self.over(execution.arn, "CompletedWithFailures")
        self.assertIn("Train", found["FailureReason"])
        expected = {"Train": "Failed", "Notify": "Succeeded", "Audit": "Succeeded", "Clean": "Succeeded"}
        self.assertEqual(self.statuses(execution), expected)
        # The SDK's waiter does not know the status, as it does not know Stopped.
        with self.assertRaisesRegex(WaiterError, "Max attempts"):
            execution.wait(delay=1, max_attempts=1)
        listed = pipeline.list_executions()["PipelineExecutionSummaries"]
        self.assertEqual(listed[0]["PipelineExecutionStatus"], "CompletedWithFailures")

        self.client.retry_pipeline_execution(PipelineExecutionArn=execution.arn)
        self.over(execution.arn, "CompletedWithFailures")
        attempts = {s["StepName"]: s["AttemptCount"] for s in execution.list_steps()}
        self.assertEqual(attempts, {"Train": 2, "Notify": 2, "Audit": 1, "Clean": 2})

        # A failure that no step waited for fails the execution.
        broken = self.pipeline(*graph("fail"), step("Broken", do="fail"))
        broken.update(role_arn=ROLE)
        self.over(broken.start().arn, "Failed")
        well = self.pipeline(*graph(""))
        well.update(role_arn=ROLE)
        execution = well.start()
        execution.wait(delay=1, max_attempts=60)
        self.assertNotIn("Notify", self.statuses(execution))
        self.assertEqual(self.statuses(execution)["Clean"], "Succeeded")

    def test_what_cannot_run_is_kept_and_refused_at_start_by_name(self):
        each = ForEachStep(name="Fan", iterable_items=["a", "b"], max_concurrency=2,
                           for_each_body=[step("One", CurrentItem())])
        last = step("Last", each.properties.IterationOutputs[0].One.OutputParameters["Value"])
        pipeline = self.pipeline(each, last)
        pipeline.upsert(role_arn=ROLE)
        self.assertEqual(pipeline.describe()["PipelineDefinition"], pipeline.definition())
        with self.assertRaisesRegex(Exception, r"ValidationException.*`Fan` \(ForEach\) needs"):
            pipeline.start()

    def test_callbacks_queues_and_conditions(self):
        queue = boto("sqs").create_queue(QueueName=self.name)["QueueUrl"]
        url = ParameterString(name="Queue", default_value=queue)
        approve = CallbackStep(name="Approve", sqs_queue_url=url, inputs={"Model": "m"}, outputs=[
            CallbackOutput(output_name="By", output_type=CallbackOutputTypeEnum.String)])
        condition = ConditionEquals(left=approve.properties.Outputs["By"], right="ada")
        for _ in range(30):
            condition = ConditionNot(condition)
        gate = ConditionStep(name="Gate", conditions=[condition], if_steps=[step("Publish")], else_steps=[])
        pipeline = self.pipeline(approve, gate, parameters=[url])
        pipeline.upsert(role_arn=ROLE)
        execution = pipeline.start()
        token = self.until(
            lambda: self.steps(execution.arn).get("Approve", {}).get("Metadata", {})
            .get("Callback", {}).get("CallbackToken"), "a callback that waits")
        self.client.send_pipeline_execution_step_success(CallbackToken=token, OutputParameters=[
            {"Name": "By", "Value": "ada"}, {"Name": "Undeclared", "Value": "1"}])
        execution.wait(delay=1, max_attempts=60)
        self.assertEqual(self.statuses(execution),
                         {"Approve": "Succeeded", "Gate": "Succeeded", "Publish": "Succeeded"})


if __name__ == "__main__":
    main()
