"""Which batches run in real time, and that a thread is told so only when it changes."""

from __future__ import annotations

import pytest

from pelton.worker.urgency import Urgency, is_brief


class Bench:
    def __init__(self, *, permitted: bool = True) -> None:
        self.now_s = 0.0
        self.told: list[bool] = []
        self._permitted = permitted
        self.urgency = Urgency(self._change, lambda: self.now_s)

    def _change(self, is_real_time: bool) -> bool:
        self.told.append(is_real_time)
        return self._permitted

    def batch(self, size: int, took_s: float) -> None:
        self.urgency.wait()
        self.urgency.begin(size)
        self.now_s += took_s


@pytest.mark.parametrize(
    ("size", "last_s", "brief"),
    [(200, 0.0, True), (200, 0.006, False), (300_000, 0.0, False), (256 * 1024, 0.005, True)],
)
def test_brief_is_what_is_small_and_follows_what_was_brief(
    size: int, last_s: float, brief: bool
) -> None:
    assert is_brief(size, last_s) is brief


def test_small_batches_that_take_little_stay_in_real_time() -> None:
    bench = Bench()
    for _ in range(3):
        bench.batch(200, 0.001)
    assert bench.told == [True]


def test_a_large_body_is_in_no_hurry_and_what_waits_after_it_is() -> None:
    bench = Bench()
    bench.batch(200, 0.001)
    bench.batch(16_000_000, 0.6)
    assert bench.told == [True, False]
    bench.urgency.wait()
    assert bench.told == [True, False, True]


def test_after_one_that_took_long_the_next_is_in_no_hurry_until_one_is_brief_again() -> None:
    bench = Bench()
    bench.batch(200, 0.02)
    bench.batch(200, 0.001)
    assert bench.told == [True, False]
    bench.batch(200, 0.001)
    assert bench.told == [True, False, True]


def test_a_check_afterwards_is_in_no_hurry_and_not_counted() -> None:
    bench = Bench()
    bench.batch(200, 0.001)
    bench.urgency.check()
    assert bench.told == [True, False]
    bench.now_s += 0.5
    bench.batch(200, 0.001)
    assert bench.told == [True, False, True]


def test_waiting_counts_for_nothing() -> None:
    bench = Bench()
    bench.batch(200, 0.001)
    bench.urgency.wait()
    bench.now_s += 0.5
    bench.batch(200, 0.001)
    assert bench.told == [True]


def test_what_is_not_permitted_changes_nothing() -> None:
    bench = Bench(permitted=False)
    bench.batch(200, 0.001)
    bench.batch(16_000_000, 0.6)
    assert False not in bench.told
