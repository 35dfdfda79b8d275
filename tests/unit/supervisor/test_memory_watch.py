"""When workers' memory is read, which walks their pages."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pelton import platform
from pelton.lifecycle import WorkerState
from pelton.supervisor import memory_watch
from pelton.supervisor.memory import measure_again_s
from pelton.supervisor.memory_watch import MemoryWatch

GB = 1024**3


def test_workers_that_cannot_be_near_their_budgets_are_seldom_read() -> None:
    assert measure_again_s(0.001, 0.1, 0.59, workers=4) == 10.0
    assert measure_again_s(0.007, 0.1, 0.59, workers=4) == pytest.approx(14.0)
    assert measure_again_s(0.007, 0.1, 0.59, workers=40) == pytest.approx(140.0)


def test_one_whose_shared_pages_may_become_its_own_is_read_more_often() -> None:
    assert measure_again_s(0.01, 0.1, 0.61, workers=4) == 2.0
    assert measure_again_s(0.1, 0.1, 0.61, workers=4) == pytest.approx(20.0)


def test_near_its_budget_a_worker_is_read_whatever_that_costs() -> None:
    assert measure_again_s(0.1, 0.61, 0.61, workers=4) == 2.0


class Watched:
    """One worker, this very process, whose PSS costs what the test says; the test has the clock.

    Its budget is 10 GB.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, cost_s: float, pss: int | None, rss: int = 7 * GB
    ) -> None:
        self.readings = 0
        self.now = 0.0
        self.pss = pss
        self.cost_s = cost_s
        self.watch = MemoryWatch(lambda: self.now)
        loop = asyncio.get_running_loop()
        process = SimpleNamespace(pid=os.getpid(), exited=loop.create_future())
        self.worker = SimpleNamespace(
            name="worker-1",
            state=WorkerState.SERVING,
            process=process,
            ended=loop.create_future(),
            kill=lambda error: None,
            drain=lambda: None,
        )
        self.pool: Any = SimpleNamespace(template=None, workers={1: self.worker})
        monkeypatch.setattr(memory_watch, "_pss_and_cost", self._read)
        monkeypatch.setattr(platform, "rss_bytes", lambda pid: rss)

    def _read(self, pid: int) -> tuple[int | None, float]:
        assert pid == os.getpid()
        self.readings += 1
        return self.pss, self.cost_s

    async def look_at(self, *instants: float) -> int:
        """Look then, and let every reading end; returns how many there were so far."""
        for self.now in instants:
            started: list[Any] = []
            await self.watch.watch_pool(self.pool, 10 * GB, started.append)
            await asyncio.gather(*started)
        return self.readings


def watched(test: Callable[[Watched], Any], *args: Any) -> None:
    async def run() -> None:
        await test(Watched(*args))

    asyncio.run(run())


def test_a_cheap_worker_is_read_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        assert await worker.look_at(0.0, 1.0, 2.0) == 1
        assert worker.watch.usage["worker-1"].bytes == GB
        assert await worker.look_at(2.1, 3.0, 4.0) == 2

    watched(test, monkeypatch, 0.004, GB)


def test_one_that_is_far_from_its_budget_is_read_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(worker: Watched) -> None:
        assert await worker.look_at(0.0, 2.1, 10.0) == 1
        assert await worker.look_at(10.1, 20.0) == 2

    watched(test, monkeypatch, 0.004, GB, 6 * GB)


def test_a_dear_one_is_read_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        assert await worker.look_at(0.0, 2.1, 10.0, 20.0) == 1
        assert await worker.look_at(20.1, 30.0) == 2

    watched(test, monkeypatch, 0.1, GB)


def test_a_dear_one_near_its_budget_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        assert await worker.look_at(0.0, 2.1, 4.3) == 3

    watched(test, monkeypatch, 0.1, 7 * GB)


def test_no_second_reading_while_one_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        await worker.look_at(0.0)
        begun: list[Any] = []
        for worker.now in (3.0, 6.0, 9.0):
            await worker.watch.watch_pool(worker.pool, 10 * GB, begun.append)
        assert len(begun) == 1
        await begun[0]
        assert await worker.look_at(9.0) == 3, "it is due again at once: it began at 3"

    watched(test, monkeypatch, 0.004, GB)


