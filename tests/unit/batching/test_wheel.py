from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.puppet import FakeClock

from pelton.batching.entry import Entry
from pelton.batching.wheel import TICK_S, DeadlineWheel

_ROUNDING_S = 1e-6


def _entry(id: int, deadline: float) -> Entry:
    return Entry(id, b"", None, deadline, lambda _: None)


@given(
    timeouts_s=st.lists(st.floats(0.0, 5.0), max_size=30),
    removed=st.sets(st.integers(0, 29)),
)
def test_each_entry_expires_once_and_within_a_tick(
    timeouts_s: list[float], removed: set[int]
) -> None:
    clock = FakeClock()
    expired: dict[int, float] = {}

    def on_expired(entry: Entry) -> None:
        assert entry.id not in expired
        expired[entry.id] = clock()

    wheel = DeadlineWheel(on_expired, clock, clock.call_at)
    entries = [_entry(i, clock() + timeout_s) for i, timeout_s in enumerate(timeouts_s)]
    for entry in entries:
        wheel.add(entry)
    for id in removed:
        if id < len(entries):
            wheel.remove(entries[id])
    clock.advance(6.0)
    assert set(expired) == {e.id for e in entries} - removed
    for id, at in expired.items():
        late_s = at - entries[id].deadline
        assert -_ROUNDING_S <= late_s <= TICK_S + _ROUNDING_S
    assert clock.pending == []


def test_an_earlier_deadline_moves_the_timer(clock: FakeClock) -> None:
    expired: list[int] = []
    wheel = DeadlineWheel(lambda entry: expired.append(entry.id), clock, clock.call_at)
    wheel.add(_entry(1, clock() + 9.0))
    wheel.add(_entry(2, clock() + 1.0))
    assert len(clock.pending) == 1
    clock.advance(1.5)
    assert expired == [2]
    clock.advance(9.0)
    assert expired == [2, 1]


def test_removing_what_was_never_added_is_nothing(clock: FakeClock) -> None:
    DeadlineWheel(lambda _: None, clock, clock.call_at).remove(_entry(1, 5.0))


def test_one_that_expires_may_add_another(clock: FakeClock) -> None:
    expired: list[int] = []

    def on_expired(entry: Entry) -> None:
        expired.append(entry.id)
        if entry.id < 3:
            wheel.add(_entry(entry.id + 1, clock() + 1.0))

    wheel = DeadlineWheel(on_expired, clock, clock.call_at)
    wheel.add(_entry(1, clock() + 1.0))
    clock.advance(10.0)
    assert expired == [1, 2, 3]
