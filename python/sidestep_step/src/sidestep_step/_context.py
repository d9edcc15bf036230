"""The attempt as its handler sees it: time left, downloads, artifacts and progress."""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from . import _error, _progress
from ._artifact import Artifact, Artifacts, Content, json_text, opened
from ._error import StepError
from ._store import Store
from ._uri import S3Uri


@dataclass(frozen=True)
class Invocation:
    """The reserved key of the event: which attempt of which step this is."""

    execution_id: str
    pipeline_name: str
    step_name: str
    attempt_count: int
    output_prefix: S3Uri
    # Proves a report. It is not for logs, so no text of this object shows it.
    token: str = field(repr=False)
    deadline_ms: int
    exactly_once_start: bool = False

    @staticmethod
    def parse(value: Any) -> Invocation:
        """Reads the key's value. An error names the field that does not fit."""
        texts = ("ExecutionId", "PipelineName", "StepName", "OutputPrefix", "Token")
        numbers = ("AttemptCount", "DeadlineMs")
        if not isinstance(value, Mapping):
            raise StepError(_error.INVOCATION, "`Sidestep`: expected an object")
        for names, kind, said in ((texts, str, "text"), (numbers, int, "a whole number")):
            for name in names:
                if name not in value:
                    raise StepError(_error.INVOCATION, f"`Sidestep`: missing field `{name}`")
                if not isinstance(value[name], kind) or isinstance(value[name], bool):
                    raise StepError(_error.INVOCATION, f"`Sidestep.{name}`: expected {said}")
        try:
            prefix = S3Uri(value["OutputPrefix"])
        except ValueError as error:
            raise StepError(_error.INVOCATION, f"`Sidestep.OutputPrefix`: {error}") from error
        return Invocation(
            value["ExecutionId"],
            value["PipelineName"],
            value["StepName"],
            value["AttemptCount"],
            prefix,
            value["Token"],
            value["DeadlineMs"],
            value.get("ExactlyOnceStart") is True,
        )


class _Raw(io.RawIOBase):
    """Makes boto3's body a file of Python, with lines: boto3 itself iterates over chunks."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class Download:
    """An object that has been opened. Read it once, in one of the ways below."""

    def __init__(self, uri: S3Uri, body: Any) -> None:
        self.uri = uri
        self._body = body

    def bytes(self) -> bytes:
        """Reads the whole content into memory."""
        content: bytes = self._body.read()
        return content

    def text(self) -> str:
        """Reads the whole content as UTF-8 text."""
        return self.bytes().decode()

    def reader(self) -> BinaryIO:
        """Returns the content as a file that is read once, as it arrives: by size or by line."""
        return io.BufferedReader(_Raw(self._body))

    def file(self) -> Path:
        """Writes the content to a temporary file and returns its path.

        The file stays until the environment ends, so a handler should remove a large one.
        """
        handle, name = tempfile.mkstemp()
        with os.fdopen(handle, "wb") as file:
            while piece := self._body.read(1024 * 1024):
                file.write(piece)
        return Path(name)


class StepContext:
    """One attempt of a step, as its handler sees it."""

    def __init__(
        self,
        invocation: Invocation | None,
        output_prefix: S3Uri | None,
        deadline_ms: int,
        store: Store,
    ) -> None:
        self._invocation = invocation
        self._output_prefix = output_prefix
        self._deadline = time.monotonic() + max(0.0, deadline_ms / 1000 - time.time())
        self._store = store
        self._throttle = _progress.Throttle()
        self._artifacts = Artifacts()

    @property
    def execution_id(self) -> str | None:
        """The execution, or `None` if a user invoked the function by hand."""
        return self._invocation.execution_id if self._invocation else None

    @property
    def step_name(self) -> str | None:
        """The step's name in the pipeline, or `None` if a user invoked the function by hand."""
        return self._invocation.step_name if self._invocation else None

    @property
    def attempt_count(self) -> int:
        """The number of this attempt, from 1."""
        return self._invocation.attempt_count if self._invocation else 1

    @property
    def output_prefix(self) -> S3Uri:
        """The prefix below which this attempt may write. Most steps only need `put_artifact`.

        If a user invokes the function by hand, there is a prefix only if `SIDESTEP_OUTPUT_PREFIX`
        is set.
        """
        if self._output_prefix is None:
            raise StepError(
                _error.NO_OUTPUT_PREFIX,
                "invoked without a pipeline there is nowhere to write: set SIDESTEP_OUTPUT_PREFIX to an s3:// prefix",
            )
        return self._output_prefix

    def remaining(self) -> float:
        """Returns the seconds until Lambda ends the attempt."""
        return max(0.0, self._deadline - time.monotonic())

    def download(self, uri: str) -> Download:
        """Opens an object for reading.

        Fails with `Sidestep.InputNotFound` if it does not exist.
        """
        parsed = S3Uri(uri)
        return Download(parsed, self._store.open(parsed))

    def put_artifact(self, name: str, content: Content) -> Artifact:
        """Writes an artifact below the output prefix and returns its URI, size and SHA-256.

        `content` is text, bytes, a path, or an open file that can be read twice. `name` is a
        relative path of plain names, used once per attempt. The artifact becomes part of the step's
        result when the handler returns; artifacts of an attempt that fails do not count.
        """
        uri = self.output_prefix.join(name)
        self._artifacts.reserve(name)
        written = None
        try:
            with opened(content) as file:
                written = self._store.upload(uri, file)
        finally:
            self._artifacts.settle(name, written)
        return written

    def put_json(self, name: str, value: Any) -> Artifact:
        """Writes `value` as indented JSON with sorted keys: equal values give equal bytes."""
        return self.put_artifact(name, json_text(value))

    def progress(self, fraction: float | None = None, message: str | None = None) -> None:
        """Reports how far the step has come: a fraction from 0 to 1, a message, or both.

        Cheap enough for a loop: at most four reports a second are passed on, and always the end
        (1.0).
        """
        if self._throttle.admits(fraction):
            _progress.report(fraction, message)

    def written(self) -> list[Artifact]:
        """Returns the artifacts so far, in order of URI."""
        return self._artifacts.written()

    def __repr__(self) -> str:
        # Leaves the token out: a handler may log its context.
        return f"StepContext({self.execution_id}, {self.step_name}, attempt {self.attempt_count})"
