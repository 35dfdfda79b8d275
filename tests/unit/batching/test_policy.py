"""How large a batch is, and how long it waits: pure decisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pelton.batching.policy import at_once, fair, hold_s, linger_s, share

WAITING = st.integers(1, 1000)
SECONDS = st.floats(0.0, 1.0)


def test_a_slot_that_has_the_cores_to_itself_takes_all() -> None:
    assert share(100, fixed_s=0.01, each_s=0.001, free=1) == 100
    assert share(100, fixed_s=0.01, each_s=0.001, free=0) == 100


def test_requests_that_cost_little_are_one_batch_whoever_is_idle() -> None:
    assert share(100, fixed_s=0.02, each_s=0.0001, free=2) == 100


def test_requests_that_cost_much_are_divided_among_the_idle() -> None:
    assert share(100, fixed_s=0.001, each_s=0.01, free=2) == 50
    assert share(101, fixed_s=0.001, each_s=0.01, free=2) == 51
    assert share(2, fixed_s=0.001, each_s=0.01, free=4) == 1


def test_a_batch_that_saves_little_takes_half() -> None:
    assert share(100, fixed_s=0.001, each_s=0.1, free=1) == 50
    assert share(101, fixed_s=0.0, each_s=0.1, free=1) == 51
    assert share(8, fixed_s=0.0, each_s=0.1, free=1) == 8, "few are never split"
    assert share(100, fixed_s=0.0, each_s=0.0, free=1) == 100, "nothing has been seen yet"


@given(WAITING, SECONDS, SECONDS, st.integers(-2, 9))
def test_the_idle_together_take_all(waiting: int, fixed: float, each: float, free: int) -> None:
    taken = share(waiting, fixed, each, free)
    assert 1 <= taken <= waiting
    assert max(2, free) * taken >= waiting


def test_no_request_waits_for_company_that_saves_little() -> None:
    assert hold_s(4, fixed_s=0.001, each_s=0.02) == 0.0
    assert hold_s(4, fixed_s=0.0, each_s=0.0) == 0.0


@given(WAITING, SECONDS, SECONDS)
def test_holding_is_bounded_by_the_fixed_cost(waiting: int, fixed: float, each: float) -> None:
    assert 0.0 <= hold_s(waiting, fixed, each) <= 4 * fixed


def test_lone_callers_are_never_kept() -> None:
    assert linger_s(1, 1, fixed_s=0.05) == 0.0


@given(WAITING, WAITING, SECONDS)
def test_lingering_is_bounded(waiting: int, expected: int, fixed_s: float) -> None:
    assert 0.0 <= linger_s(waiting, expected, fixed_s) <= min(0.1 * fixed_s, 0.005)


def test_cheap_batches_do_not_linger() -> None:
    assert linger_s(1, 100, fixed_s=0.001) == 0.0


def test_batches_that_fill_a_core_share_what_the_front_end_leaves() -> None:
    assert at_once(2 - 0.1, 0.95, lanes=2) == 2
    assert at_once(2 - 0.7, 0.95, lanes=2) == 1
    assert at_once(16 - 1.0, 0.9, lanes=4) == 4
    assert at_once(4 - 1.0, 1.0, lanes=16) == 3
    assert at_once(1 - 1.0, 1.0, lanes=4) == 1


def test_batches_that_sleep_or_use_an_accelerator_may_all_run() -> None:
    assert at_once(2, 0.02, lanes=8) == 8
    assert at_once(2, None, lanes=8) == 8


@given(population=st.integers(0, 1000), lanes=st.integers(1, 64), at_once=st.integers(1, 64))
def test_fair_shares_are_equal_and_take_all(population: int, lanes: int, at_once: int) -> None:
    most = fair(population, lanes, at_once)
    running = min(lanes, at_once)
    assert most * running >= population
    assert (most - 1) * running < population or most == 0
