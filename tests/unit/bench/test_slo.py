import math

import pytest

from pelton.bench.histogram import Histogram
from pelton.bench.slo import Objective
from pelton.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("p99=50ms", Objective(99, 0.05)),
        ("P99.9<=2s", Objective(99.9, 2)),
        ("p50 < 1ms", Objective(50, 0.001)),
    ],
)
def test_objectives_are_read(text: str, objective: Objective) -> None:
    assert Objective.parse(text) == objective


@pytest.mark.parametrize("text", ["", "p99", "99=50ms", "p101=1s", "p0=1s", "p99=soon", "mean=1s"])
def test_what_is_no_objective_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError):
        Objective.parse(text)


def test_turning_callers_away_does_not_meet_an_objective() -> None:
    latency = Histogram()
    latency.record([0.01] * 98)
    objective = Objective(99, 0.05)
    assert objective.is_met(latency, 0)
    assert not objective.is_met(latency, 2)
    assert objective.value_s(latency, 2) == math.inf


def test_nothing_answered_is_not_met() -> None:
    assert not Objective(50, 1).is_met(Histogram(), 1)
