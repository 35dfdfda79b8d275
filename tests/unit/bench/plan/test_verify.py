import asyncio

import pytest

from pelton.bench.plan.measure import Trial
from pelton.bench.plan.verify import Verdict, settle


def settled(start: int, needed: int, most: int = 100) -> Verdict:
    async def run(slots: int) -> Trial:
        met = slots >= needed
        return Trial(slots, False, 100.0, 100.0, 0.01 if met else 1.0, 0, met)

    return asyncio.run(settle(start, most, run, "here are 2 cores"))


def test_a_choice_that_holds_is_run_with_one_slot_less() -> None:
    verdict = settled(start=4, needed=4)
    assert [trial.slots for trial in verdict.trials] == [4, 3]
    assert (verdict.slots, verdict.why) == (4, "3 missed it")


def test_a_cautious_choice_comes_down() -> None:
    verdict = settled(start=5, needed=3)
    assert [trial.slots for trial in verdict.trials] == [5, 4, 3, 2]
    assert verdict.slots == 3


def test_a_bold_choice_goes_up() -> None:
    verdict = settled(start=2, needed=3)
    assert [trial.slots for trial in verdict.trials] == [2, 3]
    assert (verdict.slots, verdict.why) == (3, "2 missed it")


def test_one_slot_is_the_least() -> None:
    verdict = settled(start=1, needed=1)
    assert (verdict.slots, verdict.why) == (1, "one slot is the least there is")


def test_more_than_the_cores_is_not_run() -> None:
    verdict = settled(start=8, needed=8, most=2)
    assert verdict.trials == []
    assert verdict.why == "not run: 8 slots, but here are 2 cores"


def test_it_ends_at_the_cores() -> None:
    verdict = settled(start=2, needed=9, most=3)
    assert verdict.slots is None
    assert verdict.why == "3 missed it, and here are 2 cores"


def test_a_miss_while_the_machine_was_disturbed_is_run_again() -> None:
    runs: list[int] = []

    async def run(slots: int) -> Trial:
        runs.append(slots)
        disturbed = len(runs) == 1
        met = slots >= 2 and not disturbed
        return Trial(slots, False, 100.0, 100.0, 1.0, 0, met, 0.2 if disturbed else 0.0)

    verdict = asyncio.run(settle(2, 10, run, "here are 2 cores"))
    assert runs == [2, 2, 1]
    assert verdict.slots == 2


@pytest.mark.parametrize("needed", [1, 50])
def test_runs_are_bounded(needed: int) -> None:
    verdict = settled(start=20, needed=needed)
    assert len(verdict.trials) == 8
    assert "not settled" in verdict.why
