"""What was measured while a model was tried."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Predictions:
    """Times of one request after another, from submission to answer, in seconds.

    Attributes:
        count: how many were asked.
        median_s: half of them took less.
        slowest_s: none took longer.
        path: how they were answered: "fast" or "oracle".
    """

    count: int
    median_s: float
    slowest_s: float
    path: str

    @classmethod
    def of(cls, times_s: Sequence[float], path: str) -> Predictions:
        """Sum up at least one."""
        return cls(len(times_s), statistics.median(times_s), max(times_s), path)


@dataclass(frozen=True)
class Measurements:
    """``None`` stands for what could not be measured, or was not reached.

    Attributes:
        python: version of the model's Python.
        mlflow: version of the model's mlflow.
        environment: which environment it ran in, and why.
        environment_s: until that was found or built.
        load_s: until the model was loaded, libraries included.
        reload_s: the same in another, fresh process.
        forked: whether workers are forked from one process that has loaded the model.
        one_worker_bytes: memory (PSS) of all the processes that one worker needs.
        two_workers_bytes: of those that two need.
        predictions: times of predictions.
        fast_path, fast_path_reason: whether MLflow's parsing can be gone round.
        batching, batching_reason: whether requests may be predicted together.
        workload_type: Databricks' name of the tier.
        budget_bytes: memory that a worker may use.
        used_bytes: memory of one worker, as it is held against the budget.
        slots: how many would be started here.
        slots_reason: the arithmetic.
    """

    python: str | None = None
    mlflow: str | None = None
    environment: str | None = None
    environment_s: float | None = None
    load_s: float | None = None
    reload_s: float | None = None
    forked: bool | None = None
    one_worker_bytes: int | None = None
    two_workers_bytes: int | None = None
    predictions: Predictions | None = None
    fast_path: bool | None = None
    fast_path_reason: str | None = None
    batching: bool | None = None
    batching_reason: str | None = None
    workload_type: str | None = None
    budget_bytes: int | None = None
    used_bytes: int | None = None
    slots: int | None = None
    slots_reason: str | None = None


def seen(report: dict[str, Any]) -> dict[str, Any]:
    """Return the measurements that a worker's own report has."""
    names = ("python", "mlflow", "fast_path", "fast_path_reason", "batching", "batching_reason")
    return {name: report.get(name) for name in names}
