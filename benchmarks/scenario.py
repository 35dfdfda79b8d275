"""What is measured: a model, the requests it gets, and how many callers at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Scenario:
    """One workload.

    Attributes:
        name: its name in results and tables.
        model: name of the model (``benchmarks/models``).
        about: what it stands for, in few words.
        rows: rows a request -> share of the requests.
        concurrency: callers at once, each a measurement of its own.
        distinct: different bodies of each size.
        duration_s: length of each measurement.
    """

    name: str
    model: str
    about: str
    rows: dict[int, float] = field(default_factory=lambda: {1: 1.0})
    concurrency: tuple[int, ...] = (1, 8, 32, 128)
    distinct: int = 32
    duration_s: float = 3.0

    @property
    def is_tensor(self) -> bool:
        """Whether its requests are tensors (``inputs``) and not tables (``dataframe_split``)."""
        return self.model == "tensor"


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario("tiny", "tiny", "scikit-learn, 4 columns, 1 row"),
        Scenario("wide1", "wide", "LightGBM, 100 columns, 1 row"),
        Scenario(
            "wide1000",
            "wide",
            "LightGBM, 100 columns, 1,000 rows (2 MB)",
            {1000: 1.0},
            (1, 8, 32),
            distinct=4,
            duration_s=8.0,
        ),
        Scenario("tensor", "tensor", "torch MLP, tensor of 784, 1 row"),
        Scenario("echo", "echo", "answers its input, 4 columns, 1 row"),
        Scenario("fixed", "fixed", "20 ms + 0.5 ms a row"),
        Scenario("slow", "slow", "250 ms a batch", concurrency=(1, 8), duration_s=8.0),
        Scenario("large", "large", "400 MB of arrays, 4 columns, 1 row", concurrency=(1, 8, 32)),
        Scenario(
            "mixed",
            "wide",
            "LightGBM, 100 columns: 1, 32 or 1,000 rows",
            {1: 0.80, 32: 0.15, 1000: 0.05},
            (8, 32),
            distinct=4,
            duration_s=8.0,
        ),
    )
}
