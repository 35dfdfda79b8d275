import math

import pytest

from pelton.bench.plan import text
from pelton.bench.plan.cost import Cost
from pelton.bench.plan.profile import Profile
from pelton.bench.plan.recommend import (
    formula_slots,
    with_batching,
    without_batching,
    workload_size,
    workload_type,
)
from pelton.bench.slo import Objective
from pelton.tiers import GB


def profile(**changes: float) -> Profile:
    values: dict[str, float] = {
        "alone_s": 0.021,
        "alone_p99_s": 0.024,
        "service_s": 0.020,
        "variability": 0.01,
        "slot_per_s": 50.0,
        "two_slots_per_s": 98.0,
        "batched_per_s": 800.0,
        "batch": 32.0,
        "cpu_share": 0.1,
        "slot_bytes": GB,
        "shared_slot_bytes": GB // 10,
        "front_bytes": GB // 10,
        "load_s": 3.0,
        "cores": 2,
        **changes,
    }
    return Profile(**values)  # type: ignore[arg-type]


def test_a_cost_is_fitted_through_both_measurements() -> None:
    cost = Cost.fit(0.020, 800.0, 32.0)
    assert cost.time_s(1) == pytest.approx(0.020)
    assert cost.time_s(32) == pytest.approx(32 / 800)


def test_a_batch_settles_where_it_takes_as_long_as_its_requests_took_to_come() -> None:
    cost = Cost(0.02, 0.0005)
    size = cost.batch_at(500)
    assert size == pytest.approx(500 * cost.time_s(size))
    assert cost.batch_at(1) == 1.0
    assert cost.batch_at(2000) == math.inf
    assert cost.latency_s(2000, 99) == math.inf


def test_what_was_not_batched_costs_the_same_each_time() -> None:
    assert Cost.fit(0.02, 49.0, 1.0) == Cost(0.0, 0.02)


@pytest.mark.parametrize(
    ("slot_gb", "name"),
    [(0.2, "CPU"), (3.1, "CPU"), (3.5, "CPU_MEDIUM"), (7, "CPU_LARGE"), (20, None)],
)
def test_the_smallest_type_with_headroom_is_chosen(slot_gb: float, name: str | None) -> None:
    tier = workload_type(profile(slot_bytes=int(slot_gb * GB)))
    assert (tier.name if tier else None) == name


@pytest.mark.parametrize(
    ("slots", "size"), [(1, "Small"), (4, "Small"), (5, "Medium"), (16, "Medium"), (17, "Large")]
)
def test_the_smallest_size_that_reaches_so_far_is_chosen(slots: int, size: str) -> None:
    assert workload_size(slots) == size


def test_more_slots_than_any_size_has() -> None:
    assert workload_size(65) is None


def test_the_formula_is_littles_law() -> None:
    assert formula_slots(profile(), 200) == pytest.approx(4.0)


def test_databricks_is_provisioned_in_fours() -> None:
    choice = without_batching(profile(), 200, Objective(99, 0.1))
    assert choice is not None
    assert choice.slots in (5, 6)
    assert choice.provisioned == 8
    assert choice.size == "Medium"
    assert not choice.batching
    assert choice.latency_s <= 0.1


def test_batching_needs_fewer_slots() -> None:
    choice = with_batching(profile(), 200, Objective(99, 0.1))
    assert choice is not None
    assert choice.slots == 1
    assert choice.batching


def test_a_model_that_does_not_batch_is_planned_without() -> None:
    plain = without_batching(profile(batch=1.0), 200, Objective(99, 0.1))
    batching = with_batching(profile(batch=1.0), 200, Objective(99, 0.1))
    assert plain is not None
    assert batching is not None
    assert batching.slots == plain.slots


@pytest.mark.parametrize("choose", [with_batching, without_batching])
def test_an_objective_below_the_execution_time_has_no_choice(choose: object) -> None:
    assert choose(profile(), 200, Objective(99, 0.015)) is None  # type: ignore[operator]


def test_the_words_hold_the_numbers() -> None:
    known, objective = profile(), Objective(99, 0.1)
    words = "\n".join(
        [
            *text.measured(known),
            *text.formula(known, 200),
            *text.chosen(
                known,
                without_batching(known, 200, objective),
                with_batching(known, 200, objective),
                objective,
            ),
        ]
    )
    assert "200/s x 20 ms = 4.00, so 4 slots" in words
    assert "the queue never ends" in words
    assert "a batch of n takes" in words
    assert "workload type CPU (4 GB a slot), size Medium" in words
    assert "recommended for p99 ≤ 100 ms" in words


def test_cores_that_are_missing_are_said() -> None:
    busy = profile(cpu_share=1.0, two_slots_per_s=55.0)
    words = "\n".join([*text.formula(busy, 200), *text.chosen(busy, None, None, None)])
    assert "4 slots, busy, use 4.0 cores; here are 2" in words
    assert "more slots need more cores" in words
    assert "a lone request is too slow" in words
