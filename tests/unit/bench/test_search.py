import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.bench.search import Search


def find(search: Search, capacity: float) -> float | None:
    while (rate := search.next_rate()) is not None:
        search.observe(rate, met=rate <= capacity)
    return search.best


@given(st.floats(1, 10_000), st.floats(0.05, 5))
def test_the_highest_rate_is_found_within_the_precision(capacity: float, off: float) -> None:
    search = Search(capacity * off, tries=40)
    best = find(search, capacity)
    assert best is not None
    assert capacity / search.precision <= best <= capacity
    assert search.is_confirmed


def test_it_ends_where_nothing_can_pass() -> None:
    search = Search(100.0, tries=100)
    assert find(search, 0.0) is None
    assert 0 < len(search.failed) < 30


def test_it_goes_no_higher_than_it_may() -> None:
    search = Search(100.0, highest=500.0)
    assert find(search, 1e9) == 500.0
    assert search.is_confirmed


def test_tries_are_bounded_whatever_the_target_does() -> None:
    coin = random.Random(1)
    search = Search(100.0, tries=14)
    measured = 0
    while (rate := search.next_rate()) is not None:
        search.observe(rate, met=coin.random() < 0.5)
        measured += 1
    assert measured <= 14


def test_a_pass_above_a_failure_was_luck() -> None:
    search = Search(100.0)
    search.observe(100.0, met=True)
    search.observe(80.0, met=False)
    assert search.best is None
    search.observe(60.0, met=True)
    assert search.best == 60.0


def test_the_best_must_pass_twice() -> None:
    search = Search(100.0)
    search.observe(100.0, met=True)
    search.observe(104.0, met=False)
    assert search.next_rate() == 100.0
    search.observe(100.0, met=False)
    assert search.best is None
    assert search.next_rate() == pytest.approx(100 / 1.6)
