"""A wheel of deadlines: one timer for all requests instead of a timer each."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable

from pelton.batching.entry import Entry
from pelton.deadline import Clock

TICK_S = 0.01

CallAt = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""Sets a timer: (instant, callback) -> something that can be cancelled."""


def on_running_loop(clock: Clock) -> CallAt:
    """Return what sets timers of ``clock`` on the running loop, whose clock need not be it."""

    def call_at(when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, when - clock()), callback)

    return call_at


class DeadlineWheel:
    """Calls ``on_expired(entry)`` at most ``TICK_S`` after an entry's deadline.

    Adding and removing are O(1); the loop's timer is set only while something is on the wheel.
    An entry that has ended is removed by whoever ended it.
    """

    def __init__(
        self,
        on_expired: Callable[[Entry], None],
        clock: Clock,
        call_at: CallAt,
    ) -> None:
        self._on_expired = on_expired
        self._clock = clock
        self._call_at = call_at
        self._ticks: dict[int, set[Entry]] = {}
        self._heap: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0
        self._last_deadline = 0.0  # those who come together mostly have one
        self._last_tick = 0

    def add(self, entry: Entry) -> None:
        """Watch an entry's deadline."""
        deadline = entry.deadline
        if deadline != self._last_deadline:
            self._last_deadline, self._last_tick = deadline, math.ceil(deadline / TICK_S)
        tick = entry.tick = self._last_tick
        bucket = self._ticks.get(tick)
        if bucket is None:
            bucket = self._ticks[tick] = set()
            heapq.heappush(self._heap, tick)
            if self._timer is None or tick < self._timer_tick:
                self._arm(tick)
        bucket.add(entry)

    def remove(self, entry: Entry) -> None:
        """Forget an entry; it has ended."""
        bucket = self._ticks.get(entry.tick)
        if bucket is not None:
            bucket.discard(entry)

    def turn(self) -> None:
        """Expire what is due; the loop's timer calls it, and tests do."""
        self._timer = None
        now = self._clock()
        while self._heap and self._heap[0] * TICK_S <= now:
            for entry in self._ticks.pop(heapq.heappop(self._heap)):
                self._on_expired(entry)
        if self._heap:
            self._arm(self._heap[0])

    def _arm(self, tick: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = tick
        self._timer = self._call_at(tick * TICK_S, self.turn)
