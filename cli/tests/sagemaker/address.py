"""All services on one address, with what `sidestep env` prints and nothing else."""

import io
import json
import os
import subprocess
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from client import main
from sagemaker import get_execution_role
from sagemaker.session import Session

ADDRESS = os.environ["AWS_ENDPOINT_URL"]
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/pipelines"


def client(service, **more):
    config = more.pop("config", None) or Config(retries={"total_max_attempts": 1})
    return boto3.client(service, config=config, **more)


def foreign(service, **more):
    """A client with a key of the user's own at AWS."""
    return client(service, aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x" * 40, **more)


class Address(unittest.TestCase):
    def refused(self, code, call, *args, **more):
        with self.assertRaises(ClientError) as caught:
            call(*args, **more)
        error = caught.exception.response
        self.assertEqual(error["Error"]["Code"], code, error)
        return error["Error"].get("Message", "")

    def test_each_service_answers_the_signatures_of_its_scope(self):
        events = [{"Source": "mine", "DetailType": "t", "Detail": "{}"}]
        for service, call, arguments, found in [
            ("s3", "list_buckets", {}, "Buckets"),
            ("dynamodb", "list_tables", {}, "TableNames"),
            ("lambda", "list_functions", {}, "Functions"),
            ("sqs", "list_queues", {"QueueNamePrefix": "sidestep"}, "QueueUrls"),
            ("sts", "get_caller_identity", {}, "Arn"),
            ("iam", "get_role", {"RoleName": "any"}, "Role"),
            ("sagemaker", "list_pipelines", {}, "PipelineSummaries"),
            ("logs", "describe_log_groups", {}, "logGroups"),
            ("events", "put_events", {"Entries": events}, "Entries"),
        ]:
            with self.subTest(service):
                self.assertTrue(client(service).meta.endpoint_url.startswith(ADDRESS))
                self.assertIn(found, getattr(client(service), call)(**arguments))

    def test_a_service_that_is_not_here_is_refused_by_name(self):
        for service, call in [("sns", "list_topics"), ("kinesis", "list_streams"), ("stepfunctions", "list_state_machines")]:
            text = self.refused("ServiceNotEmbedded", getattr(client(service), call))
            self.assertIn("the embedded cloud has no service", text)

    def test_a_key_of_another_reaches_sagemaker_alone_and_is_told_what_to_run(self):
        self.assertIn("PipelineSummaries", foreign("sagemaker").list_pipelines())
        for service, call, code in [
            ("s3", "list_buckets", "InvalidAccessKeyId"),
            ("dynamodb", "list_tables", "UnrecognizedClientException"),
            ("lambda", "list_functions", "UnrecognizedClientException"),
            ("sqs", "list_queues", "UnrecognizedClientException"),
            ("sts", "get_caller_identity", "InvalidClientTokenId"),
            ("logs", "describe_log_groups", "UnrecognizedClientException"),
        ]:
            with self.subTest(service):
                self.assertIn('eval "$(sidestep env)"', self.refused(code, getattr(foreign(service), call)))
        self.refused("InvalidClientTokenId", foreign("iam").get_role, RoleName="r")

    def test_objects_by_every_way_of_signing(self):
        s3 = client("s3")
        s3.create_bucket(Bucket="ways")
        s3.put_object(Bucket="ways", Key="a/b c", Body=b"one")
        for version in ["s3v4", "s3"]:
            signer = client("s3", config=Config(signature_version=version))
            url = signer.generate_presigned_url("get_object", Params={"Bucket": "ways", "Key": "a/b c"})
            self.assertTrue(url.startswith(ADDRESS), url)
            with urllib.request.urlopen(url) as answer:
                self.assertEqual(answer.read(), b"one")
            with self.assertRaises(urllib.error.HTTPError):
                urllib.request.urlopen(url.replace("b%20c", "other"))
        form = s3.generate_presigned_post("ways", "posted")
        import requests

        answer = requests.post(form["url"], data=form["fields"], files={"file": io.BytesIO(b"two")})
        self.assertEqual(answer.status_code, 204, answer.text)
        self.assertEqual(s3.get_object(Bucket="ways", Key="posted")["Body"].read(), b"two")
        port = ADDRESS.rsplit(":", 1)[1]
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{ADDRESS}/ways/posted")
        self.assertEqual(caught.exception.code, 403)
        # The bucket in the host, as SDKs write it for a name such as `localhost`.
        named = client("s3", endpoint_url=f"http://localhost:{port}", config=Config(s3={"addressing_style": "virtual"}))
        url = named.generate_presigned_url("get_object", Params={"Bucket": "ways", "Key": "posted"})
        host = f"ways.localhost:{port}"
        self.assertIn(host, url)
        request = urllib.request.Request(url.replace(host, f"127.0.0.1:{port}"), headers={"Host": host})
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.read(), b"two")

    def test_a_role_may_do_the_same_with_its_token_and_not_without(self):
        sts = client("sts")
        identity = sts.get_caller_identity()
        self.assertEqual(identity["Account"], ACCOUNT)
        self.assertEqual(identity["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/sidestep/sidestep")
        assumed = sts.assume_role(RoleArn=ROLE, RoleSessionName="me@here", DurationSeconds=900)
        self.assertEqual(assumed["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/pipelines/me@here")
        key = assumed["Credentials"]
        keys = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
            "aws_session_token": key["SessionToken"],
        }
        self.assertEqual(client("sts", **keys).get_caller_identity()["Arn"], assumed["AssumedRoleUser"]["Arn"])
        s3 = client("s3", **keys)
        s3.create_bucket(Bucket="of-the-role")
        s3.put_object(Bucket="of-the-role", Key="k", Body=b"x")
        signer = client("s3", config=Config(signature_version="s3v4"), **keys)
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "of-the-role", "Key": "k"})
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.read(), b"x")
        for wrong in [None, "", "other", key["SessionToken"] + "0"]:
            forged = client("s3", **{**keys, "aws_session_token": wrong})
            self.refused("InvalidAccessKeyId", forged.list_buckets)
        for arguments in [
            {"RoleArn": "arn:aws:iam::000000000000:user/u", "RoleSessionName": "me"},
            {"RoleArn": ROLE, "RoleSessionName": "a b"},
            {"RoleArn": ROLE, "RoleSessionName": "me", "DurationSeconds": 60000},
        ]:
            self.refused("ValidationError", sts.assume_role, **arguments)

    def test_roles_as_the_sdk_of_version_3_looks_at_them(self):
        iam = client("iam")
        role = iam.get_role(RoleName="pipelines")["Role"]
        trusted = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        self.assertIn("sagemaker.amazonaws.com", trusted)
        actions = [f"s3:Action{number}" for number in range(7)]
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=role["Arn"], ActionNames=actions, PaginationConfig={"PageSize": 3})
        results = [result for page in pages for result in page["EvaluationResults"]]
        self.assertEqual([result["EvalActionName"] for result in results], actions)
        self.assertEqual({result["EvalDecision"] for result in results}, {"allowed"})
        self.refused("ValidationError", iam.get_role, RoleName="a b")
        self.refused("InvalidAction", iam.list_roles)

    def test_the_sdk_finds_its_bucket_and_its_role_with_nothing_else_set(self):
        session = Session()
        bucket = session.default_bucket()
        self.assertEqual(bucket, f"sagemaker-us-east-1-{ACCOUNT}")
        uri = session.upload_string_as_file_body("text", bucket, "some/key")
        self.assertEqual(session.read_s3_file(bucket, "some/key"), "text", uri)
        self.assertEqual(get_execution_role(session), f"arn:aws:iam::{ACCOUNT}:role/sidestep")
        self.assertEqual(session.account_id(), ACCOUNT)

    def test_events_are_kept_and_none_are_forged_as_those_of_aws(self):
        events = client("events")
        entry = {"Source": "team.app", "DetailType": "done", "Detail": json.dumps({"a": 1})}
        answer = events.put_events(Entries=[
            entry, {**entry, "Source": "aws.sagemaker"}, {**entry, "Detail": "no JSON"}, {**entry, "Detail": "[]"}])
        codes = [line.get("ErrorCode") for line in answer["Entries"]]
        self.assertEqual(codes, [None, "NotAuthorizedForSourceException", "MalformedDetail", "MalformedDetail"])
        self.assertEqual(answer["FailedEntryCount"], 3)
        with open(".sidestep/put-events.jsonl") as kept:
            found = [json.loads(line) for line in kept]
        self.assertEqual([line["id"] for line in found if line["source"] == "team.app"], [answer["Entries"][0]["EventId"]])
        self.refused("ValidationException", events.put_events, Entries=[entry] * 11)

    def test_logs_of_a_function_are_read_as_from_cloudwatch(self):
        functions, logs, group = client("lambda"), client("logs"), "/aws/lambda/work"
        invoked = functions.invoke(FunctionName="work", Payload=b'{"Value": "x"}')
        request_id = invoked["ResponseMetadata"]["RequestId"]
        names = [found["logGroupName"] for found in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]]
        self.assertEqual(names, [group])
        newest = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"][0]
        self.assertIn(request_id.replace("-", ""), newest["logStreamName"])
        stream = {"logGroupName": group, "logStreamName": newest["logStreamName"]}
        whole = logs.get_log_events(**stream, startFromHead=True)
        messages = [event["message"] for event in whole["events"]]
        self.assertIn(f"START RequestId: {request_id}", messages[0])
        self.assertTrue(messages[-1].startswith(f"REPORT RequestId: {request_id}"), messages)
        again = logs.get_log_events(**stream, nextToken=whole["nextForwardToken"])
        self.assertEqual((again["events"], again["nextForwardToken"]), ([], whole["nextForwardToken"]))
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=f'"{request_id}" -REPORT', PaginationConfig={"PageSize": 1})
        found = [event["message"] for page in pages for event in page["events"]]
        self.assertEqual(found, [message for message in messages if request_id in message and "REPORT" not in message])
        missing = {"logGroupName": "/aws/lambda/never", "logStreamName": "s"}
        self.refused("ResourceNotFoundException", logs.get_log_events, **missing)
        self.refused("ResourceNotFoundException", logs.get_log_events, logGroupName=group, logStreamName="s")

    def test_a_shell_gets_all_variables_and_loses_those_of_other_places(self):
        stale = {**os.environ, "AWS_ENDPOINT_URL_S3": "http://stale", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "p"}
        for shell in ["sh", "bash", "zsh"]:
            if subprocess.run(["which", shell], capture_output=True).returncode:
                continue
            script = f'eval "$({os.environ["SIDESTEP"]} env)" && env'
            printed = subprocess.run([shell, "-c", script], env=stale, capture_output=True, text=True, check=True)
            found = dict(line.split("=", 1) for line in printed.stdout.splitlines() if "=" in line)
            for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "SAGEMAKER_USER_CONFIG_OVERRIDE", "AWS_DATA_PATH"]:
                self.assertEqual(found[name], os.environ[name])
            for name in ["AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE"]:
                self.assertNotIn(name, found)

    def test_the_address_says_that_it_is_there(self):
        with urllib.request.urlopen(f"{ADDRESS}/_localstack/health") as answer:
            self.assertEqual(json.loads(answer.read())["services"]["s3"], "running")


if __name__ == "__main__":
    main()
