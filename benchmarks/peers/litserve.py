"""LitServe: MLflow's model behind its batching API, batches of 64, its fast queue."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.peers.environment import Environment
from benchmarks.scenario import Scenario
from benchmarks.server import Launch, Server

_APP: Final = Path(__file__).parent / "apps" / "litserve_app.py"
_ENVIRONMENT: Final = Environment("litserve", ("litserve",))


def _launch(model: Path, port: int, scenario: Scenario) -> Launch:
    return Launch(
        [str(_ENVIRONMENT.bin / "python"), str(_APP)],
        "/health",
        environment={
            "MODEL": str(model),
            "PORT": str(port),
            "TENSOR": "1" if scenario.is_tensor else "",
        },
    )


SERVER: Final = Server(
    "litserve",
    "batches of 64, 5 ms, fast queue",
    _launch,
    why_not=_ENVIRONMENT.problem,
    version=lambda: _ENVIRONMENT.version("litserve"),
)
