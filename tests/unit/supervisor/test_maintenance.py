"""Which worker is old enough to be replaced."""

from __future__ import annotations

from pelton.supervisor.maintenance import Service, due, is_wanted


def test_limits_of_nought_are_none() -> None:
    assert not is_wanted(0.0, 0)
    assert is_wanted(1.0, 0)
    assert is_wanted(0.0, 1)
    assert due([Service("a", 1e9, 10**9)], 0.0, 0) is None


def test_nobody_is_due_well_before_a_limit() -> None:
    workers = [Service(f"worker-{n}", 899.0, 899) for n in range(50)]

    assert due(workers, 1000.0, 1000) is None


def test_everybody_is_due_at_a_limit() -> None:
    for n in range(50):
        assert due([Service(f"worker-{n}", 1000.0, 0)], 1000.0, 1000) == f"worker-{n}"
        assert due([Service(f"worker-{n}", 0.0, 1000)], 1000.0, 1000) == f"worker-{n}"


def test_the_one_furthest_past_its_limits_goes_first() -> None:
    workers = [Service("a", 1500.0, 0), Service("b", 0.0, 4000), Service("c", 2000.0, 10)]

    assert due(workers, 1000.0, 1000) == "b"


def test_workers_started_together_become_due_one_after_another() -> None:
    names = [f"worker-{n}" for n in range(8)]

    def when(name: str) -> float:
        return next(age for age in range(1001) if due([Service(name, age, 0)], 1000.0, 0))

    instants = [when(name) for name in names]
    assert len(set(instants)) == len(names)
    assert all(900 <= age <= 1000 for age in instants)


def test_no_workers() -> None:
    assert due([], 10.0, 10) is None
