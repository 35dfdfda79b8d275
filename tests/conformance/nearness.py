"""Whether two answers are the same but for the last digits of their floats.

Only for rows of several callers that were predicted together: a matrix product of 40 rows adds up
in another order than one of 2. The unit is that of the answer's largest float, as the digits of a
sum that cancels are noise, and of the precision the model answers in.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

_DOUBLE, _SINGLE = 2.0**-52, 2.0**-23


class _Otherwise(Exception):
    """The answers differ in more than floats."""


def is_near(expected: bytes, answered: bytes, ulp: float) -> bool:
    """Whether the JSON bodies are equal but for floats at most ``ulp`` units apart."""
    try:
        left, right = json.loads(expected), json.loads(answered)
        pairs = list(_floats(left, right))
    except (ValueError, _Otherwise):
        return False
    if json.dumps(right).encode() != answered:  # written as MLflow writes
        return False
    finite = [pair for pair in pairs if all(map(math.isfinite, pair))]
    special = [pair for pair in pairs if not all(map(math.isfinite, pair))]
    if any(repr(a) != repr(b) for a, b in special):
        return False
    scale = max((abs(number) for pair in finite for number in pair), default=0.0)
    unit = _SINGLE if all(map(_is_single, (a for a, _ in finite))) else _DOUBLE
    return all(abs(a - b) <= ulp * unit * scale for a, b in finite)


def _floats(left: Any, right: Any) -> Iterator[tuple[float, float]]:
    if type(left) is not type(right):
        raise _Otherwise
    if isinstance(left, float):
        yield left, right
    elif isinstance(left, dict):
        if list(left) != list(right):
            raise _Otherwise
        for key, member in left.items():
            yield from _floats(member, right[key])
    elif isinstance(left, list):
        if len(left) != len(right):
            raise _Otherwise
        for a, b in zip(left, right, strict=True):
            yield from _floats(a, b)
    elif left != right:
        raise _Otherwise


def _is_single(number: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", number))[0] == number)
    except OverflowError:
        return False
