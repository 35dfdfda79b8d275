"""With whom those who wait should go: what ``policy`` says, its timers, and who was there lately.

Nothing here awaits. Owned by one event loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from pelton.batching.cost import CostModel
from pelton.batching.expiry import CallAt
from pelton.batching.policy import LINGERS, fair, half, hold_s, linger_s
from pelton.deadline import Clock

_FORGET = 0.9  # of those who were there before, with each batch


class Company:
    """Keeps free slots from taking batches that had better be larger, or smaller.

    Args:
        cost: what batches cost.
        clock: monotonic seconds.
        call_at: sets a timer on that clock.
        queued: tells how many wait.
        release: called when a wait is over; ``True`` if nobody should wait for more any longer.

    Attributes:
        at_once: batches that may run at a time before they take processor time from each other.
        last_requests: requests of the batch that was last through.
    """

    def __init__(
        self,
        cost: CostModel,
        clock: Clock,
        call_at: CallAt,
        queued: Callable[[], int],
        release: Callable[[bool], None],
    ) -> None:
        self.at_once = sys.maxsize
        self.last_requests = 0
        self._cost = cost
        self._clock = clock
        self._call_at = call_at
        self._queued = queued
        self._release = release
        self._expected = 0
        self._crowd = 0.0
        self._holding: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None

    @property
    def is_holding(self) -> bool:
        """Whether an idle slot is kept from taking what waits, to save processor time."""
        return self._holding is not None

    @property
    def may_linger(self) -> bool:
        """Whether batches cost so much that a free slot waits for those who are expected."""
        fixed_s, _ = self._cost.fit() or (0.0, 0.0)
        return linger_s(0, 1, fixed_s) > 0.0

    def answered(self, requests: int, others: int) -> None:
        """A batch of so many is through, while ``others`` wait or run."""
        self.last_requests = requests
        self._crowd = max(float(requests + others), self._crowd * _FORGET)

    def fair(self, present: int, lanes: int) -> int:
        """Return how many requests a batch should take at most.

        Who was answered may be back, so those who were here lately count as present.
        """
        population = max(present, int(self._crowd))
        if not self.may_linger:
            return half(population)
        return fair(population, lanes, self.at_once)

    def lingers(self, waiting: int, expected: int, now: float) -> bool:
        """Whether those ``waiting`` should wait until as many are there as are expected soon."""
        if self._lingering is not None:
            return True
        fixed_s, _ = self._cost.fit() or (0.0, 0.0)
        seconds = linger_s(waiting, expected, fixed_s)
        if not seconds:
            return False
        self._expected = expected
        self._linger(seconds, waiting, now + LINGERS * seconds)
        return True

    def arrived(self) -> None:
        """One more waits: lingering is over when all who were expected are there."""
        if self._lingering is not None and self._queued() >= self._expected:
            self._lingering.cancel()
            self._linger_is_over()

    def holds(self, oldest_at: float, free_at: float, now: float) -> bool:
        """Whether what waits had better wait for a slot that is running to be through.

        Args:
            oldest_at: since when the first of the queue waits.
            free_at: when a slot should be through; infinity if that is unknown.
            now: the present instant.
        """
        fixed_s, each_s = self._cost.fit() or (0.0, 0.0)
        until = oldest_at + hold_s(self._queued(), fixed_s, each_s)
        if free_at > until or now > free_at + fixed_s:
            return False  # it would be in vain, or is late already
        if until <= now:
            return False
        if self._holding is None:
            self._holding = self._call_at(until, self._hold_is_over)
        return True

    def _linger(self, seconds: float, before: int, until: float) -> None:
        """Wait, and go on while more come."""

        def look() -> None:
            if self._queued() <= before or self._clock() >= until:
                self._linger_is_over()
            else:
                self._linger(seconds, self._queued(), until)

        self._lingering = self._call_at(self._clock() + seconds, look)

    def _linger_is_over(self) -> None:
        self._lingering = None
        self.last_requests = 0
        self._release(True)

    def _hold_is_over(self) -> None:
        self._holding = None
        self._release(False)
