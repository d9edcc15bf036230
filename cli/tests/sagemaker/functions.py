"""Functions that boto3 and the SageMaker SDK's `Lambda` make, before and after the server began anew."""

import io
import json
import os
import sys
import unittest
import zipfile

import boto3
from client import ROLE, Case, main
from sagemaker.lambda_helper import Lambda
from sagemaker.session import Session
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.steps import CacheConfig

AGAIN = "again" in sys.argv
SCRIPT = """
import os
def handle(event, context):
    return {"Value": os.environ.get("WORD", "none") + event.get("Value", ""), "Number": %s}
"""
CACHED = CacheConfig(enable_caching=True, expire_after="P30D")


def zipped(files, date=(2026, 1, 2, 3, 4, 5)):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date), text)
    return buffer.getvalue()


class Functions(Case):
    def setUp(self):
        super().setUp()
        self.lambdas = boto3.client("lambda")
        self.session = Session()

    def helper(self, number=1, **more):
        with open("made.py", "w") as script:
            script.write(SCRIPT % number)
        return Lambda(function_name="made", execution_role_arn=ROLE, script="made.py", handler="made.handle",
                      session=self.session, timeout=9, memory_size=256, **more)

    def invoke(self, name, payload=None):
        answer = self.lambdas.invoke(FunctionName=name, Payload=json.dumps(payload or {}))
        self.assertNotIn("FunctionError", answer, answer)
        return json.loads(answer["Payload"].read())

    def run_pipeline(self, helper):
        value = LambdaOutput(output_name="Value", output_type=LambdaOutputTypeEnum.String)
        step = LambdaStep(name="Made", lambda_func=helper, inputs={"Value": "x"}, outputs=[value], cache_config=CACHED)
        pipeline = Pipeline(name="of-made", steps=[step], sagemaker_session=self.session)
        pipeline.upsert(role_arn=ROLE)
        execution = pipeline.start()
        execution.wait(delay=1, max_attempts=60)
        (step,) = execution.list_steps()
        return "CacheHitResult" in step

    @unittest.skipIf(AGAIN, "the first start alone")
    def test_the_helper_of_the_sdk_makes_a_function_and_an_edit_alone_runs_again(self):
        self.assertEqual(self.helper().create()["FunctionName"], "made")
        with self.assertRaisesRegex(ValueError, "ResourceConflictException"):
            self.helper().create()
        self.assertEqual(json.loads(self.helper().invoke()["Payload"].read()), {"Value": "none", "Number": 1})
        self.assertFalse(self.run_pipeline(self.helper()))
        # Its `upsert` zips the script anew, with another time.
        self.assertTrue(self.run_pipeline(self.helper()))
        self.assertFalse(self.run_pipeline(self.helper(2)))
        self.assertEqual(self.invoke("made")["Number"], 2)
        self.lambdas.update_function_configuration(FunctionName="made", Environment={"Variables": {"WORD": "w"}})
        self.assertFalse(self.run_pipeline(self.helper(2)), "a variable is part of the code")
        self.assertTrue(self.run_pipeline(self.helper(2)))
        found = self.lambdas.get_function_configuration(FunctionName="made")
        self.assertEqual((found["Timeout"], found["MemorySize"], found["Role"]), (9, 256, ROLE))
        self.assertEqual(found["Environment"]["Variables"]["WORD"], "w")

    @unittest.skipUnless(AGAIN, "the second start alone")
    def test_a_function_is_there_again_after_a_restart_and_hits(self):
        self.assertEqual(self.invoke("made", {"Value": "x"}), {"Value": "wx", "Number": 2})
        self.assertTrue(self.run_pipeline(self.helper(2)))

    def test_code_from_s3_versions_policies_and_removal(self):
        name = "f" + self.name
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="one.zip", Body=zipped({"made.py": SCRIPT % 1, "requirements.txt": "no-such==9"}))
        make = {"FunctionName": name, "Runtime": "python3.12", "Role": ROLE, "Handler": "made.handle"}
        made = self.lambdas.create_function(**make, Code={"S3Bucket": name, "S3Key": "one.zip"}, Tags={"a": "b"})
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.assertEqual((made["Timeout"], made["MemorySize"], made["State"]), (3, 128, "Active"))
        self.lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
        self.assertEqual(self.invoke(name)["Number"], 1)
        self.assertIn(name, [found["FunctionName"] for found in self.lambdas.list_functions()["Functions"]])

        same = self.lambdas.update_function_code(FunctionName=name, ZipFile=zipped({"made.py": SCRIPT % 1, "requirements.txt": "no-such==9"}, (2020, 1, 1, 0, 0, 0)))
        self.assertEqual(same["CodeSha256"], made["CodeSha256"])
        published = self.lambdas.publish_version(FunctionName=name)
        new = self.lambdas.update_function_code(FunctionName=made["FunctionArn"], ZipFile=zipped({"made.py": SCRIPT % 2}))
        self.assertNotEqual(new["CodeSha256"], made["CodeSha256"])
        self.lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
        self.assertEqual(self.invoke(name)["Number"], 2)
        self.assertEqual(self.invoke(published["FunctionArn"])["Number"], 1, "a version keeps its code")
        versions = self.lambdas.list_versions_by_function(FunctionName=name)["Versions"]
        self.assertEqual(versions[0]["Version"], "$LATEST")
        self.refused("PreconditionFailedException", self.lambdas.update_function_code, FunctionName=name,
                     ZipFile=zipped({"made.py": "x"}), RevisionId=made["RevisionId"])

        permission = {"FunctionName": name, "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "sagemaker.amazonaws.com"}
        self.lambdas.add_permission(**permission)
        self.refused("ResourceConflictException", self.lambdas.add_permission, **permission)
        self.assertIn('"Sid":"s"', self.lambdas.get_policy(FunctionName=name)["Policy"])
        self.lambdas.remove_permission(FunctionName=name, StatementId="s")
        self.lambdas.delete_function(FunctionName=name)
        for call in [self.lambdas.get_function, self.lambdas.invoke, self.lambdas.delete_function]:
            self.refused("ResourceNotFoundException", call, FunctionName=name)
        self.lambdas.create_function(**make, Code={"ZipFile": zipped({"made.py": SCRIPT % 3})})
        self.assertEqual(self.invoke(name)["Number"], 3)

    def test_what_cannot_be_made_is_refused_with_the_errors_of_lambda(self):
        good = {"FunctionName": "bad" + self.name, "Runtime": "python3.12", "Role": ROLE, "Handler": "made.handle",
                "Code": {"ZipFile": zipped({"made.py": SCRIPT % 1})}}
        parameter, validation = "InvalidParameterValueException", "ValidationException"
        for code, part, change in [
            ("ResourceConflictException", "already exist", {"FunctionName": "work"}),
            (validation, "functionName", {"FunctionName": "a b"}),
            (validation, "role", {"Role": "no-role"}),
            (validation, "timeout", {"Timeout": 901}),
            (validation, "memorySize", {"MemorySize": 10241}),
            (validation, "handler", {"Handler": "a b"}),
            (parameter, "runtime `ruby3.3`", {"Runtime": "ruby3.3"}),
            (parameter, "unzip", {"Code": {"ZipFile": b"no zip"}}),
            (parameter, "unzip", {"Code": {"ZipFile": zipped({"../out.py": "x"})}}),
            (parameter, "non-empty", {"Code": {"ZipFile": zipped({})}}),
            (parameter, "NoSuchBucket", {"Code": {"S3Bucket": "never-there", "S3Key": "k"}}),
            (parameter, "source", {"Code": {}}),
            (parameter, "reserved keys", {"Environment": {"Variables": {"AWS_REGION": "x"}}}),
            (parameter, "4KB", {"Environment": {"Variables": {"AA": "x" * 5000}}}),
            (parameter, "Layers", {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}),
            (parameter, "VpcConfig", {"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}}),
            (parameter, "images", {"PackageType": "Image", "Code": {"ImageUri": "i"}}),
        ]:
            with self.subTest(str(change)[:60]):
                self.assertIn(part, self.refused(code, self.lambdas.create_function, **{**good, **change}))
        self.refused("ResourceNotFoundException", self.lambdas.get_function, FunctionName=good["FunctionName"])
        self.refused("ResourceNotFoundException", self.lambdas.update_function_code,
                     FunctionName="never", ZipFile=good["Code"]["ZipFile"])
        text = self.refused(parameter, self.lambdas.update_function_code, FunctionName="work", ZipFile=good["Code"]["ZipFile"])
        self.assertIn("of the project", text)
        self.refused(parameter, self.lambdas.delete_function, FunctionName="sidestep-planner")
        self.assertEqual(self.invoke("work")["Size"], 3)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    main()
