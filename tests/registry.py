"""A real ``mlflow server`` on SQLite with a few tiny models in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pelton.bench.child import free_port

_START_LIMIT_S = 600.0

# `pip_requirements` is given, as inferring it would load each model in another process.
_LOG_MODELS = """
import json, mlflow
from mlflow import MlflowClient

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

def log(**where):
    with mlflow.start_run() as run:
        info = mlflow.pyfunc.log_model(
            name="model", python_model=Echo(), pip_requirements=["mlflow"], **where)
    return {"run_id": run.info.run_id, "model_id": info.model_id}

facts = [log(registered_model_name="echo"), log(registered_model_name="echo")]
MlflowClient().set_registered_model_alias("echo", "champion", 1)
with mlflow.start_run() as run:  # as mlflow 2 did: the model is among the run's artifacts
    mlflow.pyfunc.save_model("saved", python_model=Echo(), pip_requirements=["mlflow"])
    mlflow.log_artifacts("saved", "old/model")
facts.append({"run_id": run.info.run_id})
print(json.dumps(facts))
"""


@dataclass(frozen=True)
class Registry:
    """Where the server is, and what was logged: ``echo`` versions 1 and 2, 1 is the champion."""

    uri: str
    run_ids: tuple[str, str]
    model_ids: tuple[str, str]
    artifact_run_id: str


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    directory = tmp_path_factory.mktemp("registry")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{directory}/mlflow.db"]
    command += ["--artifacts-destination", os.fspath(directory / "artifacts")]
    log = directory / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=directory, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_healthy(uri, server, log)
        logged = subprocess.run(
            [sys.executable, "-c", _LOG_MODELS],
            cwd=directory,
            env={**os.environ, "MLFLOW_TRACKING_URI": uri},
            check=True,
            stdout=subprocess.PIPE,
            timeout=_START_LIMIT_S,
        )
        first, second, old = json.loads(logged.stdout.splitlines()[-1])
        yield Registry(
            uri=uri,
            run_ids=(first["run_id"], second["run_id"]),
            model_ids=(first["model_id"], second["model_id"]),
            artifact_run_id=old["run_id"],
        )
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_until_healthy(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + _START_LIMIT_S
    while not _is_healthy(uri):
        if server.poll() is not None or time.monotonic() > give_up_at:
            raise AssertionError(f"mlflow server did not start:\n{log.read_text()}")
        time.sleep(0.1)


def _is_healthy(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
