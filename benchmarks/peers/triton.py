"""Triton with its Python backend, from the pytriton wheel: dynamic batching of 64, JSON tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from benchmarks.peers.environment import Environment
from benchmarks.scenario import Scenario
from benchmarks.server import Launch, Server

_APP: Final = Path(__file__).parent / "apps" / "triton_app.py"
# Its backend is built for one Python; the system's 3.11 is one that it works with.
_ENVIRONMENT: Final = Environment(
    "triton",
    ("nvidia-pytriton==0.7.0",),
    python="/usr/bin/python3",
    free=("pandas", "numpy", "scikit-learn"),
)


def _launch(model: Path, port: int, scenario: Scenario) -> Launch:
    return Launch(
        [str(_ENVIRONMENT.bin / "python"), str(_APP)],
        "/v2/models/m/ready",
        "/v2/models/m/infer",
        {
            "MODEL": str(model),
            "PORT": str(port),
            "TENSOR": "1" if scenario.is_tensor else "",
            "MAX_BATCH": str(max(64, max(scenario.rows))),
            "PATH": f"{_ENVIRONMENT.bin}:/usr/bin:/bin",
        },
        _translate,
        lambda answer: [output["data"] for output in answer["outputs"]],
    )


def _translate(request: Any) -> Any:
    if "inputs" in request:
        rows, datatype = request["inputs"], "FP32"
    else:
        rows, datatype = request["dataframe_split"]["data"], "FP64"
    shape = [len(rows), len(rows[0])]
    flat = [value for row in rows for value in row]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": flat}]}


SERVER: Final = Server(
    "triton",
    "pytriton, Python backend, dynamic batching of 64, 1 ms",
    _launch,
    why_not=_ENVIRONMENT.problem,
    version=lambda: _ENVIRONMENT.version("nvidia-pytriton"),
)
