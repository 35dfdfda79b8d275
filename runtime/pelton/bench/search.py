"""The search for the highest rate that still meets an objective.

Pure: it is told what was measured and says what to measure next. A rate that met the objective once
may have been lucky, so the answer is one that met it twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_GROWTH: Final = 1.6
_LOWEST_SHARE: Final = 1 / 512  # of the first guess; below it there is nothing to find


@dataclass
class Search:
    """Bisection on a logarithmic scale, from a first guess.

    Attributes:
        guess: requests per second to begin with, such as the closed loop's throughput.
        highest: a rate above which not to go (what the generator can do).
        precision: ratio of the failing to the passing rate at which it is close enough.
        tries: measurements at most.
    """

    guess: float
    highest: float = float("inf")
    precision: float = 1.05
    tries: int = 14
    passed: dict[float, int] = field(default_factory=dict)
    failed: set[float] = field(default_factory=set)

    def observe(self, rate: float, *, met: bool) -> None:
        """Take in what was measured at a rate; one failure outweighs earlier passes."""
        self.tries -= 1
        if met:
            self.passed[rate] = self.passed.get(rate, 0) + 1
        else:
            self.failed.add(rate)
            # What is above a failure and passed before passed by luck.
            self.passed = {r: n for r, n in self.passed.items() if r < rate}

    @property
    def best(self) -> float | None:
        """The highest rate that met the objective, ``None`` as long as there is none."""
        return max(self.passed, default=None)

    @property
    def is_confirmed(self) -> bool:
        """Whether the best rate met the objective twice."""
        return self.best is not None and self.passed[self.best] > 1

    def next_rate(self) -> float | None:
        """Return the rate to measure next, ``None`` when the search is over."""
        best = self.best
        worst = min(self.failed, default=None)
        if self.tries <= 0:
            return None
        if best is None:
            rate = self.guess if worst is None else worst / _GROWTH
            return min(rate, self.highest) if rate >= self.guess * _LOWEST_SHARE else None
        if worst is None:
            if best >= self.highest:
                return None if self.is_confirmed else best
            return min(best * _GROWTH, self.highest)
        if worst / best > self.precision:
            return float((worst * best) ** 0.5)
        return None if self.is_confirmed else best
