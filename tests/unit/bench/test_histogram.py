import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.bench.histogram import BUCKETS_PER_OCTAVE, Histogram

durations = st.lists(st.floats(1e-6, 4000.0), min_size=1, max_size=200)


def of(*values: float) -> Histogram:
    histogram = Histogram()
    histogram.record(values)
    return histogram


@given(durations, st.floats(0, 100))
def test_a_percentile_is_off_by_half_a_bucket_at_most(values: list[float], percent: float) -> None:
    true = float(np.percentile(values, percent, method="inverted_cdf"))
    half = 2 ** (0.51 / BUCKETS_PER_OCTAVE)
    assert true / half <= of(*values).percentile(percent) <= true * half


@given(durations, durations)
def test_histograms_add(first: list[float], second: list[float]) -> None:
    added = of(*first)
    added.add(of(*second))
    together = of(*first, *second)
    assert (added.counts == together.counts).all()
    assert added.total == together.total
    assert added.mean_s == pytest.approx(together.mean_s)
    assert (added.min_s, added.max_s) == (together.min_s, together.max_s)


def test_the_missed_are_slower_than_any() -> None:
    histogram = of(*[0.01] * 98)
    assert histogram.percentile(98, missed=2) == pytest.approx(0.01, rel=0.01)
    assert histogram.percentile(99, missed=2) == math.inf


def test_an_empty_histogram_has_no_percentiles() -> None:
    assert math.isnan(Histogram().percentile(99))
    assert math.isnan(Histogram().mean_s)
    assert Histogram().summary() == {"count": 0}
    assert Histogram().buckets() == []


def test_all_missed_is_infinitely_slow() -> None:
    assert Histogram().percentile(50, missed=3) == math.inf


def test_what_is_out_of_range_is_counted_at_its_edge() -> None:
    histogram = of(0.0, 1e9)
    assert histogram.total == 2
    assert histogram.percentile(100) == pytest.approx(2**32 * 1e-6, rel=0.01)


def test_mean_and_deviation_are_exact() -> None:
    histogram = of(1.0, 2.0, 3.0)
    assert histogram.mean_s == 2.0
    assert histogram.stdev_s == pytest.approx(math.sqrt(2 / 3))


def test_buckets_hold_every_value_once() -> None:
    buckets = of(0.001, 0.0011, 0.5).buckets()
    assert sum(count for _, count in buckets) == 3
    assert buckets[0][0] >= 0.001
    assert buckets[-1][0] >= 0.5
    assert [edge for edge, _ in buckets] == sorted(edge for edge, _ in buckets)
