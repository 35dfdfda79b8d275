"""How many batches may run at a time before they take processor time from each other."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pelton import platform
from pelton.batching.policy import at_once
from pelton.deadline import Clock
from pelton.supervisor.handle import WorkerHandle

_LEAST_BUSY_S = 0.1


class ProcessorWatch:
    """Compares how long workers could run with how long their slots were running something.

    Args:
        cores: usable by this server.
        clock: monotonic seconds.
    """

    def __init__(self, cores: int, clock: Clock) -> None:
        self._cores = cores
        self._clock = clock
        self._front_end = (clock(), 0.0)
        self._share: float | None = None
        self._before: dict[str, tuple[float, float]] = {}

    def look(self, workers: Iterable[WorkerHandle]) -> int:
        """Return what ``Dispatcher.at_once`` should be, from what was used since the last look."""
        used_s = busy_s = 0.0
        lanes = 0
        now: dict[str, tuple[float, float]] = {}
        for worker in workers:
            lanes += len(worker.lanes)
            spent_s = platform.runnable_seconds(worker.process.pid)
            if spent_s is None:
                continue
            now[worker.name] = spent_s, sum(lane.busy_s for lane in worker.lanes)
            if worker.name in self._before:
                before = self._before[worker.name]
                used_s += now[worker.name][0] - before[0]
                busy_s += now[worker.name][1] - before[1]
        if busy_s >= _LEAST_BUSY_S or not now.keys() <= self._before.keys():
            self._before = now
        if busy_s >= _LEAST_BUSY_S:
            self._share = used_s / busy_s
        return at_once(self._cores - self._front_end_cores(), self._share, max(1, lanes))

    def _front_end_cores(self) -> float:
        """Return how much of a core this process has used, or waited for, since the last look."""
        at, before_s = self._front_end
        now, used_s = self._clock(), platform.runnable_seconds(os.getpid()) or 0.0
        self._front_end = now, used_s
        return min(1.0, (used_s - before_s) / max(now - at, 1e-3))
