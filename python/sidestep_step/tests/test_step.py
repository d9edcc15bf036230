"""Tests of the package against S3 in memory: what a handler and its Lambda see."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import io
import json
import os
import pathlib
import tempfile
import time
import unittest
from typing import Any, Optional
from unittest import mock

from sidestep_step import S3Uri, StepContext, StepError, step
from sidestep_step._artifact import Artifacts
from sidestep_step._handler import _is_by, _proof, answer
from sidestep_step._lease import Renewal
from sidestep_step._progress import Throttle, line
from sidestep_step._store import Store
from sidestep_step._typed import key_of, read

PREFIX = "s3://bucket/runs/words/abcdefghijkl/Upper/1/"


class Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class S3:
    """The three calls that a step makes, with S3's conditions and checksums."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}

    def put_object(self, Bucket, Key, Body, ChecksumSHA256, IfNoneMatch, ContentType="", Metadata=None):
        content = Body if isinstance(Body, bytes) else Body.read()
        assert base64.b64decode(ChecksumSHA256) == hashlib.sha256(content).digest(), "checksum"
        assert IfNoneMatch == "*", "create-only"
        name = f"s3://{Bucket}/{Key}"
        if name in self.objects:
            raise Refused("PreconditionFailed")
        self.objects[name] = content
        self.types[name] = ContentType

    def get_object(self, Bucket, Key):
        name = f"s3://{Bucket}/{Key}"
        if name not in self.objects:
            raise Refused("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[name])}

    def head_object(self, Bucket, Key, ChecksumMode):
        assert ChecksumMode == "ENABLED"
        digest = hashlib.sha256(self.objects[f"s3://{Bucket}/{Key}"]).digest()
        return {"ChecksumSHA256": base64.b64encode(digest).decode()}


class Lambda:
    aws_request_id = "id-1"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def invocation(token: str = "secret") -> dict[str, Any]:
    return {
        "ExecutionId": "abcdefghijkl",
        "PipelineName": "words",
        "StepName": "Upper",
        "AttemptCount": 1,
        "OutputPrefix": PREFIX,
        "Token": token,
        "DeadlineMs": int(time.time() * 1000) + 30_000,
    }


@dataclasses.dataclass
class Arguments:
    text: S3Uri
    max_words: int = 3
    rates: Optional[list[float]] = None


@dataclasses.dataclass
class Outputs:
    words: int
    upper: S3Uri


def upper(arguments: Arguments, ctx: StepContext) -> Outputs:
    text = ctx.download(arguments.text).text()
    artifact = ctx.put_artifact("upper.txt", text.upper())
    return Outputs(words=len(text.split()), upper=artifact.uri)


class Whole(unittest.TestCase):
    def setUp(self) -> None:
        self.s3 = S3()
        self.s3.objects["s3://inbox/a.txt"] = b"two words"

    def run_step(self, handler=upper, takes=Arguments, event=None):
        event = {"Text": "s3://inbox/a.txt", "Sidestep": invocation()} if event is None else event
        return answer(handler, takes, Store(self.s3), event, Lambda())

    def test_a_step_writes_its_artifact_and_then_the_manifest_that_is_its_report(self):
        answered = self.run_step()
        self.assertEqual(answered, {"Words": 2, "Upper": PREFIX + "upper.txt", "Sidestep": {"Manifest": PREFIX + "manifest.json"}})
        manifest = json.loads(self.s3.objects[PREFIX + "manifest.json"])
        self.assertEqual(list(self.s3.objects)[-1], PREFIX + "manifest.json")
        self.assertEqual(self.s3.types[PREFIX + "manifest.json"], "application/json")
        self.assertGreater(manifest.pop("StartedAtMs"), 1_700_000_000_000)
        self.assertGreaterEqual(manifest.pop("DurationMs"), 0)
        digest = hashlib.sha256(b"TWO WORDS").hexdigest()
        artifact = {"Uri": PREFIX + "upper.txt", "Bytes": 9, "Sha256": digest}
        outputs = {"Words": 2, "Upper": PREFIX + "upper.txt"}
        self.assertNotIn("secret", self.s3.objects[PREFIX + "manifest.json"].decode())
        self.assertRegex(manifest.pop("Proof"), "^[0-9a-f]{64}$")
        self.assertEqual(manifest, {"Version": 2, "Outputs": outputs, "Artifacts": [artifact]})

    def test_the_proof_is_over_all_that_the_manifest_says(self):
        self.run_step(lambda a, c: {1: [1e16, -0.0, {"é": "\u0001"}], "A": 12345678901234567890}, dict)
        manifest = json.loads(self.s3.objects[PREFIX + "manifest.json"])
        self.assertTrue(_is_by("secret", manifest))
        self.assertFalse(_is_by("other", manifest))
        for name, value in (("Outputs", {}), ("Artifacts", [1]), ("DurationMs", -1), ("Proof", "x"), ("More", 1)):
            self.assertFalse(_is_by("secret", {**manifest, name: value}), name)
        # Rust's test `a_proof_made_elsewhere_fits_however_the_json_is_spelt` proves the same way.
        sha256 = hashlib.sha256(b'{"A":1e+16,"B":"\xc3\xa9"}').hexdigest()
        expected = hmac.new(b"t", b"manifest/" + sha256.encode(), hashlib.sha256).hexdigest()
        self.assertEqual(_proof("t", {"B": "é", "A": 1e16}), expected)

    def test_a_second_run_of_an_attempt_answers_with_the_first_report(self):
        count = iter([1, 2])
        counting = lambda arguments, ctx: {"Count": next(count)}
        event = {"Sidestep": invocation()}
        self.assertEqual(self.run_step(counting, dict, event)["Count"], 1)
        self.assertEqual(self.run_step(counting, dict, event)["Count"], 1)

    def test_a_run_that_finds_other_content_leaves_the_report_to_the_other(self):
        self.s3.objects[PREFIX + "upper.txt"] = b"other"
        with contextlib.redirect_stderr(io.StringIO()) as said:
            answered = self.run_step()
        self.assertIn("Discarded", answered["Sidestep"])
        self.assertNotIn(PREFIX + "manifest.json", self.s3.objects)
        self.assertIn("retiring", said.getvalue())

    def test_a_run_that_finds_its_own_content_goes_on(self):
        self.s3.objects[PREFIX + "upper.txt"] = b"TWO WORDS"
        self.assertEqual(self.run_step()["Words"], 2)
        self.assertIn(PREFIX + "manifest.json", self.s3.objects)

    def test_a_manifest_of_another_attempt_fails_the_report(self):
        self.s3.objects[PREFIX + "manifest.json"] = b'{"Token": "other", "Outputs": {}}'
        self.fails("Sidestep.Report", upper)

    def test_by_hand_there_is_no_report_and_artifacts_need_a_place(self):
        event = {"Text": "s3://inbox/a.txt"}
        with mock.patch.dict(os.environ):
            os.environ.pop("SIDESTEP_OUTPUT_PREFIX", None)
            self.fails("Sidestep.NoOutputPrefix", upper, event)
        with mock.patch.dict(os.environ, {"SIDESTEP_OUTPUT_PREFIX": "s3://bucket/tries"}):
            self.assertEqual(self.run_step(event=event)["Upper"], "s3://bucket/tries/id-1/upper.txt")
        self.assertNotIn("s3://bucket/tries/id-1/manifest.json", self.s3.objects)

    def test_wrong_outputs_fail_with_a_type(self):
        event = {"Sidestep": invocation()}
        for returned in ([1], {"Sidestep": 1}, {"A": float("nan")}, {"A": object()}):
            self.fails("Sidestep.OutputNotObject", lambda a, c: returned, event, dict)
        nan = {"Rows": [{"Mean": float("nan")}]}
        with self.assertRaisesRegex(Exception, r"`Rows\[0\].Mean` is NaN"):
            self.run_step(lambda a, c: nan, dict, event)
        self.fails("Sidestep.OutputTooLarge", lambda a, c: {"A": "x" * 1_000_001}, event, dict)
        self.assertEqual(self.run_step(lambda a, c: None, dict, event)["Sidestep"]["Manifest"], PREFIX + "manifest.json")

    def test_what_is_not_there_and_what_is_malformed_is_named(self):
        event = {"Text": "s3://inbox/b.txt", "Sidestep": invocation()}
        self.assertIn("s3://inbox/b.txt", str(self.fails("Sidestep.InputNotFound", upper, event)))
        broken = {"Text": "s3://inbox/a.txt", "Sidestep": {**invocation(), "AttemptCount": "1"}}
        self.assertIn("Sidestep.AttemptCount", str(self.fails("Sidestep.Invocation", upper, broken)))

    def test_lambda_sees_the_errors_type_as_the_name_of_its_class(self):
        @step
        def failing(arguments: dict, ctx: StepContext) -> dict:
            raise StepError("Upper.NoText", "empty")

        with self.assertRaises(StepError) as raised:
            failing({}, Lambda())
        self.assertEqual((type(raised.exception).__name__, str(raised.exception)), ("Upper.NoText", "empty"))
        with self.assertRaises(TypeError):
            step(lambda event: {})

    def test_a_file_is_an_artifact_by_its_path(self):
        def copy(arguments: dict, ctx: StepContext) -> dict:
            file = ctx.download("s3://inbox/a.txt").file()
            try:
                return {"A": ctx.put_artifact("a/b.txt", file).sha256, "J": ctx.put_json("j", {"b": 1, "a": 2}).bytes}
            finally:
                file.unlink()

        answered = self.run_step(copy, dict, {"Sidestep": invocation()})
        self.assertEqual(answered["A"], hashlib.sha256(b"two words").hexdigest())
        self.assertEqual(self.s3.objects[PREFIX + "j"], b'{\n  "a": 2,\n  "b": 1\n}\n')

    def test_a_download_can_be_read_by_line(self):
        self.s3.objects["s3://inbox/a.txt"] = b"one\ntwo\nthree"
        count = lambda arguments, ctx: {"Lines": list(map(bytes.decode, ctx.download("s3://inbox/a.txt").reader()))}
        answered = self.run_step(count, dict, {"Sidestep": invocation()})
        self.assertEqual(answered["Lines"], ["one\n", "two\n", "three"])

    def test_the_context_does_not_print_its_token(self):
        seen = []
        self.run_step(lambda a, ctx: seen.append((repr(ctx), ctx.remaining(), ctx.step_name)), dict, {"Sidestep": invocation()})
        said, remaining, name = seen[0]
        self.assertNotIn("secret", said)
        self.assertTrue(0 < remaining <= 30, remaining)
        self.assertEqual(name, "Upper")

    def fails(self, error_type, handler, event=None, takes=Arguments):
        with self.assertRaises(StepError) as raised:
            self.run_step(handler, takes, event)
        self.assertEqual(raised.exception.error_type, error_type)
        return raised.exception


class Parts(unittest.TestCase):
    def test_arguments_that_do_not_fit_are_named_by_path(self):
        cases = [
            ({}, "`Arguments`: missing field `Text`"),
            ({"Text": 1}, "`Arguments.Text`: expected text, not `1`"),
            ({"Text": "inbox"}, "`Arguments.Text`: `inbox` is not an S3 URI: expected s3://BUCKET/KEY"),
            ({"Text": "s3://a/b", "MaxWords": True}, "`Arguments.MaxWords`: expected a whole number, not `True`"),
            ({"Text": "s3://a/b", "Rates": [0.1, "x"]}, "`Arguments.Rates[1]`: expected a number, not `x`"),
            ({"Text": "s3://a/b", "Rate": 1}, "`Arguments.Rate`: unknown field"),
            (None, "`Arguments`: expected an object, not null"),
        ]
        for event, expected in cases:
            with self.assertRaises(StepError) as raised:
                read(Arguments, event)
            self.assertEqual((raised.exception.error_type, str(raised.exception)), ("Sidestep.Arguments", expected))
        found = read(Arguments, {"Text": "s3://a/b/c", "Rates": [1, 2.5]})
        self.assertEqual((found.text.bucket, found.text.key, found.max_words, found.rates), ("a", "b/c", 3, [1, 2.5]))
        self.assertEqual([key_of(name) for name in ("text", "max_words", "x")], ["Text", "MaxWords", "X"])

    def test_an_artifacts_name_stays_below_the_prefix_and_is_used_once(self):
        for name in ["model.bin", "by day/2013-01.csv", "ü", "..x", "a.b/..c", "sub/manifest.json"]:
            Artifacts().reserve(name)
        for name in ["", "/x", "x/", "a//b", ".", "a/..", "../x", "a\\b", "a\nb", "manifest.json", "x" * 513]:
            with self.assertRaises(StepError, msg=name):
                Artifacts().reserve(name)
        artifacts = Artifacts()
        artifacts.reserve("a")
        with self.assertRaises(StepError):
            artifacts.reserve("a")
        artifacts.settle("a", None)
        artifacts.reserve("a")

    def test_the_line_of_progress_has_a_fixed_shape(self):
        self.assertEqual(line(0.4, None), '{"Sidestep":{"Progress":{"Fraction":0.4}}}')
        self.assertEqual(line(7, 'all "done"\n'), '{"Sidestep":{"Progress":{"Fraction":1.0,"Message":"all \\"done\\"\\n"}}}')
        self.assertEqual(line(float("nan"), None), '{"Sidestep":{"Progress":{}}}')

    def test_a_loop_may_report_every_row(self):
        times = iter([0.0, 0.24, 0.25, 0.49, 0.49])
        throttle = Throttle(lambda: next(times))
        admitted = [throttle.admits(fraction) for fraction in (0.0, 0.1, 0.2, 0.3, 1.0)]
        self.assertEqual(admitted, [True, False, True, False, True])

    def test_what_numpy_counts_is_a_plain_number(self):
        class Number:
            def item(self):
                return 0.5

        self.assertEqual(answer(lambda a, c: {"Score": Number()}, dict, Store(S3()), {}, Lambda()), {"Score": 0.5})

    def test_a_path_that_is_not_there_is_an_error_and_frees_the_name(self):
        ctx = StepContext(None, S3Uri("s3://bucket/x/"), 0, Store(S3()))
        with self.assertRaises(FileNotFoundError):
            ctx.put_artifact("a", pathlib.Path(tempfile.gettempdir()) / "not-there-at-all")
        self.assertEqual(ctx.put_artifact("a", b"x").bytes, 1)


class Leases(unittest.TestCase):
    def test_work_that_takes_long_renews_its_lease(self) -> None:
        s3 = S3()
        with Renewal(Store(s3), S3Uri(PREFIX), first_s=0.01, every_s=0.01):
            deadline = time.monotonic() + 60
            while len(s3.objects) < 2 and time.monotonic() < deadline:
                time.sleep(0.005)
        names = sorted(s3.objects)
        self.assertGreaterEqual(len(names), 2)
        until = int(names[0].removeprefix(PREFIX + "sidestep-lease-"))
        self.assertGreater(until, time.time_ns() // 1_000_000 + 100_000)

    def test_of_many_runs_of_an_attempt_one_begins(self) -> None:
        s3, runs = S3(), []

        def handler(arguments: dict, ctx: StepContext) -> dict:
            runs.append(ctx)
            return {"Runs": len(runs)}

        event = {"Sidestep": {**invocation(), "ExactlyOnceStart": True}}
        first = answer(handler, Any, Store(s3), event, Lambda)
        again = answer(handler, Any, Store(s3), event, Lambda)
        self.assertEqual((first["Runs"], len(runs)), (1, 1))
        self.assertNotIn("Runs", again)
        self.assertIn("begun", again["Sidestep"]["Discarded"])


if __name__ == "__main__":
    unittest.main()
