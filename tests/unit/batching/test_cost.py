"""The cost model of a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.batching.cost import CostModel, UsualSize


def test_nothing_is_known_at_first() -> None:
    model = CostModel()
    model.observe(1, 0.1)

    assert model.seconds(10) is None


@given(
    st.floats(0.0, 1.0),
    st.floats(0.0001, 0.1),
    st.lists(st.integers(1, 128), min_size=20, max_size=60).filter(lambda n: len(set(n)) > 3),
)
def test_a_linear_cost_is_found(fixed: float, each: float, sizes: list[int]) -> None:
    model = CostModel()
    for size in sizes:
        model.observe(size, fixed + each * size)

    assert model.seconds(64) == pytest.approx(fixed + 64 * each, rel=1e-3, abs=1e-6)


def test_batches_of_one_size_promise_nothing_of_larger_ones() -> None:
    model = CostModel()
    for _ in range(20):
        model.observe(1, 0.02)

    assert model.seconds(10) == pytest.approx(0.2)


def test_a_model_that_becomes_slower_is_followed() -> None:
    model = CostModel()
    for size in [1, 8, 32] * 20:
        model.observe(size, 0.01)
    for size in [1, 8, 32] * 200:
        model.observe(size, 0.05 + 0.001 * size)

    assert model.seconds(32) == pytest.approx(0.082, rel=0.05)


@given(st.lists(st.tuples(st.integers(1, 256), st.floats(0.0, 10.0)), min_size=8, max_size=50))
def test_no_history_gives_a_negative_cost(history: list[tuple[int, float]]) -> None:
    model = CostModel()
    for size, seconds in history:
        model.observe(size, seconds)
    fitted = model.fit()

    assert fitted is not None
    assert min(fitted) >= 0.0


def test_one_batch_that_takes_long_changes_little() -> None:
    model = CostModel()
    for size in [1, 8, 32] * 20:
        model.observe(size, 0.001 + 0.0001 * size)
    model.observe(8, 60.0)

    assert model.seconds(8) == pytest.approx(0.0018, rel=0.25)


def test_a_hundred_times_slower_is_learned_in_a_hundred_batches() -> None:
    model = CostModel()
    for size in [1, 8, 32] * 20:
        model.observe(size, 0.001)
    for size in [1, 8, 32] * 40:
        model.observe(size, 0.1)

    assert model.seconds(8) == pytest.approx(0.1, rel=0.2)


def test_a_few_large_bodies_do_not_become_the_usual() -> None:
    sizes = UsualSize()
    assert not sizes.is_odd(10**8), "nothing is odd before anything was seen"
    for _ in range(100):
        for size in (2_000, 2_000, 2_000, 16_000_000):
            sizes.observe(size)
    assert sizes.is_odd(16_000_000)
    assert not sizes.is_odd(40_000), "small is small"


def test_large_bodies_are_usual_where_all_are() -> None:
    sizes = UsualSize()
    for _ in range(10):
        sizes.observe(2_000_000)
    assert not sizes.is_odd(4_000_000)
