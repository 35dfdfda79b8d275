"""Whether two answers are the same within a tolerance. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any


def difference(old: Sequence[Any], new: Sequence[Any], tolerance: float) -> str | None:
    """Return the first difference between two answers, or ``None``.

    Args:
        old, new: (status, media type, body) each, the body as text.
        tolerance: relative difference allowed between numbers.
    """
    if old[0] != new[0]:
        return f"status {new[0]} instead of {old[0]}"
    try:
        return _compare(json.loads(old[2]), json.loads(new[2]), tolerance, "answer")
    except ValueError:
        return None if old[2] == new[2] else "the bodies differ"


def _compare(old: Any, new: Any, tolerance: float, where: str) -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            return f"{where} has keys {sorted(new)} instead of {sorted(old)}"
        pairs = [(old[key], new[key], f"{where}.{key}") for key in old]
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{where} has {len(new)} items instead of {len(old)}"
        pairs = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(old, new, strict=True))]
    elif _is_number(old) and _is_number(new):
        same = math.isclose(old, new, rel_tol=tolerance) or (math.isnan(old) and math.isnan(new))
        return None if same else f"{where} is {new} instead of {old}"
    else:
        return None if old == new else f"{where} is {new!r} instead of {old!r}"
    for a, b, place in pairs:
        found = _compare(a, b, tolerance, place)
        if found is not None:
            return found
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
