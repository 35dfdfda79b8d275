"""Processes: what they are born with, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.unit.interpreters import interpreters

from pelton.channel.client import ChannelClient
from pelton.channel.frames import Frame
from pelton.channel.messages import EXIT_LOST_PARENT, Kind, read_json
from pelton.supervisor.process import WorkerProcess, isolation_flags, spawn, worker_environ

LIMIT_S = 120.0


def test_native_pools_are_capped_unless_the_user_says_otherwise() -> None:
    environ = worker_environ({"OMP_NUM_THREADS": "7", "A": "b"}, 3, isolated=False)
    assert environ["OMP_NUM_THREADS"] == "7"
    assert environ["OPENBLAS_NUM_THREADS"] == environ["MKL_NUM_THREADS"] == "3"
    assert environ["A"] == "b"


def test_fork_server_has_one_thread_whatever_is_set() -> None:
    environ = worker_environ({"OMP_NUM_THREADS": "7"}, 3, isolated=False, template=True)
    assert environ["OMP_NUM_THREADS"] == environ["OPENBLAS_NUM_THREADS"] == "1"


def test_another_environment_gets_nothing_of_the_servers() -> None:
    servers = {"PYTHONPATH": "/x", "PYTHONHOME": "/y", "VIRTUAL_ENV": "/z", "HOME": "/h"}
    isolated = worker_environ(servers, 1, isolated=True)
    assert isolated["HOME"] == "/h"
    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} & isolated.keys()
    assert worker_environ(servers, 1, isolated=False)["PYTHONPATH"] == "/x"


def test_management_token_never_reaches_a_model() -> None:
    for isolated in (True, False):
        assert "PELTON_TOKEN" not in worker_environ({"PELTON_TOKEN": "s"}, 1, isolated=isolated)


def test_environment_of_the_server_is_not_changed() -> None:
    servers = {"PYTHONPATH": "/x"}
    worker_environ(servers, 1, isolated=True)
    assert servers == {"PYTHONPATH": "/x"}


@pytest.mark.parametrize("python", list(interpreters().values()), ids=list(interpreters()))
def test_flags_are_known_to_the_interpreter(python: Path) -> None:
    command = [str(python), *isolation_flags(python), "-c", "pass"]
    assert os.spawnv(os.P_WAIT, command[0], command) == 0


class Started:
    """A worker that has connected and waits for its model."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()

    def _keep(self, incoming: list[Frame]) -> None:
        for frame in incoming:
            self.frames.put_nowait(frame)

    async def connect(self) -> dict[str, Any]:
        self.channel = await ChannelClient.open(self.process.sock, self._keep, lambda _: None)
        frame = await self.frames.get()
        assert frame.kind == Kind.CONNECTED
        return read_json(frame)


async def _start(python: Path) -> tuple[Started, dict[str, Any]]:
    environ = worker_environ({"PATH": "/usr/bin:/bin"}, 1, isolated=True)
    worker = Started(spawn(python, "worker-1", environ))
    return worker, await worker.connect()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_S):
            await scenario

    asyncio.run(bounded())


pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.parametrize("python", list(interpreters().values()), ids=list(interpreters()))
def test_worker_starts_under_every_python_and_leaves_when_the_server_does(python: Path) -> None:
    async def scenario() -> None:
        worker, connected = await _start(python)
        assert connected["pid"] == worker.process.pid
        assert os.getpgid(worker.process.pid) == worker.process.pid
        worker.channel.close()
        assert await worker.process.exited == EXIT_LOST_PARENT

    run(scenario())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs signals on descriptors")
def test_kernel_kills_a_worker_whose_lifeline_is_cut() -> None:
    """Even one that is stopped and could not leave by itself."""

    async def scenario() -> None:
        worker, _ = await _start(Path(sys.executable))
        os.kill(worker.process.pid, signal.SIGSTOP)
        assert worker.process._lifeline is not None
        os.close(worker.process._lifeline)
        worker.process._lifeline = None
        assert await worker.process.exited == -signal.SIGKILL
        worker.channel.close()

    run(scenario())


def test_killing_a_worker_ends_what_it_has_started() -> None:
    async def scenario() -> None:
        worker, _ = await _start(Path(sys.executable))
        worker.process.kill()
        assert await worker.process.exited == -signal.SIGKILL
        worker.process.kill()  # nothing is left to kill
        with pytest.raises(ProcessLookupError):
            os.killpg(worker.process.pid, 0)
        worker.channel.close()

    run(scenario())
