"""How many workers there should be. Pure: a function of the last samples and instants.

Up at once when requests wait, decided on the last second; down in steps after a while of less;
to zero after a longer while of nothing, where that is wanted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

_UP_WINDOW_S: Final = 0.4
_STEP_SHARE: Final = 4


@dataclass(frozen=True)
class ScalingLimits:
    """What scaling may do.

    Attributes:
        least, most: workers.
        slots_per_worker: slots of a worker.
        to_zero: whether all may go.
        down_after_s: so long of less load removes workers.
        zero_after_s: so long without a request removes all.
    """

    least: int
    most: int
    slots_per_worker: int = 1
    to_zero: bool = False
    down_after_s: float = 300.0
    zero_after_s: float = 1800.0

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to decide."""
        return self.least == self.most and not self.to_zero


@dataclass
class Scaler:
    """The memory of the policy; ``decide`` is told everything else."""

    limits: ScalingLimits
    _recent: deque[tuple[float, int, int]] = field(default_factory=deque)
    _peak_since: float | None = None
    _peak: int = 0
    _idle_since: float | None = None

    def decide(self, now: float, workers: int, running: int, queued: int) -> int:
        """Return the number of workers wanted.

        Args:
            now: the present instant, in seconds.
            workers: the number wanted so far.
            running: requests in slots.
            queued: requests that wait.
        """
        limits = self.limits
        demand = -(-(running + queued) // limits.slots_per_worker)
        self._recent.append((now, demand, queued))
        while self._recent and now - self._recent[0][0] > _UP_WINDOW_S:
            self._recent.popleft()
        if running or queued:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        if workers == 0:
            return self._changed(now, max(1, limits.least)) if queued else 0
        if queued and min(waiting for _, _, waiting in self._recent) > 0:
            wanted = max(workers + 1, min(d for _, d, _ in self._recent))
            if min(limits.most, wanted) > workers:
                return self._changed(now, min(limits.most, wanted))
        if (
            limits.to_zero
            and self._idle_since is not None
            and now - self._idle_since >= limits.zero_after_s
        ):
            return self._changed(now, 0)
        return self._down(now, workers, demand)

    def _down(self, now: float, workers: int, demand: int) -> int:
        if self._peak_since is None:
            self._changed(now, workers)
        self._peak = max(self._peak, demand)
        assert self._peak_since is not None
        if now - self._peak_since < self.limits.down_after_s:
            return workers
        step = max(1, workers // _STEP_SHARE)
        wanted = max(self.limits.least, min(self._peak, workers), workers - step, 1)
        return self._changed(now, wanted)

    def _changed(self, now: float, workers: int) -> int:
        self._peak_since, self._peak = now, 0
        return workers
