"""Every operation through boto3 and the AWS CLI: answers, pages, orders, tokens, refusals."""

import datetime
import json
import os
import re
import subprocess
import sys
import uuid

import boto3
from botocore.config import Config
from client import FUNCTION, ROLE, Case, boto, check_strings, definition, lambda_step, main, model

MONTH = {"Name": "Month", "Type": "String", "DefaultValue": "2013-01"}


def token():
    return uuid.uuid4().hex


class Api(Case):
    def test_one_token_gives_one_answer_and_other_work_under_it_conflicts(self):
        create = {
            "PipelineName": self.name,
            "RoleArn": ROLE,
            "PipelineDefinition": definition(lambda_step("A"), parameters=[MONTH]),
            "ClientRequestToken": token(),
        }
        first = self.client.create_pipeline(**create)["PipelineArn"]
        self.assertEqual(self.client.create_pipeline(**create)["PipelineArn"], first)
        create["ClientRequestToken"] = token()
        text = self.refused("ValidationException", self.client.create_pipeline, **create)
        self.assertIn("already exists", text)

        once = token()
        start = self.start(ClientRequestToken=once)
        self.assertEqual(self.start(ClientRequestToken=once), start)
        self.refused("ConflictException", self.start, ClientRequestToken=once,
                     PipelineParameters=[{"Name": "Month", "Value": "2013-02"}])
        self.assertNotEqual(self.start(), start)
        self.refused("ValidationException", self.start, ClientRequestToken="x" * 31 + "\u00e9" * 98)

    def test_lists_are_sorted_and_paged(self):
        self.create(lambda_step("A", "1"), lambda_step("B", "2", ["A"]), lambda_step("C", "3", ["B"]))
        arns = [self.start() for _ in range(5)]
        for arn in arns:
            self.over(arn)
        pages = self.client.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.name, PaginationConfig={"PageSize": 2})
        pages = [[line["PipelineExecutionArn"] for line in page["PipelineExecutionSummaries"]] for page in pages]
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        self.assertEqual(sum(pages, []), arns[::-1], "newest first")
        listed = self.client.list_pipeline_executions
        ascending = listed(PipelineName=self.name, SortOrder="Ascending")["PipelineExecutionSummaries"]
        self.assertEqual([line["PipelineExecutionArn"] for line in ascending], arns)
        by_arn = listed(PipelineName=self.name, SortBy="PipelineExecutionArn", SortOrder="Ascending")
        by_arn = [line["PipelineExecutionArn"] for line in by_arn["PipelineExecutionSummaries"]]
        self.assertEqual(by_arn, sorted(arns))
        second = ascending[1]["StartTime"]
        before = listed(PipelineName=self.name, CreatedBefore=second)["PipelineExecutionSummaries"]
        self.assertEqual([line["PipelineExecutionArn"] for line in before], arns[:1])
        after = listed(PipelineName=self.name, CreatedAfter=second)["PipelineExecutionSummaries"]
        self.assertEqual(len(after), 3)
        self.assertEqual(ascending[0]["StartTime"].utcoffset(), datetime.datetime.now().astimezone().utcoffset())

        steps = self.client.list_pipeline_execution_steps
        names = lambda answer: [step["StepName"] for step in answer["PipelineExecutionSteps"]]
        first = steps(PipelineExecutionArn=arns[0], MaxResults=2)
        self.assertEqual(names(first), ["C", "B"])
        rest = steps(PipelineExecutionArn=arns[0], MaxResults=2, NextToken=first["NextToken"])
        self.assertEqual((names(rest), rest.get("NextToken")), (["A"], None))
        self.assertEqual(names(steps(PipelineExecutionArn=arns[0], SortOrder="Ascending")), ["A", "B", "C"])
        self.refused("ValidationException", steps, PipelineExecutionArn=arns[1], NextToken=first["NextToken"])
        self.refused("ValidationException", steps, PipelineExecutionArn=arns[1], NextToken="nonsense")

        self.client.create_pipeline(PipelineName=self.name + "-2", RoleArn=ROLE,
                                    PipelineDefinition=definition(lambda_step("A")))
        pipelines = self.client.list_pipelines
        found = pipelines(PipelineNamePrefix=self.name, SortBy="Name", SortOrder="Ascending")["PipelineSummaries"]
        self.assertEqual([line["PipelineName"] for line in found], [self.name, self.name + "-2"])
        self.assertIn("LastExecutionTime", found[0])
        self.assertNotIn("LastExecutionTime", found[1])
        one = pipelines(PipelineNamePrefix=self.name, MaxResults=1)
        self.assertEqual(one["PipelineSummaries"][0]["PipelineName"], self.name + "-2")
        two = pipelines(PipelineNamePrefix=self.name, MaxResults=1, NextToken=one["NextToken"])
        self.assertEqual(two["PipelineSummaries"][0]["PipelineName"], self.name)
        self.assertNotIn("NextToken", two)

    def test_versions_and_aliases(self):
        arn = self.create(lambda_step("One"), PipelineVersionAliases=["stable"])
        update = self.client.update_pipeline
        two = definition(lambda_step("Two"))
        answer = update(PipelineName=self.name, PipelineDefinition=two, PipelineDescription="second")
        self.assertEqual(answer["PipelineVersionId"], 2)
        same = update(PipelineName=self.name, PipelineDefinition=two, PipelineVersionAliases=["next"])
        self.assertEqual(same["PipelineVersionId"], 2, "the same text is no new version")
        versions = self.client.list_pipeline_versions
        found = versions(PipelineName=arn)["PipelineVersionSummaries"]
        self.assertEqual([(v["PipelineVersionId"], v["PipelineVersionAliases"]) for v in found],
                         [(2, ["next"]), (1, ["stable"])])
        latest = versions(PipelineName=self.name, MaxResults=1)
        self.assertEqual(latest["PipelineVersionSummaries"][0]["PipelineVersionId"], 2)
        describe = self.client.describe_pipeline
        self.assertIn("Two", describe(PipelineName=self.name)["PipelineDefinition"])
        self.assertIn("One", describe(PipelineName=self.name, PipelineVersionId=1)["PipelineDefinition"])
        self.assertEqual(describe(PipelineName=self.name)["PipelineDescription"], "second")

        old = self.start(PipelineVersionAlias="stable")
        self.over(old)
        self.assertEqual(list(self.steps(old)), ["One"])
        found = self.client.describe_pipeline_execution(PipelineExecutionArn=old)
        self.assertEqual((found["PipelineVersionId"], found["PipelineVersionAliases"]), (1, ["stable"]))
        kept = self.client.describe_pipeline_definition_for_execution(PipelineExecutionArn=old)
        self.assertIn("One", kept["PipelineDefinition"])
        new = self.start(PipelineVersionId=2)
        self.over(new)
        only = self.client.list_pipeline_executions(PipelineName=self.name, PipelineVersionAlias="stable")
        self.assertEqual([line["PipelineExecutionArn"] for line in only["PipelineExecutionSummaries"]], [old])

        change = self.client.update_pipeline_version
        text = self.refused("ConflictException", change, PipelineArn=arn, PipelineVersionId=2,
                            PipelineVersionAliasOperations={"Add": ["stable"]})
        self.assertIn("version 1", text)
        change(PipelineArn=arn, PipelineVersionId=1, PipelineVersionDisplayName="first",
               PipelineVersionDescription="d", PipelineVersionAliasOperations={"Remove": ["stable"]})
        change(PipelineArn=arn, PipelineVersionId=2, PipelineVersionAliasOperations={"Add": ["stable"]})
        first = describe(PipelineName=self.name, PipelineVersionId=1)
        self.assertEqual((first["PipelineVersionDisplayName"], first["PipelineVersionAliases"]), ("first", []))
        self.assertIn("Two", describe(PipelineName=self.name, PipelineVersionAlias="stable")["PipelineDefinition"])
        self.refused("ResourceNotFound", describe, PipelineName=self.name, PipelineVersionId=3)
        self.refused("ResourceNotFound", self.start, PipelineVersionAlias="never")
        self.refused("ValidationException", self.start, PipelineVersionAlias="stable", PipelineVersionId=1)
        self.refused("ValidationException", change, PipelineArn=arn, PipelineVersionId=2,
                     PipelineVersionAliasOperations={"Add": ["42"]})
        self.refused("ResourceLimitExceeded", change, PipelineArn=arn, PipelineVersionId=2,
                     PipelineVersionAliasOperations={"Add": [f"a{i}" for i in range(10)]})

    def test_parameters_are_checked_before_anything_starts_and_listed_as_texts(self):
        typed = [MONTH, {"Name": "N", "Type": "Integer"}, {"Name": "Flag", "Type": "Boolean", "DefaultValue": True},
                 {"Name": "Mode", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]}]
        self.create(lambda_step("A", {"Get": "Parameters.Month"}), parameters=typed)
        given = lambda **values: [{"Name": name, "Value": value} for name, value in values.items()]
        for wrong, named in [
            ({}, "N"),
            ({"N": "x"}, "N"),
            ({"N": "1", "Mode": "c"}, "Mode"),
            ({"N": "1", "Month": ""}, "Month"),
            ({"N": "1", "Mnth": "m"}, "Month"),
        ]:
            text = self.refused("ValidationException", self.start, PipelineParameters=given(**wrong))
            self.assertIn(named, text)
        self.refused("ValidationException", self.start, PipelineParameters=given(N="1") + given(N="2"))
        found = self.client.list_pipeline_executions(PipelineName=self.name)
        self.assertEqual(found["PipelineExecutionSummaries"], [])
        arn = self.start(PipelineParameters=given(N="7", Flag="False"))
        pages = self.client.get_paginator("list_pipeline_parameters_for_execution").paginate(
            PipelineExecutionArn=arn, PaginationConfig={"PageSize": 3})
        values = {p["Name"]: p["Value"] for page in pages for p in page["PipelineParameters"]}
        self.assertEqual(values, {"Month": "2013-01", "N": "7", "Flag": "false", "Mode": "a"})

    def test_job_steps_are_stored_and_refused_at_start_with_their_list(self):
        tune = {"Name": "Tune", "Type": "Tuning", "Arguments": {}}
        cluster = {"Name": "Cluster", "Type": "EMR", "Arguments": {}}
        self.create(lambda_step("A"), tune, cluster)
        text = self.refused("ValidationException", self.start)
        for part in ["`Tune` (Tuning)", "`Cluster` (EMR)"]:
            self.assertIn(part, text)
        self.assertNotIn("`A`", text)

    def test_what_the_sdk_printed_is_taken_as_it_is_and_starts_if_it_can(self):
        fixtures = os.path.join(os.path.dirname(__file__), "../../../tests/fixtures")
        paths = [os.path.join(fixtures, corpus, file) for corpus in ("corpus", "corpus-v3")
                 for file in sorted(os.listdir(os.path.join(fixtures, corpus)))]
        started, jobs, functions = [], [], []
        for number, path in enumerate(paths):
            file = os.path.basename(path)
            with open(path) as source:
                text = source.read()
            name = f"{self.name}-{number}-{file.removesuffix('.json')}"
            self.client.create_pipeline(PipelineName=name, RoleArn=ROLE, PipelineDefinition=text)
            self.assertEqual(self.client.describe_pipeline(PipelineName=name)["PipelineDefinition"], text)
            # Their functions have many names; here all are the one that there is.
            for arn in set(re.findall(r"arn:aws:lambda:[^\"]*:function:[^\"]*", text)):
                text = text.replace(arn, FUNCTION)
            self.client.update_pipeline(PipelineName=name, PipelineDefinition=text)
            try:
                self.client.start_pipeline_execution(PipelineName=name)
                started.append(file)
            except self.client.exceptions.ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "ValidationException", file)
                (jobs if "cannot run yet" in str(error) else functions).append((file, str(error)))
        self.assertGreaterEqual(len(started), 5, (started, functions))
        self.assertGreaterEqual(len(jobs), 2)
        for file, error in functions:
            self.assertIn("parameter", error, file)

    def test_a_function_that_is_unknown_here_is_refused_with_what_to_add(self):
        self.create(lambda_step("A", FunctionArn=FUNCTION.replace("work", "nowhere")))
        text = self.refused("ValidationException", self.start)
        self.assertIn("nowhere", text)
        self.assertIn("sidestep.toml", text)

    def test_a_definition_that_is_not_right_is_refused_with_every_place(self):
        create = self.client.create_pipeline
        wrong = definition(lambda_step("A", {"Get": "Parameters.No"}), lambda_step("B", "", ["Nowhere"]))
        text = self.refused("ValidationException", create, PipelineName=self.name, RoleArn=ROLE, PipelineDefinition=wrong)
        self.assertIn("Unable to parse pipeline definition", text)
        self.assertIn("/Steps/0/Arguments/Value", text)
        self.assertIn("/Steps/1/DependsOn/0", text)
        self.refused("ValidationException", create, PipelineName=self.name, RoleArn=ROLE)
        self.refused("ValidationException", create, PipelineName=self.name, RoleArn=ROLE, PipelineDefinition="{}",
                     PipelineDefinitionS3Location={"Bucket": "bucket", "ObjectKey": "k"})
        for location in [{"Bucket": "no-such-bucket", "ObjectKey": "k"}, {"Bucket": "sidestep-artifacts", "ObjectKey": "k"}]:
            self.refused("ValidationException", create, PipelineName=self.name, RoleArn=ROLE,
                         PipelineDefinitionS3Location=location)
        self.refused("ResourceNotFound", self.client.describe_pipeline, PipelineName=self.name)

    def test_violations_are_told_in_the_words_of_the_service(self):
        free = boto3.client("sagemaker", config=Config(parameter_validation=False))
        with self.assertRaises(free.exceptions.ClientError) as caught:
            free.create_pipeline(PipelineName="under_score", PipelineDefinition="{}")
        text = str(caught.exception)
        self.assertIn("2 validation errors detected: Value 'under_score' at 'pipelineName' failed to satisfy "
                      "constraint: Member must satisfy regular expression pattern", text)
        self.assertIn("Value null at 'roleArn' failed to satisfy constraint: Member must not be null", text)
        with self.assertRaises(free.exceptions.ClientError) as caught:
            free.describe_compilation_job(CompilationJobName="t")
        self.assertEqual(caught.exception.response["Error"]["Code"], "UnknownOperationException")
        self.assertIn("StartPipelineExecution", str(caught.exception))

    def test_the_model_check_can_fail(self):
        shape = model.operation_model("DescribePipelineExecution").output_shape
        check_strings(shape, {"PipelineExecutionStatus": "Executing"}, "")
        for wrong in [{"PipelineExecutionStatus": "Running"}, {"Status": "Executing"}, {"PipelineArn": "p"},
                      {"FailureReason": "x" * 1301}]:
            with self.assertRaises(AssertionError, msg=wrong):
                check_strings(shape, wrong, "")

    def test_tags(self):
        arn = self.create(lambda_step("A"), Tags=[{"Key": "a", "Value": "1"}])
        self.client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": ""}, {"Key": "a", "Value": "2"}])
        listed = lambda: {t["Key"]: t["Value"] for t in self.client.list_tags(ResourceArn=arn)["Tags"]}
        self.assertEqual(listed(), {"a": "2", "b": ""})
        self.client.delete_tags(ResourceArn=arn, TagKeys=["a", "never"])
        self.assertEqual(listed(), {"b": ""})
        more = [{"Key": f"k{i}", "Value": "v"} for i in range(50)]
        self.refused("ResourceLimitExceeded", self.client.add_tags, ResourceArn=arn, Tags=more)
        self.refused("ValidationException", self.client.list_tags,
                     ResourceArn="arn:aws:sagemaker:us-east-1:000000000000:model/m")
        self.refused("ResourceNotFound", self.client.list_tags, ResourceArn=arn + "x")

    def test_executions_are_relabelled_but_not_rewritten(self):
        self.create(lambda_step("A"), ParallelismConfiguration={"MaxParallelExecutionSteps": 3})
        arn = self.start()
        update = self.client.update_pipeline_execution
        update(PipelineExecutionArn=arn, PipelineExecutionDisplayName="renamed", PipelineExecutionDescription="why")
        found = self.over(arn)
        self.assertEqual(found["PipelineExecutionDisplayName"], "renamed")
        self.assertEqual(found["PipelineExecutionDescription"], "why")
        self.assertEqual(found["ParallelismConfiguration"], {"MaxParallelExecutionSteps": 3})
        update(PipelineExecutionArn=arn, ParallelismConfiguration={"MaxParallelExecutionSteps": 3})
        self.refused("ValidationException", update, PipelineExecutionArn=arn,
                     ParallelismConfiguration={"MaxParallelExecutionSteps": 4})

    def test_a_failed_step_is_told_and_its_execution_can_be_retried(self):
        fail = lambda_step("Broken")
        fail["Arguments"]["Do"] = "fail"
        self.create(lambda_step("A"), fail)
        arn = self.start()
        found = self.over(arn, "Failed")
        self.assertTrue(found["FailureReason"].startswith("Step failure"))
        step = self.steps(arn)["Broken"]
        self.assertEqual(step["StepStatus"], "Failed")
        self.assertIn("asked to fail", step["FailureReason"])
        summary = self.client.list_pipeline_executions(PipelineName=self.name)["PipelineExecutionSummaries"][0]
        self.assertEqual(summary["PipelineExecutionFailureReason"], found["FailureReason"])
        self.assertEqual(self.client.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"], arn)
        self.over(arn, "Failed")
        self.assertEqual(self.steps(arn)["Broken"]["AttemptCount"], 2)

    def test_changes_of_status_are_written_down_as_eventbridge_has_them(self):
        fail = lambda_step("Broken", "", ["A"], CacheConfig={"Enabled": True})
        fail["Arguments"]["Do"] = "fail"
        cached = lambda_step("A", self.name, CacheConfig={"Enabled": True})
        after = lambda_step("After", "", ["Broken"])
        pipeline = self.create(cached, fail, after)

        def events(arn):
            with open(".sidestep/events.jsonl") as log:
                lines = [json.loads(line) for line in log]
            lines = [line for line in lines if line["detail"]["pipelineExecutionArn"] == arn]
            self.assertTrue(all(line["resources"] == [pipeline, arn] for line in lines))
            self.assertEqual(len({line["id"] for line in lines}), len(lines))
            return lines

        def told(arn):
            step = lambda d: (d["stepName"], d.get("previousStepStatus"), d["currentStepStatus"])
            whole = lambda d: (None, d.get("previousPipelineExecutionStatus"), d["currentPipelineExecutionStatus"])
            return [(step if "stepName" in line["detail"] else whole)(line["detail"]) for line in events(arn)]

        first = self.start()
        ended = lambda arn: (None, "Executing", "Failed") in told(arn)
        self.until(lambda: ended(first), "the first end")
        self.assertEqual(told(first), [
            (None, None, "Executing"),
            ("A", None, "Executing"),
            ("A", "Executing", "Succeeded"),
            ("Broken", None, "Executing"),
            ("Broken", "Executing", "Failed"),
            (None, "Executing", "Failed"),
        ])
        broken = events(first)[4]
        self.assertEqual(broken["detail-type"], "SageMaker Model Building Pipeline Execution Step Status Change")
        self.assertEqual(broken["detail"]["stepType"], "Lambda")
        self.assertIn("asked to fail", broken["detail"]["failureReason"])
        self.assertLessEqual(broken["detail"]["stepStartTime"], broken["detail"]["stepEndTime"])
        self.assertIn("executionEndTime", events(first)[5]["detail"])

        second = self.start()
        self.until(lambda: ended(second), "the second end")
        self.assertIn(("A", None, "Succeeded"), told(second))
        hit = events(second)[1]["detail"]
        self.assertEqual(hit["cacheHitResult"], {"sourcePipelineExecutionArn": first})

    def test_a_deleted_pipeline_is_gone_with_its_executions_and_its_name_is_free(self):
        arn = self.create(lambda_step("A"))
        execution = self.start()
        self.over(execution)
        self.assertEqual(self.client.delete_pipeline(PipelineName=self.name)["PipelineArn"], arn)
        for call in [self.client.describe_pipeline, self.client.delete_pipeline, self.client.list_pipeline_executions,
                     self.client.list_pipeline_versions, self.client.start_pipeline_execution]:
            self.refused("ResourceNotFound", call, PipelineName=self.name)
        for call in [self.client.describe_pipeline_execution, self.client.list_pipeline_execution_steps,
                     self.client.stop_pipeline_execution]:
            self.refused("ResourceNotFound", call, PipelineExecutionArn=execution)
        self.refused("ResourceNotFound", self.client.update_pipeline, PipelineName=self.name)
        self.create(lambda_step("B"))
        self.assertEqual(self.client.list_pipeline_executions(PipelineName=self.name)["PipelineExecutionSummaries"], [])
        versions = self.client.list_pipeline_versions(PipelineName=self.name)["PipelineVersionSummaries"]
        self.assertEqual([version["PipelineVersionId"] for version in versions], [1])

    def test_an_execution_that_is_not_over_keeps_its_pipeline_from_being_deleted(self):
        queue = boto("sqs").create_queue(QueueName=self.name)["QueueUrl"]
        wait = {"Name": "Wait", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}, "OutputParameters": []}
        self.create(wait)
        arn = self.start()
        text = self.refused("ConflictException", self.client.delete_pipeline, PipelineName=self.name)
        self.assertIn(arn, text)
        self.client.stop_pipeline_execution(PipelineExecutionArn=arn)
        token = self.steps(arn)["Wait"]["Metadata"]["Callback"]["CallbackToken"]
        self.client.send_pipeline_execution_step_success(CallbackToken=token)
        self.over(arn, "Stopped")
        self.client.delete_pipeline(PipelineName=self.name)

    def test_the_command_and_the_api_see_the_same_executions(self):
        sidestep = lambda *arguments: json.loads(subprocess.run(
            [os.environ["SIDESTEP"], *arguments, "--json"], check=True, stdout=subprocess.PIPE).stdout)
        found = self.client.describe_pipeline(PipelineName="hello")
        self.assertIn("Greet", json.loads(found["PipelineDefinition"])["Steps"][0]["Name"])
        ran = sidestep("run", "hello")["PipelineExecutionArn"]
        described = self.over(ran)
        self.assertEqual(described["PipelineVersionId"], 1)
        listed = self.client.list_pipeline_executions(PipelineName="hello")["PipelineExecutionSummaries"]
        self.assertIn(ran, [line["PipelineExecutionArn"] for line in listed])
        started = self.client.start_pipeline_execution(PipelineName="hello")["PipelineExecutionArn"]
        self.over(started)
        self.assertIn("CacheHitResult", self.steps(started)["Greet"])
        shown = sidestep("show", started)
        self.assertEqual(shown["PipelineExecutionStatus"], "Succeeded")

    def test_the_aws_cli_lists_starts_and_describes(self):
        self.create(lambda_step("A", {"Get": "Parameters.Month"}), parameters=[MONTH])
        def aws(*arguments):
            command = [os.path.join(os.path.dirname(sys.executable), "aws"), "sagemaker", *arguments, "--output", "json"]
            return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

        listed = aws("list-pipelines", "--pipeline-name-prefix", self.name)
        self.assertEqual(listed["PipelineSummaries"][0]["PipelineName"], self.name)
        arn = aws("start-pipeline-execution", "--pipeline-name", self.name,
                  "--pipeline-parameters", "Name=Month,Value=2013-05")["PipelineExecutionArn"]
        self.over(arn)
        steps = aws("list-pipeline-execution-steps", "--pipeline-execution-arn", arn)
        outputs = steps["PipelineExecutionSteps"][0]["Metadata"]["Lambda"]["OutputParameters"]
        self.assertEqual(outputs, [{"Name": "Value", "Value": "2013-05"}])


if __name__ == "__main__":
    main()
