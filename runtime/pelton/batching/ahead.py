"""The batches that wait in workers until the present ones are through. Owned by one event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pelton.batching.entry import Entry
from pelton.batching.expiry import CallAt
from pelton.deadline import Clock

if TYPE_CHECKING:
    from pelton.batching.lane import Lane

_LOOK_S = 0.01


class Ahead:
    """Gives lanes their next batches early, and asks for them back where that was a mistake.

    A slot may run something that takes far longer than batches do. Who was sent ahead to it should
    not wait for that while others are through and take whoever came later.

    Args:
        lanes: those that pull, as they come and go.
        clock: monotonic seconds.
        call_at: sets a timer on that clock.
        fair: returns how many requests a batch should take at most.
        form: takes a lane's batch of at most so many from the queue: (lane, now, most) -> batch.
        on_none: called when nothing is ahead any more.

    Attributes:
        requests, body_bytes: what has been sent and not begun: it counts as queued, but nobody can
            pull it.
        due_at: a lane may want a batch from then on.
    """

    def __init__(
        self,
        lanes: Collection[Lane],
        clock: Clock,
        call_at: CallAt,
        fair: Callable[[], int],
        form: Callable[[Lane, float, int], list[Entry]],
        on_none: Callable[[], None],
    ) -> None:
        self.requests = 0
        self.body_bytes = 0
        self.due_at = math.inf
        self._lanes = lanes
        self._clock = clock
        self._call_at = call_at
        self._fair = fair
        self._form = form
        self._on_none = on_none
        self._given: dict[Lane, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, at: float) -> None:
        """From ``at`` on, a lane may want a batch."""
        self.due_at = min(self.due_at, at)

    def give(self, waiting: Callable[[], int], now: float) -> None:
        """Give the lanes that will be through soon their next batches."""
        most = self._fair()
        for lane in self._lanes:
            if now >= lane.send_ahead_at and lane.wants_ahead(waiting(), most, now):
                batch = self._form(lane, now, most)
                if batch:
                    self.requests += len(batch)
                    self.body_bytes += sum([len(entry.body) for entry in batch])
                    self._given[lane] = None
                    lane.send_ahead(batch)
        self.due_at = min([lane.send_ahead_at for lane in self._lanes], default=math.inf)
        self._watch()

    def left(self, entry: Entry) -> None:
        """One is ahead no longer: it has begun, has ended, or is back in the queue."""
        self.requests -= 1
        self.body_bytes -= len(entry.body)
        if not self.requests:
            self._on_none()

    def _watch(self) -> None:
        if self._given and self._timer is None:
            self._timer = self._call_at(self._clock() + _LOOK_S, self._look)

    def _look(self) -> None:
        """Ask lanes that are late for what they were given, if there are others to take it."""
        self._timer = None
        now = self._clock()
        for lane in list(self._given):
            has_others = any(other is not lane for other in self._lanes)
            if not lane.has_ahead or (has_others and lane.recall_if_late(now)):
                del self._given[lane]
        self._watch()
