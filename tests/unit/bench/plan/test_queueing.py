import itertools
import math
import random
from collections.abc import Callable

import pytest

from pelton.bench.plan.queueing import Queue, erlang_c, least_slots


def simulated(rate: float, slots: int, service: Callable[[random.Random], float]) -> list[float]:
    """Waits of 200,000 Poisson arrivals, first come first served, after a warm-up."""
    chance = random.Random(1)
    free_at = [0.0] * slots
    now, waits = 0.0, []
    for number in range(220_000):
        now += chance.expovariate(rate)
        first = min(range(slots), key=free_at.__getitem__)
        start = max(now, free_at[first])
        free_at[first] = start + service(chance)
        if number >= 20_000:
            waits.append(start - now)
    return sorted(waits)


@pytest.mark.parametrize(("slots", "busy"), [(1, 0.5), (1, 0.8), (4, 0.7), (8, 0.85)])
@pytest.mark.parametrize("variability", [0.0, 1.0])
def test_waits_agree_with_a_simulation(slots: int, busy: float, variability: float) -> None:
    rate = busy * slots
    queue = Queue(rate, 1.0, slots, variability)
    draw = (lambda chance: 1.0) if variability == 0 else (lambda chance: chance.expovariate(1.0))
    waits = simulated(rate, slots, draw)
    assert queue.mean_wait_s == pytest.approx(sum(waits) / len(waits), rel=0.1)
    slow = waits[int(0.99 * len(waits))]
    assert queue.wait_s(99) == pytest.approx(slow, rel=0.2, abs=0.05)


def test_erlang_c_for_one_slot_is_its_utilisation() -> None:
    assert erlang_c(1, 0.6) == pytest.approx(0.6)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)


def test_the_mean_wait_of_one_slot_is_pollaczek_khinchine() -> None:
    assert Queue(0.8, 1.0, 1, 0.0).mean_wait_s == pytest.approx(0.8 / (2 * 0.2))
    assert Queue(0.8, 1.0, 1, 1.0).mean_wait_s == pytest.approx(0.8 / 0.2)


def test_more_than_every_slot_busy_never_ends() -> None:
    queue = Queue(10, 1.0, 10)
    assert queue.utilisation == 1
    assert queue.mean_wait_s == math.inf
    assert queue.latency_s(50) == math.inf


def test_latency_falls_with_slots_and_rises_with_rate() -> None:
    by_slots = [Queue(100, 0.05, slots, 0.3).latency_s(99) for slots in range(6, 30)]
    assert all(more <= fewer for fewer, more in itertools.pairwise(by_slots))
    by_rate = [Queue(rate, 0.05, 8, 0.3).latency_s(99) for rate in range(10, 150, 10)]
    assert all(slower >= faster for faster, slower in itertools.pairwise(by_rate))


def test_the_fewest_slots_are_found() -> None:
    slots = least_slots(100, 0.05, 0.0, percent=99, limit_s=0.1)
    assert slots is not None
    assert Queue(100, 0.05, slots).latency_s(99) <= 0.1
    assert slots == 6 or Queue(100, 0.05, slots - 1).latency_s(99) > 0.1


def test_without_an_objective_slots_stay_below_a_share() -> None:
    slots = least_slots(100, 0.05, 0.0, percent=None, limit_s=None, busy=0.7)
    assert slots == 8  # 5 busy on average, of 8


def test_what_is_too_slow_alone_has_no_number_of_slots() -> None:
    assert least_slots(100, 0.05, 0.0, percent=99, limit_s=0.04) is None
    assert least_slots(1e6, 1.0, 0.0, percent=99, limit_s=2.0, most=100) is None
