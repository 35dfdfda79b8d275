from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.puppet import FakeClock

from pelton.batching.entry import Entry
from pelton.batching.expiry import TICK_S, Expiry
from pelton.compiled import Line

_ROUNDING_S = 1e-6


class Watched:
    """Entries under a timer; each that expires is noted, and ends."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.line = Line()
        self.live: list[Entry] = []
        self.expired: dict[int, float] = {}
        self.expiry = Expiry(self.line, lambda: self.live, self._end, clock, clock.call_at)

    def add(self, id: int, deadline: float) -> Entry:
        entry = Entry(id, b"", None, deadline, lambda _: None)
        self.live.append(entry)
        self.expiry.watch(deadline)
        return entry

    def _end(self, entry: Entry) -> None:
        assert entry.id not in self.expired
        self.expired[entry.id] = self.clock()
        self.live.remove(entry)


@given(
    waits_s=st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 5.0)), max_size=30),
    ended=st.sets(st.integers(0, 29)),
)
def test_each_entry_expires_once_and_within_a_tick(
    waits_s: list[tuple[float, float]], ended: set[int]
) -> None:
    watched = Watched(FakeClock())
    deadlines = {}
    for id, (pause_s, timeout_s) in enumerate(waits_s):
        watched.clock.advance(pause_s)
        entry = watched.add(id, watched.clock() + timeout_s)
        deadlines[id] = entry.deadline
        if id in ended:
            watched.live.remove(entry)
    watched.clock.advance(20.0)
    assert set(watched.expired) == set(deadlines) - ended
    for id, at in watched.expired.items():
        assert -_ROUNDING_S <= at - deadlines[id] <= TICK_S + _ROUNDING_S
    assert watched.clock.pending == []


def test_many_requests_have_one_timer(clock: FakeClock) -> None:
    watched = Watched(clock)
    for id in range(1000):
        watched.add(id, clock() + 120.0)
        watched.live.clear()
        clock.advance(0.05)
    assert len(clock.pending) == 1
    clock.advance(240.0)
    assert (clock.pending, watched.expired) == ([], {})


def test_an_earlier_deadline_moves_the_timer(clock: FakeClock) -> None:
    watched = Watched(clock)
    watched.add(1, clock() + 9.0)
    watched.add(2, clock() + 1.0)
    assert len(clock.pending) == 1
    clock.advance(1.5)
    assert list(watched.expired) == [2]
    clock.advance(9.0)
    assert list(watched.expired) == [2, 1]


def test_one_that_expires_may_add_another(clock: FakeClock) -> None:
    watched = Watched(clock)
    seen: list[int] = []

    def on_expired(entry: Entry) -> None:
        seen.append(entry.id)
        watched.live.remove(entry)
        if entry.id < 3:
            watched.live.append(Entry(entry.id + 1, b"", None, clock() + 1.0, lambda _: None))
            expiry.watch(clock() + 1.0)

    expiry = Expiry(watched.line, lambda: watched.live, on_expired, clock, clock.call_at)
    watched.live.append(Entry(1, b"", None, clock() + 1.0, lambda _: None))
    expiry.watch(clock() + 1.0)
    clock.advance(10.0)
    assert seen == [1, 2, 3]


def test_one_that_stays_is_told_of_with_the_next(clock: FakeClock) -> None:
    line, seen = Line(), []
    live = [Entry(id, b"", None, clock() + id, lambda _: None) for id in (1, 2, 3)]
    expiry = Expiry(line, lambda: live, lambda e: seen.append(e.id), clock, clock.call_at)
    for entry in live:
        expiry.watch(entry.deadline)
    clock.advance(10.0)
    assert seen == [1, 1, 2, 1, 2, 3]
    assert clock.pending == []
