"""MLServer: its V2 protocol and adaptive batching around MLflow's model, in one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.models.cache import CACHE
from benchmarks.peers.environment import Environment
from benchmarks.scenario import Scenario
from benchmarks.server import Launch, Server

_APPS: Final = Path(__file__).parent / "apps"
# uvloop 0.22 and later have no event loop where MLServer expects one.
_ENVIRONMENT: Final = Environment("mlserver", ("mlserver==1.7.1", "uvloop<0.22"))


def _launch(model: Path, port: int, scenario: Scenario) -> Launch:
    folder = CACHE / "mlserver" / scenario.name
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "name": "m",
        "implementation": "mlserver_app.Model",
        "max_batch_size": 64 * max(scenario.rows),
        "max_batch_time": 0.001,
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    server = {"debug": False, "host": "127.0.0.1", "http_port": port, "parallel_workers": 0}
    server |= {"grpc_port": port + 1, "metrics_port": port + 2, "metrics_endpoint": None}
    (folder / "settings.json").write_text(json.dumps(server))
    return Launch(
        [str(_ENVIRONMENT.bin / "mlserver"), "start", str(folder)],
        "/v2/health/ready",
        "/v2/models/m/infer",
        {
            "PYTHONPATH": str(_APPS),
            "PATH": f"{_ENVIRONMENT.bin}:/usr/bin:/bin",
        },
        _translate,
        lambda answer: [output["data"] for output in answer["outputs"]],
    )


def _translate(request: Any) -> Any:
    """Write an MLflow request in the V2 protocol: one input a tensor, or one a column."""
    if "inputs" in request:
        rows = request["inputs"]
        shape = [len(rows), len(rows[0])]
        return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": rows}]}
    frame = request["dataframe_split"]
    shape = [len(frame["data"]), len(frame["columns"])]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP64", "data": frame["data"]}]}


SERVER: Final = Server(
    "mlserver",
    "V2 protocol, adaptive batching of 64 requests, 1 ms, in one process",
    _launch,
    why_not=_ENVIRONMENT.problem,
    version=lambda: _ENVIRONMENT.version("mlserver"),
)
