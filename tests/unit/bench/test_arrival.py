import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.bench.arrival import Arrivals

rates = st.floats(1, 2000)


@given(rates, st.floats(0.5, 20))
def test_constant_arrivals_are_equally_apart(rate: float, duration_s: float) -> None:
    times = list(Arrivals(rate, rate, duration_s, poisson=False).times())
    assert times[0] == 0
    assert len(times) in (math.floor(rate * duration_s), math.ceil(rate * duration_s) + 1) or (
        abs(len(times) - rate * duration_s) <= 1
    )
    for before, after in itertools.pairwise(times[:100]):
        assert after - before == pytest.approx(1 / rate)


@given(rates, rates, st.floats(0.5, 10), st.booleans())
def test_arrivals_ascend_within_the_duration(
    first: float, last: float, duration_s: float, poisson: bool
) -> None:
    times = list(Arrivals(first, last, duration_s, poisson).times())
    assert times == sorted(times)
    assert all(0 <= t < duration_s for t in times)


@given(st.floats(100, 2000), st.floats(100, 2000), st.integers(0, 1000))
def test_poisson_arrivals_are_as_many_as_expected(first: float, last: float, seed: int) -> None:
    arrivals = Arrivals(first, last, 10.0, seed=seed)
    times = list(arrivals.times())
    for until in (5.0, 10.0):
        expected = arrivals.expected(until)
        seen = sum(t < until for t in times)
        assert abs(seen - expected) < 6 * math.sqrt(expected)  # six sigma


def test_poisson_gaps_are_exponential() -> None:
    times = list(Arrivals(1000, 1000, 20.0).times())
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.1)


def test_equal_seeds_make_equal_schedules() -> None:
    one, two = Arrivals(50, 50, 3.0, seed=3), Arrivals(50, 50, 3.0, seed=4)
    assert list(one.times()) == list(one.times())
    assert list(one.times()) != list(two.times())


def test_a_constant_ramp_has_the_rate_it_says_in_each_part() -> None:
    arrivals = Arrivals(100, 300, 10.0, poisson=False)
    times = list(arrivals.times())
    for second in range(10):
        expected = arrivals.expected(second + 1) - arrivals.expected(second)
        assert sum(second <= t < second + 1 for t in times) == pytest.approx(expected, abs=2)
    assert arrivals.rate_at(5.0) == 200
