"""Workers are forked from a process that has loaded the model once: with every kind of library.

Thread pools are the trap: a pool that was used before the fork hangs in the child. So each model
gets a prediction large enough for its library to use several threads, in a worker that may.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Serve
from tests.zoo import build

ROWS = 4000


@pytest.mark.parametrize("name", ["sklearn-wide", "lightgbm", "torch", "onnx"])
def test_a_forked_worker_predicts_with_several_threads(live_endpoint: Serve, name: str) -> None:
    model = build(name)
    example = json.loads((model / "serving_input_example.json").read_text())
    endpoint = live_endpoint(model, "--concurrency", "1", variables={"OMP_NUM_THREADS": "2"})
    fork_server = endpoint.fork_server()

    small = endpoint.ask(example).json()["predictions"]
    large = endpoint.ask(_repeated(example)).json()["predictions"]

    # The last digits may depend on the number of rows: sums are taken in another order.
    assert _first(large) == pytest.approx(_first(small), rel=1e-5)
    assert _parent(endpoint.worker()) == fork_server
    assert "forkserver.off" not in endpoint.log()


def _repeated(example: dict[str, Any]) -> dict[str, Any]:
    """The first row of the example, many times."""
    if "inputs" in example:
        return {"inputs": example["inputs"][:1] * ROWS}
    split = example["dataframe_split"]
    return {"dataframe_split": {"columns": split["columns"], "data": split["data"][:1] * ROWS}}


def _first(predictions: Any) -> list[float]:
    """The numbers of the first row's prediction."""
    if isinstance(predictions, dict):
        return [number for values in predictions.values() for number in _first(values)]
    row = predictions[0]
    if isinstance(row, dict):
        return list(row.values())
    return row if isinstance(row, list) else [row]


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])
