"""Turns an event into the function's answer: everything around a handler.

    event -> split -> arguments -> handler -> outputs -> manifest -> answer
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import inspect
import json
import math
import os
import sys
import time
import typing
from collections.abc import Callable, Iterable
from typing import Any

from . import _error, _lease, _typed
from ._artifact import MANIFEST_NAME
from ._context import Invocation, StepContext
from ._error import StepError, named
from ._store import Store
from ._uri import S3Uri

RESERVED_KEY = "Sidestep"
OUTPUT_BYTES = 1_000_000
OUTPUT_DEPTH = 100
MANIFEST_BYTES = 4_194_304
VERSION = 2

Handler = Callable[[Any, StepContext], Any]


def step(handler: Handler) -> Callable[[Any, Any], dict[str, Any]]:
    """Makes a Lambda handler of a function that takes arguments and a `StepContext`.

    The annotation of the first parameter decides what the arguments become: an instance of a
    dataclass, or the plain `dict`. A failure is raised, and Lambda reports it.
    """
    store = Store()
    takes = _takes(handler)

    @functools.wraps(handler)
    def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
        try:
            return answer(handler, takes, store, event, context)
        except StepError as error:
            raise named(error) from error

    return lambda_handler


def _takes(handler: Handler) -> Any:
    """Returns the annotation of the handler's first parameter."""
    parameters = list(inspect.signature(handler).parameters)
    if len(parameters) != 2:
        raise TypeError(f"`{handler.__name__}` takes {len(parameters)} parameters, not arguments and a context")
    return typing.get_type_hints(handler).get(parameters[0], Any)


def answer(handler: Handler, takes: Any, store: Store, event: Any, context: Any) -> dict[str, Any]:
    """Runs the handler on one event and returns the function's answer."""
    invocation, rest = _split(event)
    arguments = _typed.read(takes, rest)
    ctx = _context(invocation, context, store)
    if invocation is not None and invocation.exactly_once_start and not _lease.begins(store, invocation.output_prefix):
        why = "this attempt has begun before, or was given up"
        print(f"retiring: {why}", file=sys.stderr, flush=True)
        return _answer(invocation, {}, {"Discarded": why})
    renewal = _lease.Renewal(store, invocation.output_prefix) if invocation is not None else contextlib.nullcontext()
    began, started_at_ms = time.monotonic(), time.time_ns() // 1_000_000
    try:
        with renewal:
            outputs = _checked(_typed.outputs(handler(arguments, ctx)))
    except StepError as error:
        # Lambda delivered this invocation twice. The other run has come further, so it will report.
        if invocation is None or error.error_type != _error.ARTIFACT_CONFLICT:
            raise
        print(f"retiring in favour of another run of this attempt: {error}", file=sys.stderr, flush=True)
        return _answer(invocation, {}, {"Discarded": str(error)})
    if invocation is None:
        return outputs
    content = {
        "Version": VERSION,
        # As the planner reads it: a key `1` is a text, and of two equal keys the last one counts.
        "Outputs": json.loads(json.dumps(outputs)),
        "Artifacts": [artifact.to_json() for artifact in ctx.written()],
        "StartedAtMs": started_at_ms,
        "DurationMs": int((time.monotonic() - began) * 1000),
    }
    return _publish(store, invocation, {**content, "Proof": _proof(invocation.token, content)})


def _split(event: Any) -> tuple[Invocation | None, Any]:
    """Takes the reserved key out of the event; `None` if a user invokes the function by hand."""
    if not isinstance(event, dict) or RESERVED_KEY not in event:
        return None, event
    rest = {key: value for key, value in event.items() if key != RESERVED_KEY}
    return Invocation.parse(event[RESERVED_KEY]), rest


def _context(invocation: Invocation | None, context: Any, store: Store) -> StepContext:
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 900_000)()
    deadline_ms = time.time_ns() // 1_000_000 + int(remaining)
    if invocation is not None:
        deadline_ms = min(deadline_ms, invocation.deadline_ms)
        return StepContext(invocation, invocation.output_prefix, deadline_ms, store)
    prefix = os.environ.get("SIDESTEP_OUTPUT_PREFIX")
    # One folder per request: artifacts are create-only, and a user by hand tries again and again.
    request = getattr(context, "aws_request_id", "by-hand")
    below = S3Uri(f"{prefix.rstrip('/')}/{request}/") if prefix else None
    return StepContext(None, below, deadline_ms, store)


