"""The server's end of one slot: the batch that it runs, and under load the one sent ahead.

Nothing here awaits. Owned by one event loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from pelton.batching.entry import Answer, Entry, Stage
from pelton.batching.policy import BatchLimits
from pelton.compiled import core
from pelton.errors import DeadlineExceeded, PeltonError

if TYPE_CHECKING:
    from pelton.batching.dispatch import Dispatcher

# The next batch is sent late in the present one's expected time, so that it is as large as may be,
# and early enough that the worker does not wait while the loop is busy with something else.
_AHEAD_SHARE = 0.6
_AT_ONCE = 0.0  # without batching, a batch that waits does not grow
_LATER_S = 0.0002
_LATE = 2.0  # times what was expected
_RECALL_S = 0.02  # what is ahead is not asked for before, however short batches are


class Slot(Protocol):
    """What a lane needs of a worker."""

    def run(self, batch: Sequence[Entry]) -> None:
        """Send a batch to the worker; its answers come back to the lane."""

    def cancel(self, batch: Sequence[Entry]) -> None:
        """Tell the worker that nobody waits for any of the batch any more."""

    def drop(self, entry: Entry) -> None:
        """Tell the worker not to begin with an entry of the batch that was sent ahead."""

    def recall(self, batch: Sequence[Entry]) -> None:
        """Ask for the batch that was sent ahead; ``Lane.returned`` is called if it comes back."""


class Lane:
    """One slot of one worker, as the queue sees it."""

    def __init__(
        self, dispatcher: Dispatcher, slot: Slot, limits: BatchLimits, *, in_order: bool
    ) -> None:
        self._dispatcher = dispatcher
        self._slot = slot
        self._started_at = 0.0
        self._earliest = 0.0
        self._batch: list[Entry] = []
        self._bytes = 0
        self._running: dict[int, Entry] = {}
        self._ahead: list[Entry] = []
        self._in_order = in_order
        self.due_at = math.inf
        """When the present batch is expected to be through; never, if that is unknown."""
        self.send_ahead_at = math.inf
        """When the next batch may be sent before this one is through."""
        self._is_cancelled = False
        self._rechecks = 0  # the batch (its first request) after which the slot checks something
        self._is_rechecking = False
        self._on_idle: Callable[[], None] | None = None
        self.busy_s = 0.0
        """For how long it has run something, all batches together."""
        self.limits = limits
        self.is_open = True

    @property
    def is_busy(self) -> bool:
        """Whether the slot is running something, whether or not anybody still waits for it."""
        return self._is_rechecking or bool(self._running)

    @property
    def running(self) -> int:
        """How many requests it is running."""
        return len(self._running)

    @property
    def live(self) -> list[Entry]:
        """What it runs and what waits in the worker: also whose clients have gone.

        The slot stays bounded by their deadlines.
        """
        return [*self._running.values(), *self._ahead]

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
        now = dispatcher.clock()
        ended, running = [], self._running
        for id, answer in answers:
            entry = running.pop(id, None)
            if entry is None:
                continue
            ended.append((entry, answer))
            if not running:
                dispatcher.batch_done(len(self._batch), now - self._started_at, self._bytes)
                self.busy_s += now - self._started_at
                if self._batch[0].id == self._rechecks:
                    self._is_rechecking = True
                self._batch = []
                self._go_on(now)
        if not ended:
            return
        if self.is_open and not self.is_busy:
            dispatcher.pull(self, coming=len(ended))
        for entry, answer in dispatcher.write_out(ended, now):
            if entry.stage is Stage.DONE:
                continue
            if answer is None:
                error = DeadlineExceeded("The request was cancelled.", stage=Stage.RUNNING.value)
                dispatcher.end(entry, None, error)
            else:
                dispatcher.end(entry, answer, None, now)
        if not self._running:
            self._notify_idle()
        elif self._earliest <= now:
            # The last one that anybody waited for may have been answered after another's deadline.
            self.expired()

    def fail(self, error: PeltonError) -> None:
        """End everything in the slot with ``error``: the worker is gone."""
        self.is_open = self._is_rechecking = False
        self._dispatcher.forget(self)
        running, self._running = self._running, {}
        for entry in running.values():
            if not entry.is_done:
                self._dispatcher.end(entry, None, error)
        ahead, self._ahead = self._ahead, []
        self._dispatcher.take_back(ahead)
        self._notify_idle()

    def start(self, batch: list[Entry], now: float) -> None:
        """Run a batch; the dispatcher calls it."""
        self._run(batch, now)
        self._slot.run(batch)
        self._look_ahead(now)

    def send_ahead(self, batch: list[Entry]) -> None:
        """Send the batch that is to run after the present one; the dispatcher calls it."""
        self._ahead = batch
        self.send_ahead_at = math.inf
        for entry in batch:
            entry.stage = Stage.SENT
            entry.lane = self
        self._slot.run(batch)

    @property
    def has_ahead(self) -> bool:
        """Whether a batch waits in the worker."""
        return bool(self._ahead)

    def recall_if_late(self, now: float) -> bool:
        """Ask for what was sent ahead if the present batch takes far longer than was expected.

        Returns whether it has asked.
        """
        if not self._is_late(now, _RECALL_S):
            return False
        self._slot.recall(self._ahead)
        return True

    def sent(self, id: int) -> list[Entry]:
        """Return the batch whose first request is ``id``; none if the slot has no such batch."""
        for batch in (self._ahead, self._batch if self._running else []):
            if batch and batch[0].id == id:
                return batch
        return []

    def returned(self, batch: list[Entry]) -> None:
        """The worker has given ``batch`` back: it has not begun it, and will not.

        Its answers to the one before may have come first: then the batch was thought to run.
        """
        if batch is self._ahead:
            self._ahead = []
        else:
            self._running.clear()
            self._batch = []
            self._go_on(self._dispatcher.clock())
        self._dispatcher.take_back(batch)
        self._pull_if_through()

    def rechecks(self, id: int) -> None:
        """The slot will check something once the batch whose first request is ``id`` is answered.

        Nobody should be sent to it meanwhile who could go elsewhere.
        """
        self._rechecks = id

    def through(self, id: int) -> None:
        """The slot is through with that; or it takes so long that nobody knows."""
        if id != self._rechecks:
            return
        self._rechecks = 0
        if self._is_rechecking:
            self._is_rechecking = False
            self._go_on(self._dispatcher.clock())
            self._pull_if_through()

    def _pull_if_through(self) -> None:
        if not self.is_busy and self.is_open:
            self._dispatcher.pull(self)
        self._notify_idle()

    def _go_on(self, now: float) -> None:
        """The present batch is through: what was sent ahead runs now."""
        self.send_ahead_at = math.inf
        if self._ahead and not self._is_rechecking:
            ahead, self._ahead = self._ahead, []
            for entry in ahead:
                if entry.stage is Stage.SENT:
                    self._dispatcher.ahead.left(entry)
            self._run(ahead, now)
            self._look_ahead(now)

    def _is_late(self, now: float, least_s: float = 0.0) -> bool:
        return now - self._started_at > max(_LATE * (self.due_at - self._started_at), least_s)

    def _look_ahead(self, now: float) -> None:
        if self.send_ahead_at <= now:
            self._dispatcher.look_ahead(now)

    def drop(self, entry: Entry) -> None:
        """The client of an entry that was sent ahead is gone: it should not run."""
        self._slot.drop(entry)

    def wants_ahead(self, waiting: int, most: int, now: float) -> bool:
        """Whether so many are worth a batch of their own; if not, ask again a little later.

        Not if the present one is late: nobody knows then when it will be through.
        """
        if self._is_late(now):
            self.send_ahead_at = math.inf
            return False
        least = len(self._batch) / 2
        if self._dispatcher.company.may_linger:
            least = min(most, self.limits.requests)
        if waiting >= least:
            return True
        self.send_ahead_at = now + _LATER_S
        return False

    def _may_send_ahead(self) -> bool:
        """Whether the next batch may wait in the worker.

        A request that is a batch of its own gains less than it loses where it would wait behind
        a slow one while another slot is idle. With one slot, there is no other.
        """
        return self._in_order and (self.limits.requests > 1 or self._dispatcher.lanes == 1)

    def _run(self, batch: list[Entry], now: float) -> None:
        """The slot runs ``batch`` from now on."""
        self._batch = batch
        self._is_cancelled = False
        self._started_at = now
        self._earliest, self._bytes = begin(batch, self._running, now, self)
        expected_s = self._dispatcher.expected_s(len(batch), self._bytes)
        self.due_at = now + expected_s
        if expected_s < math.inf and self._may_send_ahead():
            share = _AT_ONCE if self.limits.requests == 1 else _AHEAD_SHARE
            self.send_ahead_at = now + share * expected_s
            self._dispatcher.ahead.expect(self.send_ahead_at)

    def expired(self) -> None:
        """Cancel the batch, once, if nobody waits for any of it any more."""
        if self._is_cancelled or not self._running:
            return
        if all(entry.is_done for entry in self._running.values()):
            self._is_cancelled = True
            self._slot.cancel(self._batch)

    def _notify_idle(self) -> None:
        if not self._running and not self._ahead and self._on_idle is not None:
            on_idle, self._on_idle = self._on_idle, None
            on_idle()


def begin_reference(
    batch: list[Entry], running: dict[int, Entry], now: float, lane: Lane
) -> tuple[float, int]:
    """Note that ``lane`` runs ``batch`` from ``now`` on, in ``running`` and in the entries.

    Returns:
        The earliest of their deadlines, and the size of their bodies.
    """
    earliest, size = math.inf, 0
    for entry in batch:
        running[entry.id] = entry
        size += len(entry.body)
        earliest = min(earliest, entry.deadline)
        if entry.stage is Stage.DONE:  # its client left while it was ahead
            continue
        entry.stage = Stage.RUNNING
        entry.started_at = now
        entry.lane = lane
    return earliest, size


begin: Callable[[list[Entry], dict[int, Entry], float, Lane], tuple[float, int]] = (
    begin_reference if core is None else core.begin
)
