"""Starts and ends the servers that are asked: MLflow's own, and pelton."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conformance.wire import Address
from tests.zoo.store import REPOSITORY

from pelton.bench.child import free_port

_PELTON_CACHE = REPOSITORY / ".cache" / "pelton"
_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 30.0


class NotServing(Exception):
    """A server did not become ready; the message ends with its output."""


def environment(**variables: str) -> dict[str, str]:
    """This process's, without settings that would change answers; sets print in one order."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith(("MLFLOW_", "PELTON_", "SERVING_MODEL_CONFIG"))
    }
    return {**inherited, "PYTHONHASHSEED": "0", **variables}


@contextmanager
def mlflow_server(model: Path, **variables: str) -> Iterator[Address]:
    """``mlflow models serve`` without its environment manager: uvicorn and the scoring app."""
    port = free_port()
    app = "mlflow.pyfunc.scoring_server.app:app"
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), app]
    variables = environment(__pyfunc_model_path__=str(model), **variables)
    with _running(command, variables, port, "/ping") as address:
        yield address


@contextmanager
def pelton_server(model: Path, arguments: str = "", **variables: str) -> Iterator[Address]:
    """``pelton serve`` with the environment that runs the tests."""
    port = free_port()
    command = [
        *[sys.executable, "-m", "pelton", "serve", str(model), "--env", "local"],
        *["--host", "127.0.0.1", "--port", str(port), "--cache-dir", str(_PELTON_CACHE)],
        *shlex.split(arguments),
    ]
    with _running(command, environment(**variables), port, "/v2/health/ready") as address:
        yield address


@contextmanager
def _running(
    command: Sequence[str], variables: dict[str, str], port: int, ready_path: str
) -> Iterator[Address]:
    """A server process in an empty directory, from its readiness to its end.

    Raises:
        NotServing: it ended, or was not ready within the limit.
    """
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if not _becomes_ready(process, port, ready_path):
                output.seek(0)
                text = output.read().decode(errors="replace")
                raise NotServing(f"{shlex.join(command)} is not ready:\n{text[-4000:]}")
            yield "127.0.0.1", port
        finally:
            _end(process)


def _becomes_ready(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    limit = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; afterwards nothing of its process group is left."""
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
