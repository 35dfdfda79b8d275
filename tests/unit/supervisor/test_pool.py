"""How a pool ends."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.channel.messages import LoadSpec
from pelton.errors import WorkerLost
from pelton.lifecycle import WorkerState
from pelton.settings import Workers
from pelton.supervisor.ending import Ending
from pelton.supervisor.launcher import PoolPlan
from pelton.supervisor.pool import Pool


def pool_of(*workers: Any) -> Pool:
    plan = PoolPlan(1, Path(sys.executable), False, LoadSpec("worker", "/model"), 1)
    pool = Pool(
        plan,
        Dispatcher(Limits(1, 1), time.monotonic),
        Workers(),
        lambda *_: None,
        asyncio.ensure_future,
        lambda: "worker-1",
        time.monotonic,
    )
    pool.workers = {worker.name: worker for worker in workers}
    return pool


class Worker:
    """One that leaves when it is told to, or only when it is killed."""

    def __init__(self, *, leaves: bool, state: WorkerState = WorkerState.READY) -> None:
        self.name = "worker-1"
        self.state = state
        self.told: list[str] = []
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.process = SimpleNamespace(kill=lambda: self._end("killed"))
        self._leaves = leaves

    def drain(self, on_idle: Any) -> None:
        self.told.append("drain")
        on_idle()
        if self._leaves:
            self._end("left")

    def _end(self, how: str) -> None:
        self.told.append(how)
        self.ended.set_result(Ending(WorkerLost(how), True, False))


def test_workers_are_told_to_leave() -> None:
    async def scenario() -> None:
        worker = Worker(leaves=True)
        await pool_of(worker).end(60.0)
        assert worker.told == ["drain", "left"]

    asyncio.run(scenario())


def test_one_that_does_not_is_killed_and_its_end_is_known() -> None:
    async def scenario() -> None:
        worker = Worker(leaves=False)
        await pool_of(worker).end(0.01)
        assert worker.told == ["drain", "killed"]
        assert str(worker.ended.result().error) == "killed"

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [WorkerState.SPAWNING, WorkerState.LOADING, WorkerState.WARMING])
def test_one_that_starts_is_not_waited_for(state: WorkerState) -> None:
    async def scenario() -> None:
        worker = Worker(leaves=False, state=state)
        await pool_of(worker).end(60.0)
        assert worker.told == ["drain", "killed"]

    asyncio.run(scenario())


def test_nothing_to_end_is_no_error() -> None:
    asyncio.run(_end_nothing())


async def _end_nothing() -> None:
    await pool_of().end()
