from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelton.tiers import GB, SIZES, TIERS, plan_slots


@pytest.mark.parametrize(
    ("tier", "gigabytes"),
    [("CPU", 4), ("CPU_MEDIUM", 8), ("CPU_LARGE", 16), ("GPU_SMALL", 16), ("GPU_MEDIUM", 24)],
)
def test_budgets_are_those_of_databricks(tier: str, gigabytes: int) -> None:
    assert TIERS[tier].slot_bytes == gigabytes * GB


def test_only_gpu_types_have_gpus() -> None:
    assert all((tier.gpus > 0) == ("GPU" in name) for name, tier in TIERS.items())


def test_sizes_are_those_of_databricks() -> None:
    assert SIZES == {"Small": (4, 4), "Medium": (8, 16), "Large": (16, 64)}


def test_plan_grants_what_fits_and_says_why() -> None:
    plan = plan_slots(4, 4 * GB, 10 * GB)
    assert (plan.slots, plan.wanted, plan.is_reduced) == (2, 4, True)
    assert plan.reason == "4 slots x 4 GB = 16 GB of 10 GB"


@given(
    wanted=st.integers(1, 512),
    slot_bytes=st.integers(1, 64 * GB),
    memory_bytes=st.integers(0, 4096 * GB),
)
def test_plan_is_at_least_one_slot_and_fits_otherwise(
    wanted: int, slot_bytes: int, memory_bytes: int
) -> None:
    plan = plan_slots(wanted, slot_bytes, memory_bytes)
    assert 1 <= plan.slots <= wanted
    assert plan.slots == 1 or plan.slots * slot_bytes <= memory_bytes
    assert plan.is_reduced == (plan.slots < wanted)
