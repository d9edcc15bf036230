"""Converts arguments to the type that a handler takes, and its result to outputs.

A dataclass stands for a JSON object: the field `max_depth` is the key `MaxDepth`. Other values are
passed as they are.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from . import _error
from ._error import StepError
from ._uri import S3Uri

SAID = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}


def key_of(field: str) -> str:
    """Returns the key of a field: `MaxDepth` for `max_depth`."""
    return "".join(part[:1].upper() + part[1:] for part in field.split("_"))


def read(kind: Any, value: Any, path: str = "Arguments") -> Any:
    """Converts `value` to `kind`. An error names the value that does not fit by its path."""
    if kind is S3Uri:
        try:
            return S3Uri(read(str, value, path))
        except ValueError as error:
            raise StepError(_error.ARGUMENTS, f"`{path}`: {error}") from error
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_object(kind, value, path)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _read_any(inner, value, path)
    if origin is list:
        read(list, value, path)
        return [read(inner[0], item, f"{path}[{at}]") for at, item in enumerate(value)]
    if origin is dict:
        read(dict, value, path)
        return {key: read(inner[1], item, f"{path}.{key}") for key, item in value.items()}
    if kind not in SAID:
        return value
    # A whole number is a number, too. A bool is neither, although Python counts it as an int.
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise StepError(_error.ARGUMENTS, f"`{path}`: expected {SAID[kind]}, not {_said(value)}")
    return value


def _read_any(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    """Converts `value` to the first of `kinds` that it fits."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        try:
            return read(kind, value, path)
        except StepError:
            continue
    return read(others[-1], value, path)


def _read_object(kind: type, value: Any, path: str) -> Any:
    """Converts an object to the dataclass `kind`."""
    if not isinstance(value, Mapping):
        raise StepError(_error.ARGUMENTS, f"`{path}`: expected an object, not {_said(value)}")
    hints = typing.get_type_hints(kind)
    given, rest = {}, dict(value)
    for field in dataclasses.fields(kind):
        key = key_of(field.name)
        if key in rest:
            given[field.name] = read(hints[field.name], rest.pop(key), f"{path}.{key}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise StepError(_error.ARGUMENTS, f"`{path}`: missing field `{key}`")
    if rest:
        unknown = min(rest)
        raise StepError(_error.ARGUMENTS, f"`{path}.{unknown}`: unknown field")
    return kind(**given)


def outputs(value: Any) -> dict[str, Any]:
    """Converts what a handler returned to outputs. `None` becomes an object without keys."""
    if value is None:
        return {}
    written = _write(value)
    if not isinstance(written, dict):
        message = "the handler's outputs are not a JSON object: return a dict or a dataclass"
        raise StepError(_error.OUTPUT_NOT_OBJECT, message)
    return written


def _write(value: Any) -> Any:
    """Converts dataclasses, tuples and URIs within `value` to plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key_of(field.name): _write(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _write(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_write(item) for item in value]
    # Numbers of numpy, for example, know their plain value.
    if not isinstance(value, (str, int, float, bool, type(None))) and hasattr(value, "item"):
        return value.item()
    return str(value) if isinstance(value, S3Uri) else value


def _said(value: Any) -> str:
    """Returns `value` as an error message quotes it."""
    return "null" if value is None else f"`{str(value)[:40]}`"
