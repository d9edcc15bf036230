"""What a step writes: content under a checked name below the attempt's `OutputPrefix`."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Union

from . import _error
from ._error import StepError
from ._uri import S3Uri

MANIFEST_NAME = "manifest.json"
STARTED_NAME = "started.json"
LEASE = "sidestep-lease-"
ARTIFACTS = 5_000
# The planner's limit for the list of artifacts. Each takes its name and 52 bytes.
ARTIFACT_LIST_BYTES = 350_000
# The largest object that one request to S3 can write. Lambda's /tmp is smaller by default.
BYTES = 5 * 1024**3

Content = Union[bytes, str, "os.PathLike[str]", BinaryIO]


@dataclass(frozen=True, order=True)
class Artifact:
    """An object that the step wrote. `sha256` has 64 hexadecimal digits."""

    uri: S3Uri
    bytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Returns the artifact as the manifest lists it."""
        return {"Uri": str(self.uri), "Bytes": self.bytes, "Sha256": self.sha256}


class Artifacts:
    """The artifacts of one attempt by name; `None` while an artifact is being written."""

    def __init__(self) -> None:
        self._by_name: dict[str, Artifact | None] = {}

    def reserve(self, name: str) -> None:
        """Reserves a name for writing. Each name can be reserved once."""
        why = _problem_of(name)
        if why is not None:
            raise StepError(_error.ARTIFACT, f"`{name}` cannot name an artifact: {why}")
        if name in self._by_name:
            raise StepError(_error.ARTIFACT, f"artifact `{name}` was written before in this attempt")
        if len(self._by_name) == ARTIFACTS:
            raise StepError(_error.ARTIFACT, f"more than {ARTIFACTS} artifacts")
        taken = sum(len(other.encode()) + 52 for other in [*self._by_name, name])
        if taken > ARTIFACT_LIST_BYTES:
            message = (
                f"the list of artifacts takes {taken} bytes, over the limit of {ARTIFACT_LIST_BYTES}: "
                "write fewer artifacts, or give them shorter names"
            )
            raise StepError(_error.ARTIFACT, message)
        self._by_name[name] = None

    def settle(self, name: str, written: Artifact | None) -> None:
        """Records how the writing of a reserved name ended.

        After a failure the name is free again.
        """
        if written is None:
            del self._by_name[name]
        else:
            self._by_name[name] = written

    def written(self) -> list[Artifact]:
        """Returns what was written, in order of URI."""
        return sorted(artifact for artifact in self._by_name.values() if artifact is not None)


def _problem_of(name: str) -> str | None:
    """Returns why `name` is not a relative path of plain names, or `None` if it is one.

    Such a path stays below the prefix in every tool that turns keys into files.
    """
    if name in (MANIFEST_NAME, STARTED_NAME) or name.startswith(LEASE):
        return "the name is taken by the step's own report"
    if len(name.encode()) > 512:
        return "it is over 512 bytes"
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\\" for c in name):
        return "it has a control character or a backslash"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "it is not a relative path of plain names"
    return None


@contextmanager
def opened(content: Content) -> Iterator[BinaryIO]:
    """Opens the content as a file that can be read twice: for its digest, and to send it."""
    if isinstance(content, str):
        yield io.BytesIO(content.encode())
    elif isinstance(content, bytes):
        yield io.BytesIO(content)
    elif isinstance(content, os.PathLike):
        with open(content, "rb") as file:
            yield file
    else:
        yield content


def measure(file: BinaryIO) -> tuple[int, bytes]:
    """Returns the size and SHA-256 of the rest of the file, and goes back to where it was."""
    begin, size, digest = file.tell(), 0, hashlib.sha256()
    while piece := file.read(1024 * 1024):
        size += len(piece)
        digest.update(piece)
    file.seek(begin)
    return size, digest.digest()


def json_text(value: Any) -> str:
    """Returns `value` as indented JSON with sorted keys and a final newline.

    Equal values give equal bytes, and so equal digests.
    """
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
