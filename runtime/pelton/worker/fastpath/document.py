"""Body bytes to the JSON document that MLflow's ``json.loads`` would make of them.

orjson is a stricter reader: what it refuses (NaN tokens, lone surrogates, a byte order mark,
numbers out of range, invalid UTF-8) is left to the oracle. What it accepts it reads alike,
duplicate keys included (the last one wins), with one exception: an integer beyond 64 bits becomes a
float. ``is_certain`` finds those.
"""

from __future__ import annotations

import json
from typing import Any

orjson: Any
try:
    import orjson
except ImportError:  # the model's environment need not have it, and may not be able to
    orjson = None

#: From here on a float may have been an integer literal, so only the oracle knows what it was.
UNCERTAIN = 2.0**63

#: ``json.loads`` gives up on deep nesting, orjson later: stay far away from either.
_MAX_DEPTH = 64


class _Refused(ValueError):
    """A token that is no JSON."""


def _refuse(token: str) -> Any:
    raise _Refused(token)


def parse(body: bytes | bytearray | memoryview) -> Any:
    """Return the document in ``body``.

    Raises:
        ValueError: it is no JSON, or MLflow may read it otherwise.
        RecursionError: it is nested too deeply.
    """
    if orjson is not None:
        return orjson.loads(body)
    return json.loads(bytes(body), parse_constant=_refuse)


def parse_as_mlflow(body: bytes | bytearray | memoryview) -> Any:
    """Return the document in ``body`` by MLflow's own parser, for values handed on as they are.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(bytes(body))


def is_certain(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Return whether ``json.loads`` certainly reads ``value`` alike, at any depth."""
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is int:
        return True
    if kind is float:
        return bool(-UNCERTAIN < value < UNCERTAIN)
    if depth == 0:
        return False
    members = value.values() if kind is dict else value
    return all(is_certain(member, depth - 1) for member in members)
