"""BentoML: adaptive batching around MLflow's model, rows as an array (its frames do not batch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from benchmarks.models.cache import CACHE
from benchmarks.peers.environment import Environment
from benchmarks.scenario import Scenario
from benchmarks.server import Launch, Server

_APPS: Final = Path(__file__).parent / "apps"
_ENVIRONMENT: Final = Environment("bentoml", ("bentoml",))


def _launch(model: Path, port: int, scenario: Scenario) -> Launch:
    return Launch(
        [
            *(str(_ENVIRONMENT.bin / "bentoml"), "serve", "bentoml_app:Service"),
            *("--working-dir", str(_APPS), "--host", "127.0.0.1", "--port", str(port)),
        ],
        "/readyz",
        "/predict",
        {
            "MODEL": str(model),
            "TENSOR": "1" if scenario.is_tensor else "",
            # It counts rows, and would split a request of more.
            "MAX_BATCH": str(max(64, 4 * max(scenario.rows))),
            "BENTOML_HOME": str(CACHE / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "PATH": f"{_ENVIRONMENT.bin}:/usr/bin:/bin",
        },
        _translate,
        lambda answer: answer,
    )


def _translate(request: Any) -> Any:
    rows = request["inputs"] if "inputs" in request else request["dataframe_split"]["data"]
    return {"x": rows}


SERVER: Final = Server(
    "bentoml",
    "adaptive batching of 64 rows or 4 requests, one worker",
    _launch,
    why_not=_ENVIRONMENT.problem,
    version=lambda: _ENVIRONMENT.version("bentoml"),
)