def test_one_that_could_not_be_read_is_read_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(worker: Watched) -> None:
        assert await worker.look_at(0.0, 0.25) == 2
        assert not worker.watch.usage
        worker.pss = GB
        assert await worker.look_at(0.5, 0.75) == 3
        assert worker.watch.usage["worker-1"].bytes == GB

    watched(test, monkeypatch, 0.1, None)


def test_workers_are_read_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        under_way: list[int] = []

        def read(pid: int) -> tuple[int, float]:
            under_way.append(1)
            seen = len(under_way)
            time.sleep(0.01)  # long enough for another one to begin, if it may
            under_way.pop()
            return seen * GB, 0.0

        monkeypatch.setattr(memory_watch, "_pss_and_cost", read)
        for name in ("worker-2", "worker-3"):
            other = SimpleNamespace(**{**vars(worker.worker), "name": name})
            worker.pool.workers[name] = other
        await worker.look_at(0.0, 0.1)
        assert [usage.bytes for usage in worker.watch.usage.values()] == [GB] * 3

    watched(test, monkeypatch, 0.0, GB)


def test_requests_are_served_between_one_worker_and_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(worker: Watched) -> None:
        loop = asyncio.get_running_loop()
        events: list[str] = []

        def request() -> None:
            events.append("request")
            if events.count("read") < 3:
                loop.call_soon(request)

        def read(pid: int) -> int:
            events.append("read")
            return GB

        monkeypatch.setattr(platform, "rss_bytes", read)
        for name in ("worker-2", "worker-3"):
            worker.pool.workers[name] = SimpleNamespace(**{**vars(worker.worker), "name": name})
        loop.call_soon(request)
        await worker.watch.watch_pool(worker.pool, 10 * GB, lambda reading: reading.close())
        assert events.count("read") == 3
        assert "read read" not in " ".join(events)

    watched(test, monkeypatch, 0.0, GB)


def test_who_grows_is_looked_at_sooner_whatever_another_revision_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(worker: Watched) -> None:
        sizes = {os.getpid(): 7 * GB, -1: GB}
        monkeypatch.setattr(platform, "rss_bytes", sizes.__getitem__)
        process = SimpleNamespace(pid=-1, exited=asyncio.get_running_loop().create_future())
        other = {**vars(worker.worker), "name": "worker-2", "process": process}
        update: Any = SimpleNamespace(template=None, workers={1: SimpleNamespace(**other)})
        monkeypatch.setattr(memory_watch, "_pss_and_cost", lambda pid: (GB, 0.004))

        async def look(now: float, grown: int) -> float:
            worker.now, sizes[os.getpid()] = now, 7 * GB + grown
            for pool in (worker.pool, update):
                started: list[Any] = []
                await worker.watch.watch_pool(pool, 10 * GB, started.append)
                await asyncio.gather(*started)
            return worker.watch.interval_s

        assert [await look(0.25 * step, 0) for step in range(4)] == [0.25] * 4
        assert [await look(1.0 + 0.25 * step, step * GB // 2) for step in range(3)][-1] == 0.05

    watched(test, monkeypatch, 0.004, GB)


def test_one_that_ends_meanwhile_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        read: list[int] = []
        monkeypatch.setattr(platform, "rss_bytes", read.append)
        asyncio.get_running_loop().call_soon(worker.worker.process.exited.set_result, 0)
        await worker.watch.watch_pool(worker.pool, 10 * GB, lambda reading: reading.close())
        assert not read

    watched(test, monkeypatch, 0.0, GB)


def test_what_is_known_of_a_worker_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(worker: Watched) -> None:
        await worker.look_at(0.0, 0.1)
        assert "worker-1" in worker.watch.usage
        worker.worker.ended.set_result(None)
        worker.pool.workers.clear()
        await asyncio.sleep(0)
        assert not worker.watch.usage

    watched(test, monkeypatch, 0.0, GB)


def test_reading_this_process_costs_processor_time() -> None:
    pss, cost_s = memory_watch._pss_and_cost(os.getpid())
    assert pss is not None
    assert pss > 0
    assert 0.0 < cost_s < 5.0
