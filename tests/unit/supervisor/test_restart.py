from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.supervisor.restart import WINDOW_S, delay_s, recent


@pytest.mark.parametrize(
    ("many", "seconds"), [(0, 0.0), (1, 0.0), (3, 0.0), (4, 0.5), (5, 1.0), (7, 4.0), (99, 30.0)]
)
def test_accidents_are_replaced_at_once_and_a_crash_loop_slows_down(
    many: int, seconds: float
) -> None:
    assert delay_s([1000.0] * many, 1001.0) == seconds


def test_what_happened_before_the_last_minute_is_forgotten() -> None:
    failures = [1000.0] * 10 + [1059.0]
    assert delay_s(failures, 1000.0 + WINDOW_S) == 0.0
    assert recent(failures, 1000.0 + WINDOW_S) == [1059.0]


@given(failures=st.lists(st.floats(0.0, 1000.0)), now=st.floats(0.0, 1000.0))
def test_delay_is_bounded_and_one_more_failure_never_shortens_it(
    failures: list[float], now: float
) -> None:
    assert 0.0 <= delay_s(failures, now) <= delay_s([*failures, now], now) <= 30.0
