from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.admission.pace import Pace


def test_nothing_is_known_before_the_first_sample() -> None:
    assert Pace().drained_per_s(4) is None


def test_no_slot_drains_nothing() -> None:
    pace = Pace()
    pace.observe(1.0, 1)
    assert pace.drained_per_s(0) is None


def test_slots_and_batches_multiply_the_pace() -> None:
    pace = Pace()
    pace.observe(0.5, 10)  # ten requests in half a second of one slot
    assert pace.drained_per_s(1) == pytest.approx(20.0)
    assert pace.drained_per_s(4) == pytest.approx(80.0)


def test_first_samples_are_a_plain_mean() -> None:
    pace = Pace()
    for seconds in (1.0, 2.0, 3.0):
        pace.observe(seconds, 1)
    assert pace.drained_per_s(1) == pytest.approx(0.5)


def test_a_slower_model_is_noticed_within_some_dozens_of_requests() -> None:
    pace = Pace()
    for _ in range(1000):
        pace.observe(0.01, 1)
    for _ in range(60):
        pace.observe(1.0, 1)
    drained = pace.drained_per_s(1)
    assert drained is not None
    assert 1.0 < drained < 1.25


@given(samples=st.lists(st.tuples(st.floats(0.0, 1e4), st.integers(1, 256)), min_size=1))
def test_pace_lies_between_the_fastest_and_the_slowest(samples: list[tuple[float, int]]) -> None:
    pace = Pace()
    for slot_s, requests in samples:
        pace.observe(slot_s, requests)
    shares = [max(slot_s / requests, 1e-6) for slot_s, requests in samples]
    drained = pace.drained_per_s(1)
    assert drained is not None
    assert 1 / max(shares) * 0.999 <= drained <= 1 / min(shares) * 1.001
