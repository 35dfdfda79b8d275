"""Doubles for unit tests: a clock that the test moves, and slots that the test answers for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import About, Answer, Entry

OK = Answer(About(200, "application/json"), b"{}")


class FakeTimer:
    """What ``FakeClock.call_at`` returns: an ``asyncio.TimerHandle`` as far as it is used."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeClock:
    """Monotonic seconds that only pass when the test says so; its timers fire meanwhile."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._timers: list[tuple[float, int, Callable[[], None], FakeTimer]] = []
        self._numbers = count()

    def __call__(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer()
        self._timers.append((when, next(self._numbers), callback, timer))
        return timer

    @property
    def pending(self) -> list[float]:
        """When the timers that are set will fire."""
        return sorted(when for when, _, _, timer in self._timers if not timer.is_cancelled)

    def advance(self, seconds: float) -> None:
        """Let time pass; each timer that is due fires at its own instant."""
        until = self.now + seconds
        while True:
            self._timers = [timer for timer in self._timers if not timer[3].is_cancelled]
            due = min(self._timers, default=None, key=lambda timer: timer[:2])
            if due is None or due[0] > until:
                break
            self._timers.remove(due)
            self.now = max(self.now, due[0])
            due[2]()
        self.now = until


class Puppet:
    """A slot whose batches run until the test answers them."""

    def __init__(self) -> None:
        self.batches: list[list[Entry]] = []
        self.cancelled: list[list[int]] = []
        self.dropped: list[int] = []
        self.recalled: list[list[int]] = []

    def run(self, batch: Sequence[Entry]) -> None:
        self.batches.append(list(batch))

    def cancel(self, batch: Sequence[Entry]) -> None:
        self.cancelled.append([entry.id for entry in batch])

    def drop(self, entry: Entry) -> None:
        self.dropped.append(entry.id)

    def recall(self, batch: Sequence[Entry]) -> None:
        self.recalled.append([entry.id for entry in batch])

    @property
    def ids(self) -> list[list[int]]:
        """The batches it was given, as ids."""
        return [[entry.id for entry in batch] for batch in self.batches]


class Desk:
    """Makes entries for a dispatcher and records how each ended."""

    def __init__(
        self,
        clock: FakeClock,
        *,
        queue_limit: int = 100,
        queue_limit_bytes: int = 10_000,
    ) -> None:
        self.clock = clock
        self.dispatcher = Dispatcher(Limits(queue_limit, queue_limit_bytes), clock, clock.call_at)
        self.ended: list[Entry] = []
        self._ids = count(1)

    def submit(self, *, timeout_s: float = 60.0, body: bytes = b"body") -> Entry:
        """Submit one entry; raises what the dispatcher raises."""
        entry = Entry(next(self._ids), body, None, self.clock() + timeout_s, self.ended.append)
        self.dispatcher.submit_nowait(entry)
        return entry

    @property
    def ended_ids(self) -> list[int]:
        """The entries that have ended, in that order."""
        return [entry.id for entry in self.ended]
