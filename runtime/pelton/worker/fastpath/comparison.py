"""How far apart two answers are: nothing for anything but floats, units in the last place for them.

A unit is taken at the largest float of the answer, not at each one: where a sum cancels, its last
digits are the summands' noise, whatever order they were added in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

DIFFERENT = math.inf
"""The distance of answers that differ in more than the value of floats."""


def precision(output: Any) -> float:
    """Return the relative size of a unit in the last place of the floats in ``output``."""
    if isinstance(output, (np.ndarray, np.generic)):
        return float(np.finfo(output.dtype).eps) if output.dtype.kind == "f" else 0.0
    if isinstance(output, pd.DataFrame):
        return max(
            (precision(output.iloc[:0, at].to_numpy()) for at in range(output.shape[1])),
            default=0.0,
        )
    if isinstance(output, pd.Series):
        return precision(output.iloc[:0].to_numpy())
    if isinstance(output, dict):
        return max(map(precision, output.values()), default=0.0)
    if isinstance(output, (list, tuple)):
        return max(map(precision, output[:16]), default=0.0)
    return float(np.finfo(np.float64).eps) if isinstance(output, float) else 0.0


def distance(left: bytes, right: bytes, eps: float) -> float:
    """Return how many units in the last place two encoded answers are apart.

    Args:
        left: the one.
        right: the other.
        eps: relative size of a unit, from ``precision``.

    Returns:
        0.0 for equal answers, ``DIFFERENT`` if structure, types, integers, strings or labels
        differ, or which floats are finite.
    """
    if left == right:
        return 0.0
    pairs = list(_pairs(json.loads(left), json.loads(right)))
    gap = scale = 0.0
    for a, b in pairs:
        if type(a) is not float or type(b) is not float:
            return DIFFERENT
        if not (math.isfinite(a) and math.isfinite(b)):
            if repr(a) != repr(b):
                return DIFFERENT
            continue
        gap = max(gap, abs(a - b))
        scale = max(scale, abs(a), abs(b))
    if gap == 0.0:
        return 0.0
    return gap / (scale * eps) if eps else DIFFERENT


def _pairs(left: Any, right: Any) -> Iterator[tuple[Any, Any]]:
    """Yield pairs of floats, and one pair of what is no float where the rest differs."""
    if type(left) is float and type(right) is float:
        yield left, right
    elif type(left) is dict and type(right) is dict and list(left) == list(right):
        for key, member in left.items():
            yield from _pairs(member, right[key])
    elif type(left) is list and type(right) is list and len(left) == len(right):
        for a, b in zip(left, right, strict=True):
            yield from _pairs(a, b)
    elif isinstance(left, (dict, list)) or type(left) is not type(right) or left != right:
        yield None, None
