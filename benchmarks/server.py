"""The servers that are compared: how each is started, asked and understood."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.models.cache import ONE_THREAD
from benchmarks.scenario import Scenario
from pelton.bench.child import READY_PATH, pelton_command
from pelton.bench.child import Server as Child

WAITING: Final = frozenset({"fixed", "slow"})
SMALL: Final = frozenset({"tiny", "echo", "wide1"})
"""Scenarios whose model leaves the cores alone: a user would let more run than there are cores."""


@dataclass(frozen=True)
class Launch:
    """How to start one server for one scenario.

    Attributes:
        command: the command line.
        ready_path: answers 200 when the model can be asked.
        path: where requests go.
        environment: variables beside the caller's own, and one thread for each library.
        translate: an MLflow request -> this server's request.
        extract: this server's answer -> what MLflow calls predictions.
    """

    command: Sequence[str]
    ready_path: str
    path: str = "/invocations"
    environment: dict[str, str] = field(default_factory=dict)
    translate: Callable[[Any], Any] = lambda request: request
    extract: Callable[[Any], Any] = lambda answer: answer["predictions"]

    def child(self, port: int, cores: list[int]) -> Child:
        """Return the server, not started yet; its target is where requests go.

        Args:
            port: that the command has been given.
            cores: where it may run.
        """
        child = Child(
            self.command,
            port,
            ready_path=self.ready_path,
            environment={**ONE_THREAD, **self.environment},
            cores=cores,
        )
        child.target = replace(child.target, path=self.path)
        return child


Launcher = Callable[[Path, int, Scenario], Launch]
"""(model folder, port, scenario) -> how to start a server."""


@dataclass(frozen=True)
class Server:
    """A server that can be measured.

    Attributes:
        name: in results and tables.
        about: version-free description of its settings.
        launch: how to start it.
        why_not: why it cannot be run here; ``None`` if it can.
        version: its version.
        scenarios: where its settings make sense; ``None`` for everywhere.
    """

    name: str
    about: str
    launch: Launcher
    why_not: Callable[[], str | None] = lambda: None
    version: Callable[[], str] = lambda: ""
    scenarios: frozenset[str] | None = None

    def serves(self, scenario: Scenario) -> bool:
        """Return whether it is measured in a scenario."""
        return self.scenarios is None or scenario.name in self.scenarios


def _version(package: str) -> Callable[[], str]:
    def read() -> str:
        from importlib import metadata

        return metadata.version(package)

    return read


def pelton(*flags: str) -> Launcher:
    """Launch pelton with its defaults, what a measurement needs, and ``flags`` on top."""

    return lambda model, port, scenario: pelton_launch(model, port, *flags)


def pelton_launch(model: Path, port: int, *flags: str) -> Launch:
    """Return how to start pelton for any scenario."""
    extra = ["--env", "local", "--log-level", "warning", "--no-access-log", *flags]
    return Launch(pelton_command(str(model), port, extra), READY_PATH)


def mlflow(workers: int) -> Launcher:
    """Launch MLflow's own server as fast as it can be: uvloop, httptools, no access log."""

    def launch(model: Path, port: int, scenario: Scenario) -> Launch:
        return Launch(
            [
                *(sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)),
                *("--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)),
                *("-w", str(workers)),
            ],
            "/ping",
            environment={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "UVICORN_LOOP": "uvloop",
                "UVICORN_HTTP": "httptools",
                "UVICORN_LOG_LEVEL": "warning",
                "UVICORN_ACCESS_LOG": "false",
            },
        )

    return launch


def flat(value: Any) -> list[Any]:
    """Return the scalars of an answer in order, whatever shape a server gave it."""
    if isinstance(value, dict):
        return [scalar for inner in value.values() for scalar in flat(inner)]
    if isinstance(value, list):
        return [scalar for inner in value for scalar in flat(inner)]
    return [value]


def as_bytes(request: Any) -> bytes:
    """Encode a request as a client would."""
    return json.dumps(request).encode()


def servers() -> dict[str, Server]:
    """Return every server by name, the peers among them, in the order of the tables."""
    from benchmarks.peers import peer_servers

    ours = (
        Server("pelton", "defaults", pelton(), version=_version("pelton")),
        Server(
            "pelton-s8",
            "8 slots, where the model waits",
            pelton("--concurrency", "8"),
            version=_version("pelton"),
            scenarios=WAITING,
        ),
        Server(
            "pelton-apart",
            "a core for the front end, where requests are small",
            pelton("--cores", "apart"),
            version=_version("pelton"),
            scenarios=SMALL,
        ),
        Server(
            "mlflow",
            "mlflow models serve, 1 worker, uvloop, httptools, no access log",
            mlflow(1),
            version=_version("mlflow"),
        ),
        Server(
            "mlflow-w2",
            "the same with 2 workers",
            mlflow(2),
            version=_version("mlflow"),
        ),
        Server(
            "mlflow-w8",
            "the same with 8, where the model waits",
            mlflow(8),
            version=_version("mlflow"),
            scenarios=WAITING,
        ),
    )
    return {server.name: server for server in (*ours, *peer_servers())}


OURS: Final = ("pelton", "pelton-s8", "pelton-apart")  # the first has the defaults
BASELINES: Final = ("mlflow", "mlflow-w2", "mlflow-w8")  # the first has one worker
