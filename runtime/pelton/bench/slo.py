"""A latency objective, ``p99=50ms``: which part of all requests must be answered in what time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pelton.bench import quantity
from pelton.bench.histogram import Histogram
from pelton.errors import ConfigError

_FORM: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)\s*[=<]=?\s*(\S+)\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Objective:
    """``percent`` % of *all* requests get a right answer within ``limit_s``.

    A refused, failed or timed-out request has missed every limit: an objective cannot be met by
    turning callers away.
    """

    percent: float
    limit_s: float

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Read ``p99=50ms``.

        Raises:
            ConfigError: not of that form.
        """
        match = _FORM.match(text.strip())
        if not match:
            raise ConfigError(f"{text!r} is not an objective; write p99=50ms")
        percent = float(match[1])
        if percent == 0:
            raise ConfigError(f"{text!r}: p0 asks for nothing; write p99=50ms")
        return cls(percent, quantity.duration_s(match[2]))

    def value_s(self, latency: Histogram, missed: int) -> float:
        """Return the objective's percentile, ``inf`` when it falls among the missed."""
        return latency.percentile(self.percent, missed=missed)

    def is_met(self, latency: Histogram, missed: int) -> bool:
        """Tell whether right answers and misses together meet the objective."""
        return self.value_s(latency, missed) <= self.limit_s

    @property
    def samples(self) -> int:
        """Requests below which the percentile would rest on fewer than ten slow ones."""
        return min(10_000, max(100, round(10 / max(1e-3, 1 - self.percent / 100))))

    def __str__(self) -> str:
        return f"p{self.percent:g} ≤ {quantity.show_duration(self.limit_s)}"
