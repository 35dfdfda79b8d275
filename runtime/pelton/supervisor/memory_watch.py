"""Reads what workers use and does what ``memory`` says."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from pelton import platform
from pelton.deadline import Clock
from pelton.errors import WorkerCrashed
from pelton.lifecycle import WorkerState
from pelton.supervisor.handle import WorkerHandle
from pelton.supervisor.memory import RESERVE_BYTES, Action, Estimate, Usage, judge, megabytes
from pelton.supervisor.pool import Pool
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

_FAST_S, _SLOW_S = 0.05, 0.25
_ALIVE = (
    WorkerState.LOADING,
    WorkerState.WARMING,
    WorkerState.READY,
    WorkerState.SERVING,
    WorkerState.DRAINING,
)

StartTask = Callable[[Coroutine[Any, Any, Any]], Any]


class MemoryWatch:
    """Owned by one event loop. The resident set is read here, PSS in a thread: it walks pages.

    Attributes:
        usage: worker name -> its memory, for metrics.
    """

    def __init__(self, clock: Clock) -> None:
        self.usage: dict[str, Usage] = {}
        self._clock = clock
        self._estimates: dict[str, Estimate] = {}
        self._handled: set[str] = set()
        self._reading = asyncio.Lock()  # one after the other: on one core

    @property
    def interval_s(self) -> float:
        """When to look again, in seconds: sooner while somebody grows, of whichever revision."""
        grows = any(usage.growth > usage.budget / 20 for usage in self.usage.values())
        return _FAST_S if grows else _SLOW_S

    async def watch_pool(self, pool: Pool, budget: int, start_task: StartTask) -> None:
        """Look at every worker of a pool, and at the process that loads for it.

        One worker a turn of the loop: on caches that are cold each takes a third of a millisecond,
        and requests come first.
        """
        now = self._clock()
        self._watch_loading(pool, budget)
        workers = list(pool.workers.values())
        for worker in workers:
            await asyncio.sleep(0)
            if worker.state not in _ALIVE or worker.process.exited.done():
                continue
            rss = platform.rss_bytes(worker.process.pid)
            if rss is None:
                continue
            estimate = self._estimates.get(worker.name)
            if estimate is None:
                estimate = self._estimates[worker.name] = Estimate()
                worker.ended.add_done_callback(functools.partial(self._forget, worker.name))
            if estimate.is_due(rss, now, budget, len(workers)):
                estimate.is_being_read = True
                start_task(self._measure(worker, estimate, now))
            if not estimate.is_measured:
                continue
            size, growth = estimate.now(rss, now)
            usage = self.usage[worker.name] = Usage(size, growth, budget)
            self._act(pool, worker, usage, start_task)

    def guard_machine(self, workers: Iterable[WorkerHandle], available: int | None) -> None:
        """Kill the largest worker if the machine is about to run out of memory."""
        if available is None or available > RESERVE_BYTES:
            return
        sizes = {
            w: self.usage[w.name].bytes
            for w in workers
            if w.name in self.usage and not w.process.exited.done()
        }
        if sizes:
            largest = max(sizes, key=sizes.__getitem__)
            largest.kill(
                WorkerCrashed(
                    f"The machine was about to run out of memory ({megabytes(available)} free);"
                    f" the worker that had this request used most of it"
                    f" ({megabytes(sizes[largest])}) and was ended."
                )
            )

    def _watch_loading(self, pool: Pool, budget: int) -> None:
        """A model that cannot fit is stopped while it loads, not when memory is gone."""
        template = pool.template
        if template is None or template.loaded.done():
            return
        rss = platform.rss_bytes(template.process.pid)
        if rss is not None and rss > budget * 1.25:
            template.refuse(
                f"The model used {megabytes(rss)} while loading, more than the budget of"
                f" {megabytes(budget)} of a worker. Choose a larger --workload-type or"
                f" --memory-per-slot."
            )

    def _act(self, pool: Pool, worker: WorkerHandle, usage: Usage, start_task: StartTask) -> None:
        action = judge(usage)
        # One that drains may be the very one whose last request takes memory without end.
        limited = (WorkerState.SERVING, WorkerState.DRAINING)
        if action is Action.KEEP or worker.state not in limited:
            return
        what = f"{megabytes(usage.bytes)} of a budget of {megabytes(usage.budget)}"
        if action is Action.KILL:
            worker.kill(
                WorkerCrashed(
                    f"The worker that had this request used {what} and was ended. Send fewer rows"
                    f" a request, or choose a larger --workload-type."
                )
            )
            return
        if worker.state is WorkerState.DRAINING:
            return
        if worker.name not in self._handled:
            self._handled.add(worker.name)
            log.warning("worker.outgrows_budget %s", kv(worker=worker.name, uses=what))
            if action is Action.REPLACE:
                start_task(pool.replace(worker))
        if action is Action.DRAIN:
            worker.drain()  # the pool starts what is missing

    async def _measure(self, worker: WorkerHandle, estimate: Estimate, began: float) -> None:
        pid = worker.process.pid
        try:
            async with self._reading:
                pss, cost_s = await asyncio.to_thread(_pss_and_cost, pid)
            rss = platform.rss_bytes(pid)
            if pss is not None and rss is not None:
                estimate.measured(pss, rss, began, cost_s)
        finally:
            estimate.is_being_read = False

    def _forget(self, name: str, _: object) -> None:
        for memory in (self.usage, self._estimates):
            memory.pop(name, None)
        self._handled.discard(name)


def _pss_and_cost(pid: int) -> tuple[int | None, float]:
    """Return a process's PSS in bytes, and the seconds of processor time that reading it took."""
    began = time.thread_time()
    pss = platform.pss_bytes(pid)
    return pss, time.thread_time() - began
