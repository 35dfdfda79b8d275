"""Quantities as people type them: ``50ms``, ``10s``, ``100,200,400``, ``1:80,32:20``.

Pure; every parser raises :class:`~pelton.errors.ConfigError` with what would have been right.
"""

from __future__ import annotations

import re
from typing import Final

from pelton.errors import ConfigError

_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|µs|ms|s|m|min|h)?\s*\Z")
_SECONDS: Final = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}


def duration_s(text: str) -> float:
    """Read a duration; a bare number is seconds.

    Raises:
        ConfigError: not a duration, or zero.
    """
    match = _DURATION.match(text)
    value = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if value <= 0:
        raise ConfigError(f"{text!r} is not a duration; write 500ms, 10s or 2m")
    return value


def positive(text: str) -> float:
    """Read a number above zero.

    Raises:
        ConfigError: not a number, or not above zero.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{text!r} is not a number above zero")
    return value


def count(text: str) -> int:
    """Read a whole number above zero.

    Raises:
        ConfigError: not a whole number, or not above zero.
    """
    value = positive(text)
    if value != int(value):
        raise ConfigError(f"{text!r} is not a whole number")
    return int(value)


def rates(text: str) -> list[float]:
    """Read ``100`` or ``100,200,400`` (requests per second, one step each).

    Raises:
        ConfigError: an item is not a number above zero.
    """
    return [positive(item) for item in text.split(",")]


def counts(text: str) -> list[int]:
    """Read ``8`` or ``1,8,32``.

    Raises:
        ConfigError: an item is not a whole number above zero.
    """
    return [count(item) for item in text.split(",")]


def ramp(text: str) -> tuple[float, float]:
    """Read ``100:1000``: the rate rises (or falls) from the first to the second.

    Raises:
        ConfigError: not two rates with a colon between.
    """
    first, colon, second = text.partition(":")
    if not colon:
        raise ConfigError(f"{text!r} is not a ramp; write FROM:TO, such as 100:1000")
    return positive(first), positive(second)


def mix(text: str) -> dict[int, float]:
    """Read rows a request, ``1`` or ``1:80,32:20`` (rows:weight), into rows -> share.

    Raises:
        ConfigError: an item is not ROWS or ROWS:WEIGHT.
    """
    weights: dict[int, float] = {}
    for item in text.split(","):
        rows, colon, weight = item.partition(":")
        weights[count(rows)] = weights.get(count(rows), 0.0) + (positive(weight) if colon else 1.0)
    total = sum(weights.values())
    return {rows: weight / total for rows, weight in weights.items()}


def show_duration(seconds: float) -> str:
    """Write a duration with three digits: ``850 µs``, ``12.3 ms``, ``2.05 s``."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"


def show_rate(per_second: float) -> str:
    """Write a rate with as many digits as it can carry: ``9.87``, ``123``, ``12,345``."""
    return f"{per_second:.3g}" if per_second < 100 else f"{per_second:,.0f}"
