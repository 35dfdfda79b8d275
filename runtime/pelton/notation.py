"""How values are written by people: sizes, durations, numbers and switches, and back.

A parser takes what stands in a flag, a variable or a TOML file and raises ``ValueError`` with a
sentence that shows how to write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_SIZE = re.compile(r"^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([kmgt]?)i?b?\s*$", re.IGNORECASE)
_DURATION = re.compile(r"^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(ms|s|m|min|h)?\s*$", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def size(text: object) -> int:
    """Parse a size in bytes: ``16MB``, ``4GiB``, ``1048576``; a unit is a power of 1024."""
    match = _SIZE.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no size; write for example 16MB or 4GB")
    power = " kmgt".index(match[2].lower() or " ")
    return int(float(match[1]) * 1024**power)


def duration(text: object) -> float:
    """Parse a duration in seconds: ``120``, ``1.5s``, ``30m``, ``2h``; 0 or more."""
    match = _DURATION.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no duration; write for example 120, 30s or 5m")
    return float(match[1]) * _SECONDS[(match[2] or "s").lower()]


def _whole(text: object) -> int:
    try:
        return int(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def count(text: object) -> int:
    """Parse a whole number, 0 or more."""
    value = _whole(text)
    if value < 0:
        raise ValueError(f"{value} is negative")
    return value


def positive(text: object) -> int:
    """Parse a whole number, 1 or more."""
    value = _whole(text)
    if value < 1:
        raise ValueError(f"{value} is less than 1")
    return value


def switch(text: object) -> bool:
    """Parse a switch: true, false, 1, 0, yes, no, on, off."""
    if isinstance(text, bool):
        return text
    word = str(text).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def one_of(*choices: str) -> Callable[[object], str]:
    """Return a parser that takes one of ``choices``, in any case."""

    def parse(text: object) -> str:
        for choice in choices:
            if choice.lower() == str(text).lower():
                return choice
        raise ValueError(f"{text!r} is none of {', '.join(choices)}")

    return parse


def requirements(text: object) -> tuple[str, ...]:
    """Parse requirements: one, or several with blanks between them and none inside."""
    texts = text if isinstance(text, (list, tuple)) else [text]
    return tuple(each for some in texts for each in str(some).split())


def show(value: Any) -> str:
    """Return a setting's value as a person would write it."""
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        for unit, power in (("GB", 3), ("MB", 2)):
            if value and value % 1024**power == 0:
                return f"{value // 1024**power}{unit}"
        return str(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return "" if value is None else str(value)
