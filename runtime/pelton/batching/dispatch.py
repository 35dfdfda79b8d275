"""The queue and its lanes: an entry waits until an idle slot pulls it.

A *lane* is the server's end of one slot: it holds the batch that the slot is running, and under
load the one that was sent ahead, so that the worker need not wait for this loop in between. Nothing
here awaits, so there is no moment between check and take. Owned by one event loop.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator

from pelton.admission.limits import Limits, Load, refused
from pelton.admission.pace import Pace
from pelton.batching.ahead import Ahead
from pelton.batching.company import Company
from pelton.batching.cost import CostModel, UsualSize
from pelton.batching.entry import Answer, Ended, Entry, Stage
from pelton.batching.expiry import CallAt, Expiry, on_running_loop, too_late
from pelton.batching.forming import take
from pelton.batching.lane import Lane, Slot
from pelton.batching.policy import NO_BATCHING, BatchLimits, share
from pelton.batching.statistics import QueueStatistics
from pelton.compiled import Line
from pelton.deadline import Clock
from pelton.errors import PeltonError


class Dispatcher(Line):
    """The queue of one served entity.

    Args:
        limits: bounds of the queue.
        clock: monotonic seconds.
        call_at: sets a timer on that clock; the running loop's by default.
        call_soon: calls back after the events that are being handled; without it the first of
            several requests that arrive together is a batch of its own.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        call_at: CallAt | None = None,
        call_soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.clock = clock
        self.pace = Pace()
        self.cost = CostModel()
        self.sizes = UsualSize()
        call_at = call_at or on_running_loop(clock)
        self._expiry = Expiry(self, self._live, self._expire, clock, call_at)
        self.company = Company(
            self.cost,
            clock,
            call_at,
            lambda: self._queued,
            lambda at_once: self._pull_idle(hold=not at_once),
        )
        self._limits = limits
        self._call_soon = call_soon
        self._queue: deque[Entry] = deque()
        self._queued = self._queued_bytes = 0
        self._limit = limits.queue_limit
        self._room = self._room_bytes = 0
        self._turn_at = 0.0  # 0 between two turns
        self._drained_per_s = 0.0  # 0 is unknown
        self._lanes: dict[Lane, None] = {}
        self._leaving: dict[Lane, None] = {}  # pull no more, and run what they have
        self.ahead = Ahead(
            self._lanes, clock, call_at, self._fair, self._form_ahead, self._look_drained
        )
        # A stack: few busy workers keep their caches warm, and the rest can be retired.
        self._idle: dict[Lane, None] = {}
        self._refuse: Callable[[], PeltonError] | None = None
        self.on_waiting: Callable[[], None] | None = None
        """Called when a request has to wait; scaling listens."""
        self.on_drained: Callable[[], None] | None = None
        """Called when nothing may wait any more, here or ahead; shutdown listens, and looks."""
        self.write_out: Callable[[Ended, float], Ended] = lambda ended, _: ended
        """Writes what can be written at once, and returns the rest: (ended, now) -> ended."""

    # Admission

    def refuse_with(self, refuse: Callable[[], PeltonError] | None) -> None:
        """Refuse everything new with the error that ``refuse`` makes, until called with None."""
        self._refuse = refuse
        self._room = 0

    def check_nowait(self, deadline: float) -> None:
        """Raise what ``submit_nowait`` would raise now; before a body is read.

        Raises:
            RejectedError: QueueFull, DeadlineUnmeetable, NotReady or Draining.
        """
        self._check(deadline, self.clock())

    def _check(self, deadline: float, now: float) -> None:
        if self._refuse is not None:
            raise self._refuse()
        # The common cases, as `decide` finds them.
        queued = self._queued + self.ahead.requests
        if len(self._idle) > queued:
            return
        if (
            queued < self._limits.queue_limit
            and self._queued_bytes + self.ahead.body_bytes < self._limits.queue_limit_bytes
            and queued + 1 <= (self._drained_per_s or math.inf) * (deadline - now)
        ):
            return
        load = self.load()
        refusal = self._limits.decide(load, deadline - now)
        if refusal is not None and self._idle:
            self._pull_idle(hold=False)  # nobody is refused while a slot is idle
            load = self.load()
            refusal = self._limits.decide(load, deadline - now)
        if refusal is not None:
            raise refused(refusal, load, len(self._lanes))

    def submit_nowait(self, entry: Entry) -> None:
        """Take an entry: run it at once on an idle slot, or queue it.

        Raises:
            RejectedError: it was not taken.
        """
        now = self.turn_at()
        self._check(entry.deadline, now)
        entry.queued_at = now
        self._expiry.watch(entry.deadline)
        self._queue.append(entry)
        self._queued += 1
        self._room -= 1
        self._queued_bytes += len(entry.body)
        self._room_bytes -= len(entry.body)
        if self._call_soon is None:
            self._end_turn()
        else:
            self.look_ahead_if_due()

    def watch(self, entry: Entry) -> None:
        """An entry that compiled code has queued has an earlier deadline than all others."""
        self._expiry.watch(entry.deadline)

    def look_ahead_if_due(self) -> None:
        """In the middle of a turn: give busy lanes that will be through soon what is there."""
        if not self._idle:
            self.look_ahead(self.clock())

    def turn_at(self) -> float:
        """Return the instant of what arrives in the present turn of the loop.

        A turn's requests are given to slots at its end: a socket's event handlers run one after
        the other, and whoever is first would make a batch of one and leave the others to wait.
        """
        if self._turn_at:
            return self._turn_at
        now = self.clock()
        if self._call_soon is not None:
            self._turn_at = now
            self._call_soon(self._end_turn)
            load = self.load()
            self._room = self._limit - load.queued if self._refuse is None else 0
            self._room_bytes = self._limits.queue_limit_bytes - load.queued_bytes
        return now

    def _end_turn(self) -> None:
        self._turn_at = 0.0
        if len(self._queue) > 2 * self._queued + 64:  # mostly those that have left early
            self._queue = deque(waiting for waiting in self._queue if not waiting.is_done)
        company = self.company
        company.arrived()
        if not self._queued:
            return
        if self._idle and not company.is_holding:
            batches = next(reversed(self._idle)).limits.requests > 1
            now = self.clock()
            if not (batches and company.lingers(self._queued, company.last_requests, now)):
                self._pull_idle()
        if self._queued and (company.is_holding or not self._idle):
            self.look_ahead(self.clock())
            if self.on_waiting is not None:
                self.on_waiting()

    def _pull_idle(self, *, hold: bool = True) -> None:
        while self._queued and self._idle:
            lane, _ = self._idle.popitem()
            if not self.pull(lane, hold=hold):
                break

    def drop(self, entry: Entry) -> None:
        """The client is gone: a queued entry is never run, a running one runs to no avail.

        One that was sent ahead is not begun. The slot stays bounded by the deadline: it is
        interrupted then, if it still runs.
        """
        if entry.is_done:
            return
        stage, lane = entry.stage, entry.lane
        self.end(entry, None)
        if stage is Stage.SENT and lane is not None:
            lane.drop(entry)

    def reject_queued(self, error: Callable[[], PeltonError]) -> int:
        """End everything that waits with an error; returns how many that were."""
        waiting = [entry for entry in self._queue if not entry.is_done]
        for entry in waiting:
            self.end(entry, None, error())
        return len(waiting)

    # Lanes

    def open_lane(
        self, slot: Slot, limits: BatchLimits = NO_BATCHING, *, in_order: bool = False
    ) -> Lane:
        """Add a slot; it pulls at once.

        Args:
            slot: the worker's end.
            limits: of its batches.
            in_order: the worker runs what this slot is given one after the other, so that the next
                batch may be sent while it runs one.
        """
        lane = Lane(self, slot, limits, in_order=in_order)
        self._lanes[lane] = None
        self._measure_pace()
        self.pull(lane)
        return lane

    def forget(self, lane: Lane) -> None:
        """A lane has closed."""
        self._lanes.pop(lane, None)
        self._idle.pop(lane, None)
        self._leaving = {lane: None for lane in [*self._leaving, lane] if lane.live}
        self._measure_pace()

    def pull(self, lane: Lane, *, hold: bool = True, coming: int = 0) -> bool:
        """Give a free lane the next batch, or remember it as idle; returns whether it has one.

        Args:
            lane: free.
            hold: whether it may wait for more requests.
            coming: requests to expect: the callers it has just answered may come back.
        """
        now = self.clock()
        limits = lane.limits
        queued = self._queued
        most = self._fair()
        company = self.company
        running = len(self._lanes) - len(self._idle) - 1
        if hold and queued and limits.requests > 1:
            hold = company.lingers(queued, min(queued + coming, most), now) or (
                running >= company.at_once
                and company.holds(self._queue[0].queued_at, self._free_at(), now)
            )
        else:
            hold = False
        free = min(len(self._idle) + 1, company.at_once - running)
        batch = self._form(limits, now, most, free) if queued and not hold else []
        if batch:
            lane.start(batch, now)
        else:
            self._idle[lane] = None
        return bool(batch)

    def _present(self) -> int:
        """Return how many requests wait or run."""
        return self._queued + self.ahead.requests + sum([lane.running for lane in self._lanes])

    def _fair(self) -> int:
        return self.company.fair(self._present(), len(self._lanes))

    def _free_at(self) -> float:
        """Return when the first of the slots that run something is expected to be through."""
        return min([lane.due_at for lane in self._lanes if lane.is_busy], default=math.inf)

    def expected_s(self, requests: int, size: int) -> float:
        """Return how long a batch with ``size`` bytes of bodies should take.

        Infinity if nothing like it has been seen.
        """
        expected_s = self.cost.seconds(requests)
        if expected_s is None or self.sizes.is_odd(size / requests):
            return math.inf
        return expected_s

    @property
    def lanes(self) -> int:
        """How many slots pull."""
        return len(self._lanes)

    def look_ahead(self, now: float) -> None:
        """Give the lanes that will be through soon their next batches."""
        if self._queued and now >= self.ahead.due_at:
            self.ahead.give(lambda: self._queued, now)

    def _form_ahead(self, lane: Lane, now: float, most: int) -> list[Entry]:
        return self._form(lane.limits, now, most, 1)

    def take_back(self, batch: list[Entry]) -> None:
        """Queue what a worker was sent and has not begun: it died, or has given it back."""
        for entry in batch:
            if entry.stage is Stage.DONE:
                continue
            self._queue.append(entry)
            self._queued += 1
            self._queued_bytes += len(entry.body)
            if entry.stage is Stage.SENT:
                self.ahead.left(entry)
            entry.stage = Stage.QUEUED
            entry.lane = None
        self._queue = deque(sorted(self._queue, key=lambda entry: (entry.queued_at, entry.id)))
        self._room = 0
        self._pull_idle()

    def _form(self, limits: BatchLimits, now: float, most: int, free: int) -> list[Entry]:
        """Take a batch of at most ``most``, which ``free`` idle slots, its own with them, share."""
        cost = self.cost.fit() or (0.0, 0.0)
        most = min(most, limits.requests, share(self._queued, *cost, free))
        batch, size, late = take(
            self._queue, now, cost, most, limits.body_bytes, self.sizes.odd_above
        )
        if batch:
            self._left(len(batch), size)
        for entry in late:
            self._expire(entry)
        return batch

    def batch_done(self, requests: int, seconds: float, size: int) -> None:
        """Learn from a batch of ``size`` bytes of bodies; its lane calls it."""
        if not self.sizes.is_odd(size / requests):  # what usual ones cost is asked for, and waited
            self.cost.observe(requests, seconds)
        self.sizes.observe(size / requests)
        self.company.answered(requests, self._present())
        self.pace.observe(seconds, requests)
        self._measure_pace()

    def _measure_pace(self) -> None:
        self._drained_per_s = self.pace.drained_per_s(len(self._lanes)) or 0.0

    def _left(self, requests: int, size: int) -> None:
        self._queued -= requests
        self._queued_bytes -= size
        self._look_drained()

    def _look_drained(self) -> None:
        if self.on_drained is not None and not self._queued and not self.ahead.requests:
            self.on_drained()

    # Endings

    def end(
        self,
        entry: Entry,
        answer: Answer | None,
        error: PeltonError | None = None,
        now: float | None = None,
    ) -> None:
        """End an entry, wherever it is; the one place where entries end."""
        stage = entry.stage
        if stage is Stage.QUEUED:
            self._left(1, len(entry.body))
        elif stage is Stage.SENT:
            self.ahead.left(entry)
        entry.finish(now or self.clock(), answer, error)

    def _live(self) -> Iterator[Entry]:
        """Those whose deadlines count; also who runs for nobody: it should end by then."""
        yield from [entry for entry in self._queue if not entry.is_done]
        for lane in [*self._lanes, *self._leaving]:
            yield from lane.live

    def _expire(self, entry: Entry) -> None:
        lane = entry.lane
        if not entry.is_done:  # its client may have gone before
            self.end(entry, None, too_late(entry, self.clock()))
        if lane is not None:
            lane.expired()

    # Views

    def load(self) -> Load:
        """Return what admission decides on."""
        return Load(
            queued=self._queued + self.ahead.requests,
            queued_bytes=self._queued_bytes + self.ahead.body_bytes,
            idle_slots=len(self._idle),
            drained_per_s=self._drained_per_s or None,
        )

    def statistics(self) -> QueueStatistics:
        """Return a snapshot."""
        return QueueStatistics(
            queued=self._queued + self.ahead.requests,
            queued_bytes=self._queued_bytes + self.ahead.body_bytes,
            running=sum(1 for lane in self._lanes if lane.is_busy),
            lanes=len(self._lanes),
            idle=len(self._idle),
            drained_per_s=self._drained_per_s or None,
        )
