"""Which batches of a slot run in real time (``--priority realtime``): those that are brief.

Threads of one real-time priority do not interrupt each other, so one that computes for long would
keep the front end and other slots from a core for as long. What is expected to compute for long
runs as any other process does, and gives its core to whoever is in real time at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_BRIEF_BYTES: Final = 256 * 1024
_BRIEF_S: Final = 0.005  # of processor time


def is_brief(size: int, last_s: float) -> bool:
    """Return whether a batch is expected to be brief.

    Args:
        size: of its bodies, in bytes.
        last_s: processor time of the slot's batch before it, in seconds.
    """
    return size <= _BRIEF_BYTES and last_s <= _BRIEF_S


class Urgency:
    """Of one slot, whose thread makes all calls.

    Args:
        run_in_real_time: changes the calling thread; returns whether it could.
        clock: processor time of the calling thread, in seconds.
    """

    def __init__(
        self,
        run_in_real_time: Callable[[bool], bool],
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._change = run_in_real_time
        self._clock = clock
        self._is_real_time = False
        self._began_s: float | None = None
        self._last_s = 0.0

    def wait(self) -> None:
        """Nothing runs: what comes next is to be taken at once."""
        self._end()
        self._set(True)

    def begin(self, size: int) -> None:
        """Run a batch of so many bytes."""
        self._began_s = self._clock()
        self._set(is_brief(size, self._last_s))

    def check(self) -> None:
        """The batch is over; what is computed until the next one is in no hurry."""
        self._end()
        self._set(False)

    def _end(self) -> None:
        if self._began_s is not None:
            self._last_s = self._clock() - self._began_s
            self._began_s = None

    def _set(self, is_real_time: bool) -> None:
        if is_real_time != self._is_real_time and self._change(is_real_time):
            self._is_real_time = is_real_time
