"""boto3 with right and wrong keys against a server that verifies signatures."""

import datetime
import json
import os
import unittest
import urllib.error
import urllib.request
from unittest import mock

import boto3
import botocore.auth
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

ID = "SIDESTEPTESTKEY1"
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz/+=="


def client(access_key_id=ID, secret=SECRET, token=None, region=None, **more):
    config = Config(retries={"total_max_attempts": 1}, **more)
    return boto3.client(
        "sagemaker",
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


class Signed(unittest.TestCase):
    def refused(self, code, sagemaker):
        with self.assertRaises(ClientError) as caught:
            sagemaker.list_pipelines()
        error = caught.exception.response
        self.assertEqual(error["Error"]["Code"], code, error)
        self.assertEqual(error["ResponseMetadata"]["HTTPStatusCode"], 400)

    def test_the_right_key_reads_and_writes_from_any_region(self):
        for region in ["us-east-1", "eu-central-1"]:
            listed = client(region=region).list_pipelines()
            self.assertEqual([line["PipelineName"] for line in listed["PipelineSummaries"]], ["hello"])
        arn = client().start_pipeline_execution(PipelineName="hello")["PipelineExecutionArn"]
        described = client().describe_pipeline_execution(PipelineExecutionArn=arn)
        self.assertEqual(described["PipelineExecutionArn"], arn)

    def test_a_body_that_is_no_ascii_is_verified_too(self):
        client().update_pipeline(PipelineName="hello", PipelineDescription="Flüge – ✈")
        self.assertEqual(client().describe_pipeline(PipelineName="hello")["PipelineDescription"], "Flüge – ✈")

    def test_wrong_keys_have_the_codes_of_aws(self):
        self.refused("InvalidSignatureException", client(secret=SECRET.upper()))
        self.refused("UnrecognizedClientException", client(access_key_id="SIDESTEPTESTKEY2"))
        self.refused("UnrecognizedClientException", client(token="a session's"))
        self.refused("MissingAuthenticationTokenException", client(signature_version=UNSIGNED))

    def test_an_old_signature_is_refused(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for hours, code in [(-1, "InvalidSignatureException"), (1, "InvalidSignatureException")]:
            moved = now + datetime.timedelta(hours=hours)
            stamp = moved.replace(tzinfo=None)
            with mock.patch.object(botocore.auth, "get_current_datetime", return_value=stamp):
                self.refused(code, client())

    def test_a_stranger_is_told_nothing(self):
        url = os.environ["AWS_ENDPOINT_URL_SAGEMAKER"]
        headers = {"X-Amz-Target": "SageMaker.ListPipelines", "Host": "anything.example"}
        request = urllib.request.Request(url, b"{}", headers)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        answer = json.loads(caught.exception.read())
        self.assertEqual(answer["__type"], "MissingAuthenticationTokenException")


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    os._exit(0 if program.result.wasSuccessful() and program.result.testsRun else 1)
