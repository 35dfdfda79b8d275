"""Memory budgets: what a worker may use, and what is done when it uses more. Pure.

A slot has the budget of its workload type; a worker has the sum of its slots'. What counts is
the proportional set size (PSS): pages shared with the fork server and other workers count once.
PSS is dear to read, so between two readings it is taken to grow as the resident set does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from pelton.errors import BudgetExceeded

_REPLACE_AT: Final = 0.80
_DRAIN_AT: Final = 0.95
_KILL_AT: Final = 1.10
# A successor is there after so long; a worker that grows fast is replaced so much earlier.
_FORESIGHT_S: Final = 1.0
_NEAR_BUDGET: Final = 0.60
# PSS is read no oftener than so many seconds, and takes no more than so much of a core:
_EVERY_S: Final = 2.0
_SHARE: Final = 0.005  # for a worker that may be near its budget, and
_EVERY_FAR_S: Final = 10.0
_SHARE_FAR: Final = 0.002  # for all workers that cannot be, together.
RESERVE_BYTES: Final = 192 * 1024**2
"""Free memory below which the largest offender is killed before the kernel chooses one."""


class Action(Enum):
    """What is done about a worker's memory."""

    KEEP = "keep"
    REPLACE = "replace"
    DRAIN = "drain"
    KILL = "kill"


@dataclass(frozen=True)
class Usage:
    """A worker's memory now.

    Attributes:
        bytes: its PSS, measured or estimated.
        growth: bytes per second over the last samples.
        budget: what it may use.
    """

    bytes: int
    growth: float
    budget: int


def judge(usage: Usage) -> Action:
    """Return what to do about one worker.

    From 80 % of its budget (or what it will use in a second) it is replaced, make before break.
    From 95 % it takes no more requests, even if no successor is ready. Past 110 % it grew in one
    leap, inside a request, and is killed.
    """
    if usage.bytes > usage.budget * _KILL_AT:
        return Action.KILL
    if usage.bytes > usage.budget * _DRAIN_AT:
        return Action.DRAIN
    if usage.bytes + max(0.0, usage.growth) * _FORESIGHT_S > usage.budget * _REPLACE_AT:
        return Action.REPLACE
    return Action.KEEP


def check_fit(rss_bytes: int | None, slot_bytes: int, slots: int) -> None:
    """Refuse a model that cannot fit, before it serves.

    Args:
        rss_bytes: memory of a process that has loaded the model and answered its example.
        slot_bytes: budget of a slot.
        slots: slots of a worker.

    Raises:
        BudgetExceeded: with the arithmetic.
    """
    budget = slot_bytes * slots
    if rss_bytes is None or rss_bytes <= budget:
        return
    raise BudgetExceeded(
        f"The loaded model uses {megabytes(rss_bytes)}, more than the budget of {slots} x"
        f" {megabytes(slot_bytes)} = {megabytes(budget)} of a worker. Choose a larger"
        f" --workload-type (CPU 4 GB, CPU_MEDIUM 8 GB, CPU_LARGE 16 GB) or --memory-per-slot."
    )


def measure_again_s(cost_s: float, pss_used: float, rss_used: float, workers: int) -> float:
    """Return how many seconds after a reading of a worker's PSS there is to be another.

    The kernel walks every page for it, which takes milliseconds of a core, more for large workers,
    and whoever needs that core waits. PSS is never more than the resident set: while that is far
    from the budget, the reading only tells how much of it is shared.

    Args:
        cost_s: processor time that the reading took, seconds.
        pss_used: share of its budget that the worker uses by now, as far as is known.
        rss_used: share of its budget that its resident set is.
        workers: how many there are to read.
    """
    if pss_used > _NEAR_BUDGET:
        return _EVERY_S
    if rss_used > _NEAR_BUDGET:
        return max(_EVERY_S, cost_s / _SHARE)
    return max(_EVERY_FAR_S, workers * cost_s / _SHARE_FAR)


class Estimate:
    """A worker's PSS between two readings, from its cheap resident set.

    Attributes:
        is_being_read: a reading is under way.
    """

    def __init__(self) -> None:
        self.is_being_read = False
        self._pss = 0
        self._rss_then = 0
        self._read_at = 0.0
        self._cost_s = 0.0
        self._samples: list[tuple[float, int]] = []

    def measured(self, pss: int, rss: int, at: float, cost_s: float) -> None:
        """Take a reading of both that began at instant ``at`` and took so much processor time."""
        self._pss, self._rss_then = pss, rss
        self._read_at, self._cost_s = at, cost_s

    def is_due(self, rss: int, at: float, budget: int, workers: int) -> bool:
        """Whether PSS is to be read (again), for a resident set of ``rss`` at instant ``at``.

        See ``measure_again_s`` for ``workers``.
        """
        if self.is_being_read:
            return False
        if not self.is_measured:
            return True
        used = self._size(rss) / budget, rss / budget
        return at - self._read_at > measure_again_s(self._cost_s, *used, workers)

    def now(self, rss: int, at: float) -> tuple[int, float]:
        """Return (bytes, bytes per second) for a resident set of ``rss`` at instant ``at``."""
        estimate = self._size(rss)
        self._samples = [s for s in self._samples if at - s[0] < 1.0]
        self._samples.append((at, estimate))
        first_at, first = self._samples[0]
        growth = (estimate - first) / (at - first_at) if at - first_at > 0.15 else 0.0
        return estimate, growth

    @property
    def is_measured(self) -> bool:
        """Whether PSS has been read at all."""
        return self._pss > 0

    def _size(self, rss: int) -> int:
        return self._pss + rss - self._rss_then


def megabytes(size: int) -> str:
    """Return a size for a message."""
    return f"{size / 1024**2:,.0f} MB"