def _checked(outputs: dict[str, Any]) -> dict[str, Any]:
    """Checks the outputs against what a manifest may hold."""
    if RESERVED_KEY in outputs:
        message = f"`{RESERVED_KEY}` is a reserved key and cannot be an output"
        raise StepError(_error.OUTPUT_NOT_OBJECT, message)
    place = _not_a_number(outputs)
    if place is not None:
        page = "docs/errors/Sidestep.OutputNotObject.md"
        raise StepError(_error.OUTPUT_NOT_OBJECT, f"output {place}, which JSON cannot hold; see {page}")
    try:
        size = len(json.dumps(outputs, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        raise StepError(_error.OUTPUT_NOT_OBJECT, f"the handler's outputs cannot be written as JSON: {error}") from error
    if size > OUTPUT_BYTES:
        message = f"the outputs have {size} bytes, over the limit of {OUTPUT_BYTES}: write an artifact"
        raise StepError(_error.OUTPUT_TOO_LARGE, message)
    if not _is_within(outputs, OUTPUT_DEPTH):
        raise StepError(_error.OUTPUT_TOO_DEEP, f"the outputs are nested deeper than {OUTPUT_DEPTH} levels")
    return outputs


def _not_a_number(value: Any, path: str = "") -> str | None:
    """Returns the path of the first number that JSON does not have, and its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"`{path}` is {'NaN' if math.isnan(value) else 'Infinity'}"
    members: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        members = ((f"{path}.{name}" if path else f"{name}", member) for name, member in value.items())
    elif isinstance(value, (list, tuple)):
        members = ((f"{path}[{at}]", item) for at, item in enumerate(value))
    return next((found for name, member in members if (found := _not_a_number(member, name))), None)


def _is_within(value: Any, levels: int) -> bool:
    """Returns true if `value` is nested at most `levels` deep."""
    if isinstance(value, dict):
        return levels > 0 and all(_is_within(member, levels - 1) for member in value.values())
    if isinstance(value, (list, tuple)):
        return levels > 0 and all(_is_within(item, levels - 1) for item in value)
    return True


def _proof(token: str, content: dict[str, Any]) -> str:
    """Returns the code over a manifest's content under the attempt's token.

    The token itself must not lie in an object: every reader of it could report in this attempt's
    name.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return hmac.new(token.encode(), f"manifest/{sha256}".encode(), hashlib.sha256).hexdigest()


def _is_by(token: str, manifest: Any) -> bool:
    """Returns true if the attempt that has this token wrote the manifest."""
    if not isinstance(manifest, dict):
        return False
    content = {name: value for name, value in manifest.items() if name != "Proof"}
    return hmac.compare_digest(str(manifest.get("Proof")), _proof(token, content))


def _publish(store: Store, invocation: Invocation, manifest: dict[str, Any]) -> dict[str, Any]:
    """Writes the manifest and returns the function's answer.

    If the same attempt has reported before, the first report stands and its outputs are the answer.
    """
    uri = invocation.output_prefix.join(MANIFEST_NAME)
    text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) > MANIFEST_BYTES:
        message = f"the manifest has {len(text)} bytes, over the limit of {MANIFEST_BYTES}"
        raise StepError(_error.OUTPUT_TOO_LARGE, message)
    try:
        if store.create(uri, text):
            return _answer(invocation, manifest["Outputs"])
        first = json.loads(store.open(uri).read())
    except (StepError, ValueError) as error:
        raise StepError(_error.REPORT, str(error)) from error
    if not _is_by(invocation.token, first):
        raise StepError(_error.REPORT, f"`{uri}` exists and is not from this attempt")
    return _answer(invocation, first["Outputs"])


def _answer(invocation: Invocation, outputs: dict[str, Any], more: dict[str, str] | None = None) -> dict[str, Any]:
    """Returns the function's answer: the outputs, and the name of the manifest.

    The name keeps the planner from counting the answer as a second report.
    """
    manifest = str(invocation.output_prefix.join(MANIFEST_NAME))
    return {**outputs, RESERVED_KEY: {"Manifest": manifest, **(more or {})}}
