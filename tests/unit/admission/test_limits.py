from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pelton.admission.limits import Limits, Load, Refusal, retry_after_s

LIMITS = Limits(queue_limit=10, queue_limit_bytes=1000)

_loads = st.builds(
    Load,
    queued=st.integers(0, 100),
    queued_bytes=st.integers(0, 2000),
    idle_slots=st.integers(0, 4),
    drained_per_s=st.none() | st.floats(1e-3, 1e5),
)


def _load(
    queued: int = 0, queued_bytes: int = 0, idle_slots: int = 0, drained_per_s: float | None = None
) -> Load:
    return Load(queued, queued_bytes, idle_slots, drained_per_s)


def test_an_idle_slot_never_refuses() -> None:
    assert LIMITS.decide(_load(idle_slots=1, drained_per_s=0.01), remaining_s=0.001) is None


def test_queue_is_full_at_its_limit() -> None:
    assert LIMITS.decide(_load(queued=9), 60.0) is None
    assert LIMITS.decide(_load(queued=10), 60.0) is Refusal.QUEUE_FULL


def test_bytes_have_their_own_limit() -> None:
    assert LIMITS.decide(_load(queued=1, queued_bytes=999), 60.0) is None
    assert LIMITS.decide(_load(queued=1, queued_bytes=1000), 60.0) is Refusal.QUEUE_BYTES_FULL


def test_deadline_is_compared_with_the_measured_backlog() -> None:
    load = _load(queued=3, drained_per_s=2.0)  # 4 requests at 2 a second
    assert load.wait_s == 2.0
    assert LIMITS.decide(load, remaining_s=2.1) is None
    assert LIMITS.decide(load, remaining_s=1.9) is Refusal.DEADLINE_UNMEETABLE


def test_nothing_is_refused_on_a_pace_that_was_not_measured() -> None:
    assert LIMITS.decide(_load(queued=3), remaining_s=0.001) is None


def test_retry_is_when_the_backlog_will_have_drained() -> None:
    assert retry_after_s(_load(queued=9, drained_per_s=2.0)) == 5
    assert retry_after_s(_load(queued=9)) == 1
    assert retry_after_s(_load(queued=1000, drained_per_s=0.1)) == 60


@given(load=_loads, remaining_s=st.floats(0.0, 600.0))
def test_whoever_is_taken_can_be_served(load: Load, remaining_s: float) -> None:
    assert 1 <= retry_after_s(load) <= 60
    if LIMITS.decide(load, remaining_s) is None and load.idle_slots <= load.queued:
        assert load.queued < LIMITS.queue_limit
        assert load.queued_bytes < LIMITS.queue_limit_bytes
        assert load.wait_s <= remaining_s


@given(load=_loads, remaining_s=st.floats(0.0, 600.0), more_s=st.floats(0.0, 600.0))
def test_more_time_never_turns_yes_into_no(load: Load, remaining_s: float, more_s: float) -> None:
    if LIMITS.decide(load, remaining_s) is None:
        assert LIMITS.decide(load, remaining_s + more_s) is None
