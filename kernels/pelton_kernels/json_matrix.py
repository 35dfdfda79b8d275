"""The one large array of numbers in a JSON document, straight to NumPy.

Where nearly all of a body is one nested list of numbers, making a Python float of each takes longer
than reading them. simdjson reads them into one buffer; what is not in that list comes as ordinary
Python values. Only documents for which this cannot be told from ``json.loads`` are read at all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

Array: Any
Object: Any
Parser: Any
try:
    from simdjson import Array, Object, Parser
except ImportError:  # the model's environment need not have it
    Array = Object = Parser = None

#: A parser keeps memory for the largest body it has read, once or twice its size: not for these.
_KEPT_BYTES = 8 << 20

#: Integers up to here are exact as doubles.
EXACT = 2.0**53

_MAX_DIMENSIONS = 8


class _Parsers(threading.local):
    """A parser for each thread: its memory, some ten times the body, is costly to get anew."""

    parser: Any = None


def reference(body: bytes, path: Sequence[str]) -> Any:
    """Return the document in ``body`` with the list at ``path`` as an array of doubles.

    The specification of ``read``, for the bodies that it reads.
    """
    document = json.loads(body)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = np.array(holder[path[-1]], dtype=np.float64)
    return document


def read(body: bytes, path: Sequence[str]) -> dict[str, Any] | None:
    """Return the document in ``body`` with the list at ``path`` as an array.

    Args:
        body: a JSON object.
        path: keys from the object down to a list, nested or not, of numbers only.

    Returns:
        The document, its array (float64) in the shape of the lists. ``None`` if it must be read
        otherwise: there is no such list; it is ragged, empty, holds more than numbers or a number
        that may be an integer no double can hold; a key stands twice; anything is escaped.
    """
    if Parser is None or b"\\" in body:
        return None
    try:
        return _read(_parse(body), body, path)
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, UnicodeError):
        return None


_parsers = _Parsers()


def _parse(body: bytes) -> Any:
    if len(body) > _KEPT_BYTES:
        return Parser().parse(body)
    if _parsers.parser is not None:
        try:
            return _parsers.parser.parse(body)
        except RuntimeError:  # an integer out of range; or a part of the last body is still alive
            pass
    _parsers.parser = Parser()
    return _parsers.parser.parse(body)


def _read(target: Any, body: bytes, path: Sequence[str]) -> dict[str, Any] | None:
    document: dict[str, Any] = {}
    holder = document
    for key in path:
        if not isinstance(target, Object):
            return None
        found = list(target.keys())
        if len(set(found)) != len(found) or key not in found:
            return None
        for other in found:
            holder[other] = {} if other == key else _plain(target[other])
        target = target[key]
        if key != path[-1]:
            holder = holder[key]
    if not isinstance(target, Array):
        return None
    # A copy, as the parser is not free for the next body while its buffer lives.
    values = np.array(np.frombuffer(target.as_buffer(of_type="d")))
    shape = _shape(target)
    brackets = 1 + int(sum(np.cumprod(shape[:-1])))
    holder[path[-1]] = None
    # A list where a number belongs would vanish in the buffer, but not from the text.
    text = np.frombuffer(body, dtype=np.uint8)
    if np.count_nonzero(text == ord("[")) != brackets + json.dumps(document).count("["):
        return None
    if values.size != np.prod(shape) or max(-values.min(), values.max()) >= EXACT:
        return None
    holder[path[-1]] = values.reshape(shape)
    return document


def _plain(value: Any) -> Any:
    """Return an element of simdjson's as Python values; ``ValueError`` if a key stands twice."""
    if isinstance(value, Array):
        members = value.as_list()
        if set(map(type, members)).isdisjoint((dict, list)):
            return members
        return [_plain(member) for member in value]
    if isinstance(value, Object):
        keys = list(value.keys())
        if len(set(keys)) != len(keys):
            raise ValueError("a key stands twice")
        return {key: _plain(value[key]) for key in keys}
    return value


def _shape(target: Any) -> list[int]:
    """Return the lengths of nested lists; ``ValueError`` if they are ragged."""
    shape: list[int] = []
    level = [target]
    while isinstance(level[0], Array):
        lengths = set(map(len, level))
        if len(lengths) != 1 or len(shape) == _MAX_DIMENSIONS:
            raise ValueError("ragged")
        shape += lengths
        if not isinstance(level[0][0], Array):
            break
        level = [member for inner in level for member in inner]
    return shape
