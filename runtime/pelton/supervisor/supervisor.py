"""The endpoint: what is true of it now, and the loops that keep it so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pelton import platform
from pelton.batching.dispatch import Dispatcher
from pelton.deadline import Clock
from pelton.errors import Draining, NotReady
from pelton.settings import Settings
from pelton.supervisor.handle import WorkerHandle
from pelton.supervisor.memory_watch import MemoryWatch
from pelton.supervisor.processor_watch import ProcessorWatch
from pelton.supervisor.revision import Revision
from pelton.supervisor.revisions import Revisions, first_line
from pelton.supervisor.scaling import Scaler
from pelton.supervisor.watchdog import judge
from pelton.telemetry.logging import kv
from pelton.telemetry.metrics import Metrics

log = logging.getLogger("pelton.supervisor")

_SCALING_TICK_S = 0.1
_WAKE_TICK_S = 0.01


class Supervisor(Revisions):
    """Owned by one event loop. ``run`` owns every task of the model side.

    Args:
        settings: everything; the supervisor hands each part its section.
        model_uri: what to serve first.
        dispatcher: the queue that all revisions pull from.
        metrics: counts.
        clock: monotonic seconds.
        bodies: where workers open the memory of large bodies; empty if they are sent them.
    """

    def __init__(
        self,
        settings: Settings,
        model_uri: str,
        dispatcher: Dispatcher,
        metrics: Metrics,
        clock: Clock,
        bodies: str = "",
    ) -> None:
        super().__init__(settings, model_uri, dispatcher, metrics, clock, bodies)
        # From the start: whoever asks before `run` has begun is told of a first deployment.
        self._first = self.updating = self._new_revision(model_uri, settings.entity)
        self._stopped = asyncio.Event()
        self._demand = asyncio.Event()
        self.memory = MemoryWatch(clock)
        self._processors = ProcessorWatch(platform.usable_cores(), clock)

    # What the front end wants to know (frontend.exchange.Served)

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered: a worker serves, or would as soon as one comes."""
        return not self._stopping and (bool(self.serving()) or self.is_asleep)

    @property
    def is_asleep(self) -> bool:
        """Whether the endpoint is scaled to zero."""
        pool = self.active.pool if self.active is not None else None
        return pool is not None and pool.is_asleep

    @property
    def not_ready_reason(self) -> str:
        """Why the endpoint is not ready, in one sentence."""
        if self._stopping:
            return "The server is shutting down."
        if self.active is None:
            where = self.updating.state.value if self.updating else "pending"
            return f"The model is still loading ({where})."
        pool = self.active.pool
        assert pool is not None
        if pool.backs_off_s:
            return (
                f"The model's workers keep failing ({len(pool.failures)} times in the last"
                f" minute); the next start is in {pool.backs_off_s:.0f} s."
                f" Last failure: {first_line(pool.last_failure)}"
            )
        return "No worker is serving; a new one is being started."

    @property
    def mlflow_version(self) -> str | None:
        """Version of the active model's own mlflow."""
        if self.active is None or self.active.pool is None:
            return None
        version = self.active.pool.report.get("mlflow")
        return str(version) if version else None

    @property
    def served_entity_name(self) -> str:
        """Name of the active served entity."""
        revision = self.active or self.updating
        return revision.entity_name if revision else self.settings.entity.name

    def serving(self) -> list[WorkerHandle]:
        """Return every worker that pulls, of whichever revision."""
        pools = [r.pool for r in (self.active, self.updating) if r is not None and r.pool]
        return [worker for pool in pools for worker in pool.serving()]

    def workers(self) -> list[WorkerHandle]:
        """Return every worker there is."""
        pools = [r.pool for r in self.revisions() if r.pool]
        return [worker for pool in pools for worker in pool.workers.values()]

    def revisions(self) -> list[Revision]:
        """Return every revision that is remembered, oldest first."""
        found = (*self.history, self.active, self.updating)
        return list({id(r): r for r in found if r is not None}.values())

    # Life

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start the first revision and keep the endpoint until ``stop``.

        Raises:
            ModelUriError, EnvironmentError_, ModelError, ConfigError: the first revision cannot
                serve; nothing is left running.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            loops = [
                tasks.create_task(self._watch_workers()),
                tasks.create_task(self._watch_resources()),
            ]
            try:
                await self._roll_out(self._first)
                self.dispatcher.on_waiting = self._demand.set
                loops.append(tasks.create_task(self._scale()))
                on_ready()
                await self._stopped.wait()
            finally:
                for loop in loops:
                    loop.cancel()
                for revision in self.revisions():
                    if revision.pool is not None:
                        revision.pool.kill()
                self._libraries.keep_only(None)

    def begin_shutdown(self) -> None:
        """Not ready any more; what comes is still served."""
        self._stopping = True

    async def stop(self, drain_timeout_s: float) -> None:
        """Refuse what comes, finish what was taken within the time, end every process."""
        self._stopping = True
        self.dispatcher.refuse_with(lambda: Draining("The server is shutting down."))
        try:
            async with asyncio.timeout(drain_timeout_s):
                await self._end_update()
                await self._queue_empty()
                if self.active is not None and self.active.pool is not None:
                    await asyncio.gather(*self.active.pool.drain())
        except TimeoutError:
            late = Draining("The server shut down before this request could be answered.")
            many = self.dispatcher.reject_queued(lambda: late)
            log.warning("shutdown.drain_timed_out %s", kv(refused=many))
            for worker in self.workers():
                worker.kill(late)
            self.dispatcher.reject_queued(lambda: late)  # what was ahead, and is back
        for revision in self.revisions():
            if revision.pool is not None:
                await revision.pool.end()
        await self._libraries.end()
        self._stopped.set()

    async def _end_update(self) -> None:
        """Cancel an update, or wait for it if it is already taking over."""
        updating = self.updating
        if updating is None or updating.task is None:
            return
        self.cancel_update()
        await asyncio.wait({updating.task})

    async def _queue_empty(self) -> None:
        empty = asyncio.Event()
        self.dispatcher.on_drained = empty.set
        while self.dispatcher.statistics().queued:
            empty.clear()
            await empty.wait()

    # Loops

    async def _watch_workers(self) -> None:
        """Notice workers that hang or were stopped."""
        while True:
            await asyncio.sleep(self.settings.workers.heartbeat)
            for worker in self.workers():
                verdict = judge(worker, self._clock(), self.settings.workers)
                if verdict is not None:
                    worker.kill(verdict)
                else:
                    worker.ping()
            for pool in [r.pool for r in self.revisions() if r.pool is not None]:
                if pool.template is not None:
                    pool.template.end_if_stopped()
            self._libraries.end_stopped()

    async def _watch_resources(self) -> None:
        """Keep every worker within its budget, and the machine out of the kernel's hands."""
        free = platform.FreeMemory()
        while True:
            for revision in self.revisions():
                if revision.pool is not None:
                    budget = revision.slot_bytes * revision.entity.slots_per_worker
                    await self.memory.watch_pool(revision.pool, budget, self._start_task)
            self.dispatcher.company.at_once = self._processors.look(self.serving())
            await asyncio.sleep(0)  # requests first, as in `watch_pool`
            self.memory.guard_machine(self.workers(), free.bytes())
            await asyncio.sleep(self.memory.interval_s)

    async def _scale(self) -> None:
        """Have as many workers as the load wants."""
        scaler: Scaler | None = None
        revision: Revision | None = None
        while True:
            if self.active is not revision and self.active is not None:
                revision = self.active
                scaler = Scaler(revision.scaling)
            if scaler is None or revision is None or revision.pool is None:
                await asyncio.sleep(_SCALING_TICK_S)
                continue
            if scaler.limits.is_fixed:
                self._demand.clear()
                await asyncio.sleep(1.0)
                continue
            pool = revision.pool
            # An update brings its own number of workers; but a request must not wait for it.
            if self.active is revision and (self.updating is None or pool.is_asleep):
                queue = self.dispatcher.statistics()
                wanted = scaler.decide(self._clock(), pool.target, queue.running, queue.queued)
                if wanted != pool.target:
                    log.info(
                        "endpoint.scaled %s",
                        kv(workers=wanted, before=pool.target, queued=queue.queued),
                    )
                    pool.resize(wanted, keep_warm=revision.entity.keep_warm)
            # A request that has to wait is looked at soon, an idle endpoint now and then.
            self._demand.clear()
            try:
                async with asyncio.timeout(_WAKE_TICK_S if pool.is_asleep else _SCALING_TICK_S):
                    await self._demand.wait()
                if not pool.is_asleep:
                    await asyncio.sleep(_SCALING_TICK_S)
            except TimeoutError:
                pass

    def _on_ready_change(self) -> None:
        """Refuse at once what no worker can take soon."""
        if self._stopping or self.active is None or self.active.pool is None:
            return
        pool = self.active.pool
        if pool.backs_off_s > 1.0 and not self.serving():

            def refuse() -> NotReady:
                return NotReady(self.not_ready_reason, retry_after_s=pool.backs_off_s)

            self.dispatcher.refuse_with(refuse)
            self.dispatcher.reject_queued(refuse)
        else:
            self.dispatcher.refuse_with(None)
