"""The queue and its lanes: an entry waits until an idle slot pulls it.

A *lane* is the server's end of one slot: it holds the batch that the slot is running. Nothing
here awaits, so there is no moment between check and take. Owned by one event loop.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pelton.admission.limits import Limits, Load, Refusal, retry_after_s
from pelton.admission.pace import Pace
from pelton.batching.cost import CostModel
from pelton.batching.entry import Answer, Entry, Stage
from pelton.batching.policy import NO_BATCHING, BatchLimits
from pelton.batching.wheel import CallAt, DeadlineWheel
from pelton.deadline import Clock
from pelton.errors import (
    DeadlineExceeded,
    DeadlineUnmeetable,
    PeltonError,
    QueueFull,
)


class Slot(Protocol):
    """What a lane needs of a worker."""

    def run(self, batch: Sequence[Entry]) -> None:
        """Send a batch to the worker; its answers come back to the lane."""

    def cancel(self, batch: Sequence[Entry]) -> None:
        """Tell the worker that nobody waits for any of the batch any more."""


@dataclass(frozen=True)
class QueueStatistics:
    """An immutable snapshot of the queue, for metrics, scaling and admission."""

    queued: int
    queued_bytes: int
    running: int
    lanes: int
    idle: int
    drained_per_s: float | None


class Lane:
    """One slot of one worker, as the queue sees it."""

    def __init__(self, dispatcher: Dispatcher, slot: Slot, limits: BatchLimits) -> None:
        self._dispatcher = dispatcher
        self._slot = slot
        self._started_at = 0.0
        self._earliest = 0.0
        self._batch: list[Entry] = []
        self._running: dict[int, Entry] = {}
        self._is_cancelled = False
        self._on_idle: Callable[[], None] | None = None
        self.limits = limits
        self.is_open = True

    @property
    def is_busy(self) -> bool:
        """Whether the slot is running something, whether or not anybody still waits for it."""
        return bool(self._running)

    @property
    def busy_since(self) -> float | None:
        """When the present batch began, in seconds of the monotonic clock."""
        return self._started_at if self._running else None

    def close(self, on_idle: Callable[[], None]) -> None:
        """Stop pulling; ``on_idle`` is called once nothing is running (perhaps now)."""
        self.is_open = False
        self._dispatcher.forget(self)
        self._on_idle = on_idle
        self._notify_idle()

    def answered(self, answers: Iterable[tuple[int, Answer | None]]) -> None:
        """Take answers that came together; ``None`` acknowledges a cancellation.

        The slot gets its next batch before the callers get their answers, so that it works while
        those are written.
        """
        dispatcher = self._dispatcher
        ended = [
            (entry, answer)
            for id, answer in answers
            if (entry := self._running.pop(id, None)) is not None
        ]
        if not ended:
            return
        now = dispatcher.clock()
        is_through = not self._running
        if is_through:
            dispatcher.batch_done(len(self._batch), now - self._started_at)
            self._batch = []
            if self.is_open:
                dispatcher.pull(self)
        for entry, answer in ended:
            if entry.stage is Stage.DONE:
                dispatcher.wheel.remove(entry)
            elif answer is None:
                error = DeadlineExceeded("The request was cancelled.", stage=Stage.RUNNING.value)
                dispatcher.end(entry, None, error)
            else:
                dispatcher.end(entry, answer)
        if is_through:
            self._notify_idle()
        elif self._earliest <= now:
            # The last one that anybody waited for may have been answered after another's deadline.
            self.expired()

    def fail(self, error: PeltonError) -> None:
        """End everything in the slot with ``error``: the worker is gone."""
        self.is_open = False
        self._dispatcher.forget(self)
        running, self._running = self._running, {}
        for entry in running.values():
            if entry.is_done:
                self._dispatcher.wheel.remove(entry)
            else:
                self._dispatcher.end(entry, None, error)
        self._notify_idle()

    def start(self, batch: list[Entry], now: float) -> None:
        """Run a batch; the dispatcher calls it."""
        self._batch = batch
        self._is_cancelled = False
        self._started_at = now
        self._earliest = min([entry.deadline for entry in batch])
        running = Stage.RUNNING
        for entry in batch:
            entry.stage = running
            entry.started_at = now
            entry.lane = self
            self._running[entry.id] = entry
        self._slot.run(batch)

    def expired(self) -> None:
        """Cancel the batch, once, if nobody waits for any of it any more."""
        if self._is_cancelled or not self._running:
            return
        if all(entry.is_done for entry in self._running.values()):
            self._is_cancelled = True
            self._slot.cancel(self._batch)

    def _notify_idle(self) -> None:
        if not self._running and self._on_idle is not None:
            on_idle, self._on_idle = self._on_idle, None
            on_idle()


class Dispatcher:
    """The queue of one served entity.

    Args:
        limits: bounds of the queue.
        clock: monotonic seconds.
        call_at: sets a timer on that clock; the running loop's by default.
    """

    def __init__(self, limits: Limits, clock: Clock, call_at: CallAt | None = None) -> None:
        self.clock = clock
        self.pace = Pace()
        self.cost = CostModel()
        self.wheel = DeadlineWheel(self._expire, clock, call_at)
        self._limits = limits
        self._queue: deque[Entry] = deque()
        self._queued = 0
        self._queued_bytes = 0
        self._drained_per_s = 0.0  # 0 is unknown
        self._lanes: dict[Lane, None] = {}
        # A stack: few busy workers keep their caches warm, and the rest can be retired.
        self._idle: dict[Lane, None] = {}
        self._refuse: Callable[[], PeltonError] | None = None
        self.on_waiting: Callable[[], None] | None = None
        """Called when a request has to wait; scaling listens."""
        self.on_drained: Callable[[], None] | None = None
        """Called when the last waiting request has left the queue; shutdown listens."""

    # Admission

    def refuse_with(self, refuse: Callable[[], PeltonError] | None) -> None:
        """Refuse everything new with the error that ``refuse`` makes, until called with None."""
        self._refuse = refuse

    def check_nowait(self, deadline: float) -> None:
        """Raise what ``submit_nowait`` would raise now; before a body is read.

        Raises:
            RejectedError: QueueFull, DeadlineUnmeetable, NotReady or Draining.
        """
        if self._refuse is not None:
            raise self._refuse()
        # The common cases, as `decide` finds them.
        queued = self._queued
        if len(self._idle) > queued:
            return
        if (
            queued < self._limits.queue_limit
            and self._queued_bytes < self._limits.queue_limit_bytes
            and queued + 1 <= self._drained_per_s * (deadline - self.clock())
        ):
            return
        load = self.load()
        refusal = self._limits.decide(load, deadline - self.clock())
        if refusal is None:
            return
        retry_s = retry_after_s(load)
        if refusal is Refusal.DEADLINE_UNMEETABLE:
            raise DeadlineUnmeetable(
                f"{load.queued} requests are waiting, about {load.wait_s:.2g} s of work: the"
                f" request cannot be answered before its deadline. Retry after {retry_s} s,"
                f" or give it more time.",
                retry_after_s=retry_s,
            )
        raise QueueFull(
            f"Too many concurrent requests: {load.queued} are waiting for {len(self._lanes)}"
            f" slots. Consider increasing the provisioned concurrency (--concurrency) of the"
            f" served entity, or retry after {retry_s} s.",
            retry_after_s=retry_s,
        )

    def submit_nowait(self, entry: Entry) -> None:
        """Take an entry: run it at once on an idle slot, or queue it.

        Raises:
            RejectedError: it was not taken.
        """
        self.check_nowait(entry.deadline)
        now = self.clock()
        entry.queued_at = now
        self.wheel.add(entry)
        if self._idle and not self._queued:
            lane, _ = self._idle.popitem()
            lane.start([entry], now)
            return
        if len(self._queue) > 2 * self._queued + 64:  # mostly those that have left early
            self._queue = deque(waiting for waiting in self._queue if not waiting.is_done)
        self._queue.append(entry)
        self._queued += 1
        self._queued_bytes += len(entry.body)
        if self.on_waiting is not None:
            self.on_waiting()

    def drop(self, entry: Entry) -> None:
        """The client is gone: a queued entry is never run, a running one runs to no avail.

        The slot stays bounded by the deadline: it is interrupted then, if it still runs.
        """
        if entry.is_done:
            return
        was_running = entry.stage is Stage.RUNNING
        self.end(entry, None)
        if was_running:
            self.wheel.add(entry)

    def reject_queued(self, error: Callable[[], PeltonError]) -> int:
        """End everything that waits with an error; returns how many that were."""
        waiting = [entry for entry in self._queue if not entry.is_done]
        for entry in waiting:
            self.end(entry, None, error())
        return len(waiting)

    # Lanes

    def open_lane(self, slot: Slot, limits: BatchLimits = NO_BATCHING) -> Lane:
        """Add a slot; it pulls at once."""
        lane = Lane(self, slot, limits)
        self._lanes[lane] = None
        self._measure_pace()
        self.pull(lane)
        return lane

    def forget(self, lane: Lane) -> None:
        """A lane has closed."""
        self._lanes.pop(lane, None)
        self._idle.pop(lane, None)
        self._measure_pace()

    def pull(self, lane: Lane) -> None:
        """Give a free lane the next batch, or remember it as idle."""
        now = self.clock()
        batch = self._form(lane.limits, now)
        if batch:
            lane.start(batch, now)
        else:
            self._idle[lane] = None

    def _form(self, limits: BatchLimits, now: float) -> list[Entry]:
        """Take a batch from the head of the queue; the late and the gone are left out.

        It is closed before one more request would make it too long for the tightest deadline.
        """
        batch: list[Entry] = []
        size = 0
        fixed_s, each_s = self.cost.fit() or (0.0, 0.0)
        tightest = math.inf
        while self._queue and len(batch) < limits.requests:
            entry = self._queue[0]
            if entry.is_done:
                self._queue.popleft()
                continue
            if entry.deadline <= now:
                self._queue.popleft()
                self._expire(entry)
                continue
            size += len(entry.body)
            tightest = min(tightest, entry.deadline)
            too_long = now + fixed_s + each_s * (len(batch) + 1) > tightest
            if batch and (size > limits.body_bytes or too_long):
                break
            self._queue.popleft()
            self._left(entry)
            batch.append(entry)
        return batch

    def batch_done(self, requests: int, seconds: float) -> None:
        """Learn from a batch; its lane calls it."""
        self.pace.observe(seconds, requests)
        self.cost.observe(requests, seconds)
        self._measure_pace()

    def _measure_pace(self) -> None:
        self._drained_per_s = self.pace.drained_per_s(len(self._lanes)) or 0.0

    def _left(self, entry: Entry) -> None:
        self._queued -= 1
        self._queued_bytes -= len(entry.body)
        if not self._queued and self.on_drained is not None:
            self.on_drained()

    # Endings

    def end(self, entry: Entry, answer: Answer | None, error: PeltonError | None = None) -> None:
        """End an entry, wherever it is; the one place where entries end."""
        if entry.stage is Stage.QUEUED:
            self._left(entry)
        self.wheel.remove(entry)
        entry.finish(self.clock(), answer, error)

    def _expire(self, entry: Entry) -> None:
        stage = entry.stage
        lane = entry.lane
        if stage is Stage.DONE:  # its client had gone before
            if lane is not None:
                lane.expired()
            return
        spent_s = self.clock() - entry.queued_at
        where = "waiting for a slot" if stage is Stage.QUEUED else "being predicted"
        error = DeadlineExceeded(
            f"Timed out after {spent_s:.3g} s while {where}. Verify that the model evaluates"
            f" within the timeout, or raise it (--timeout).",
            stage=stage.value,
        )
        self.end(entry, None, error)
        if lane is not None:
            lane.expired()

    # Views

    def load(self) -> Load:
        """Return what admission decides on."""
        return Load(
            queued=self._queued,
            queued_bytes=self._queued_bytes,
            idle_slots=len(self._idle),
            drained_per_s=self._drained_per_s or None,
        )

    def statistics(self) -> QueueStatistics:
        """Return a snapshot."""
        return QueueStatistics(
            queued=self._queued,
            queued_bytes=self._queued_bytes,
            running=sum(1 for lane in self._lanes if lane.is_busy),
            lanes=len(self._lanes),
            idle=len(self._idle),
            drained_per_s=self._drained_per_s or None,
        )
