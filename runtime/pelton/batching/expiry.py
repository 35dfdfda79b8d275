"""One timer for all deadlines, set for the earliest; most requests have ended before it is due."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable

from pelton.batching.entry import Entry, Stage
from pelton.compiled import Line
from pelton.deadline import Clock
from pelton.errors import DeadlineExceeded

TICK_S = 0.01

CallAt = Callable[[float, Callable[[], None]], asyncio.TimerHandle]
"""Sets a timer: (instant, callback) -> something that can be cancelled."""


def on_running_loop(clock: Clock) -> CallAt:
    """Return what sets timers of ``clock`` on the running loop, whose clock need not be it."""

    def call_at(when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, when - clock()), callback)

    return call_at


class Expiry:
    """Calls ``on_expired(entry)`` at most ``TICK_S`` after an entry's deadline.

    A request costs one comparison: its deadline with ``line.watched``. When the timer is due, it is
    set for the earliest deadline of those who are there then; who has ended needs no removal.

    Args:
        line: whose ``watched`` is kept: an earlier deadline must be told to ``watch``.
        live: tells whose deadlines count.
        on_expired: is told of an entry once its deadline has passed; again if it stays.
        clock: monotonic seconds.
        call_at: sets a timer on that clock.
    """

    def __init__(
        self,
        line: Line,
        live: Callable[[], Iterable[Entry]],
        on_expired: Callable[[Entry], None],
        clock: Clock,
        call_at: CallAt,
    ) -> None:
        self._line = line
        self._live = live
        self._on_expired = on_expired
        self._clock = clock
        self._call_at = call_at
        self._timer: asyncio.TimerHandle | None = None
        line.watched = math.inf

    def watch(self, deadline: float) -> None:
        """Have the timer set for ``deadline``, if it is earlier than all others."""
        if deadline < self._line.watched:
            self._arm(_tick(deadline))

    def _look(self) -> None:
        self._timer = None
        self._line.watched = math.inf
        now = self._clock()
        earliest = math.inf
        for entry in list(self._live()):
            if _tick(entry.deadline) * TICK_S <= now:
                self._on_expired(entry)
            else:
                earliest = min(earliest, entry.deadline)
        self.watch(earliest)  # one that has expired may have let in others, and they are watched

    def _arm(self, tick: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._line.watched = (tick - 1) * TICK_S
        self._timer = self._call_at(tick * TICK_S, self._look)


def _tick(deadline: float) -> int:
    return math.ceil(deadline / TICK_S)


def too_late(entry: Entry, now: float) -> DeadlineExceeded:
    """Return the error of an entry whose deadline has passed."""
    stage = Stage.RUNNING if entry.stage is Stage.RUNNING else Stage.QUEUED
    where = "waiting for a slot" if stage is Stage.QUEUED else "being predicted"
    return DeadlineExceeded(
        f"Timed out after {now - entry.queued_at:.3g} s while {where}. Verify that the model"
        f" evaluates within the timeout, or raise it (--timeout).",
        stage=stage.value,
    )
