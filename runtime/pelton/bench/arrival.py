"""When requests are meant to leave: constant or Poisson arrivals, at a steady or a changing rate.

Pure. A schedule is made before and apart from what the server does with it: that is what makes the
load *open*, and what keeps a stalled server from hiding its own stall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

_CHUNK: Final = 4096


@dataclass(frozen=True)
class Arrivals:
    """A schedule of intended send times.

    Attributes:
        first_rate: requests per second at the start.
        last_rate: requests per second at the end; the rate changes linearly in between.
        duration_s: length of the schedule.
        poisson: exponential gaps (independent callers) instead of equal ones.
        seed: of the random gaps, so that a run can be repeated.
    """

    first_rate: float
    last_rate: float
    duration_s: float
    poisson: bool = True
    seed: int = 1

    def expected(self, until_s: float | None = None) -> float:
        """Return the mean number of arrivals in the first ``until_s`` seconds (default: all)."""
        t = self.duration_s if until_s is None else until_s
        slope = (self.last_rate - self.first_rate) / self.duration_s
        return self.first_rate * t + slope * t * t / 2

    def rate_at(self, t: float) -> float:
        """Return the intended rate ``t`` seconds after the start."""
        return self.first_rate + (self.last_rate - self.first_rate) * t / self.duration_s

    def times(self) -> Iterator[float]:
        """Yield intended send times in seconds from the start, ascending.

        Unit-rate arrivals are mapped through the inverse of :meth:`expected`, which is exact for
        Poisson arrivals at any changing rate.
        """
        random = np.random.default_rng(self.seed)
        done = 0.0
        while True:
            gaps = random.standard_exponential(_CHUNK) if self.poisson else np.ones(_CHUNK)
            units = done + np.cumsum(gaps)
            done = float(units[-1])
            if not self.poisson:
                units = units - 1.0  # the first leaves at once
            times = self._inverse(units)
            inside = times < self.duration_s
            yield from times[inside].tolist()
            if not inside.all():
                return

    def _inverse(self, units: np.ndarray) -> np.ndarray:
        slope = (self.last_rate - self.first_rate) / self.duration_s
        if slope == 0:
            times: np.ndarray = units / self.first_rate
            return times
        # first_rate * t + slope * t^2 / 2 = units; past the end of a falling rate there is no
        # solution, which is "never".
        under = self.first_rate**2 + 2 * slope * units
        with np.errstate(invalid="ignore"):
            times = (np.sqrt(under) - self.first_rate) / slope
        return np.where(under < 0, np.inf, times)
