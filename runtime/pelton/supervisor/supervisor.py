"""The endpoint: its revisions, which of them serves, and what is true of it now."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from pelton import platform
from pelton.batching.dispatch import Dispatcher
from pelton.deadline import Clock
from pelton.environment import artifacts
from pelton.errors import (
    ConfigError,
    Draining,
    NotReady,
    PeltonError,
    UpdateConflict,
    UpdateRejected,
    WarmupFailed,
)
from pelton.lifecycle import RevisionEvent, RevisionState, WorkerEvent, WorkerState
from pelton.settings import Entity, Settings
from pelton.supervisor import rollout
from pelton.supervisor.handle import WorkerHandle
from pelton.supervisor.pool import Pool
from pelton.supervisor.revision import Revision
from pelton.supervisor.watchdog import judge
from pelton.telemetry.logging import kv
from pelton.telemetry.metrics import Metrics

log = logging.getLogger("pelton.supervisor")


class Supervisor:
    """Owned by one event loop. ``run`` owns every task of the model side.

    Args:
        settings: everything; the supervisor hands each part its section.
        model_uri: what to serve first.
        dispatcher: the queue that all revisions pull from.
        metrics: counts.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        model_uri: str,
        dispatcher: Dispatcher,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.dispatcher = dispatcher
        self.active: Revision | None = None
        self.updating: Revision | None = None
        self.last_rejected: Revision | None = None
        self.history: list[Revision] = []
        self._model_uri = model_uri
        self._metrics = metrics
        self._clock = clock
        self._numbers = itertools.count(1)
        self._worker_numbers = itertools.count(1)
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = False
        self._stopped = asyncio.Event()

    # What the front end wants to know (frontend.exchange.Served)

    @property
    def is_ready(self) -> bool:
        """Whether a worker serves."""
        return not self._stopping and bool(self.serving())

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
        revisions = {id(r): r for r in (*self.history, self.active, self.updating) if r}
        pools = [r.pool for r in revisions.values() if r.pool]
        return [worker for pool in pools for worker in pool.workers.values()]

    # Life

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start the first revision and keep the endpoint until ``stop``.

        Raises:
            ModelUriError, EnvironmentError_, ModelError, ConfigError: the first revision cannot
                serve; nothing is left running.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            watchdog = tasks.create_task(self._watch_workers())
            try:
                await self._roll_out(self._new_revision(self._model_uri, self.settings.entity))
                self.dispatcher.refuse_with(None)
                self._on_ready_change()
                on_ready()
                await self._stopped.wait()
            finally:
                watchdog.cancel()
                for revision in self._revisions():
                    if revision.pool is not None:
                        revision.pool.kill()

    def begin_shutdown(self) -> None:
        """Not ready any more; what comes is still served."""
        self._stopping = True

    async def stop(self, drain_timeout_s: float) -> None:
        """Refuse what comes, finish what was taken within the time, end every process."""
        self._stopping = True
        self.dispatcher.refuse_with(lambda: Draining("The server is shutting down."))
        if self.updating is not None:
            self.cancel_update()
        revision = self.active
        if revision is not None and revision.pool is not None:
            pool = revision.pool
            try:
                async with asyncio.timeout(drain_timeout_s):
                    await self._queue_empty()
                    await pool.drain()
            except TimeoutError:
                late = Draining("The server shut down before this request's turn came.")
                many = self.dispatcher.reject_queued(lambda: late)
                log.warning("shutdown.drain_timed_out %s", kv(refused=many))
                for worker in list(pool.workers.values()):
                    worker.kill(late)
            try:
                async with asyncio.timeout(5.0):
                    await pool.wait_gone()
            except TimeoutError:
                pool.kill()
                await pool.wait_gone()
        self._stopped.set()

    # Updates

    def check_update(self) -> None:
        """Raise what ``update`` would raise before it begins.

        Raises:
            UpdateConflict: another update is in progress, or the server is shutting down.
        """
        if self._stopping:
            raise UpdateConflict("The server is shutting down.")
        if self.updating is not None:
            raise UpdateConflict(
                f"Revision {self.updating.number} is being rolled out"
                f" ({self.updating.state.value}). Wait for it, or cancel it."
            )

    def begin_update(self, uri: str | None = None, entity: Entity | None = None) -> Revision:
        """Start to roll out a new revision; the old one serves until it has proved itself.

        Args:
            uri: another model; ``None`` for the active one's (a reload).
            entity: other settings.

        Raises:
            UpdateConflict: another update is in progress.
        """
        self.check_update()
        assert self._tasks is not None
        active = self.active
        uri = uri or (active.uri if active is not None else self._model_uri)
        entity = entity or (active.entity if active is not None else self.settings.entity)
        revision = self._new_revision(uri, entity)
        self.updating = revision
        revision.task = self._tasks.create_task(self._update(revision))
        return revision

    def begin_rollback(self) -> Revision:
        """Roll out the previous revision's model again, as a new revision.

        Raises:
            UpdateConflict: another update is in progress.
            ConfigError: there is no previous revision.
        """
        self.check_update()
        if not self.history:
            raise ConfigError("There is no earlier revision to roll back to.")
        previous = self.history[-1]
        revision = self.begin_update(previous.uri, previous.entity)
        revision.model = previous.model  # its very files, whatever the URI means by now
        return revision

    def cancel_update(self) -> bool:
        """Cancel the update in progress; whether there was one that could be cancelled."""
        revision = self.updating
        if revision is None or revision.task is None or revision.is_taking_over:
            return False
        revision.task.cancel()
        return True

    async def _update(self, revision: Revision) -> None:
        try:
            await self._roll_out(revision)
        except asyncio.CancelledError:
            self._reject(revision, UpdateRejected("The update was cancelled."), cancelled=True)
            current = asyncio.current_task()
            if self._stopping or current is None or not current.uncancel() == 0:
                raise
        except PeltonError as error:
            self._reject(revision, error)

    def _reject(self, revision: Revision, error: PeltonError, *, cancelled: bool = False) -> None:
        revision.error = error
        revision.was_cancelled = cancelled
        if revision.lifecycle.can(RevisionEvent.REJECTED):
            revision.lifecycle.fire(RevisionEvent.REJECTED)
        if revision.pool is not None:
            revision.pool.kill()
        self.updating = None
        self.last_rejected = revision
        log.error(
            "revision.rejected %s",
            kv(
                revision=revision.number,
                model=revision.uri,
                serving=self.active.number if self.active else "none",
                reason=first_line(error),
            ),
        )

    async def _roll_out(self, revision: Revision) -> None:
        """Prepare, start, prove, take over.

        Raises:
            PeltonError: it did not prove itself; what served before still does.
        """
        started = self._clock()
        self.updating = revision
        revision.lifecycle.fire(RevisionEvent.PREPARE)
        self._check_slots(revision)
        if revision.model is None:
            revision.model = await artifacts.resolve(
                revision.uri,
                self.settings.updates.cache_dir.expanduser(),
                on_progress=lambda text: log.info("startup.progress %s", kv(text=text)),
            )
        await self._prepare_environment(revision)
        revision.lifecycle.fire(RevisionEvent.PREPARED)
        pool = Pool(
            revision.plan(self.settings),
            self.dispatcher,
            self.settings.workers,
            self._worker_changed,
            self._start_task,
            lambda: f"worker-{next(self._worker_numbers)}",
            self._clock,
        )
        revision.pool = pool
        pool.on_ready_change = self._on_ready_change
        old = self.active
        step = self._plan_rollout(revision, old)
        await pool.start(step)
        self._prove(revision)
        revision.is_taking_over = True
        await self._take_over(revision, old, step)
        log.info(
            "revision.active %s",
            kv(
                revision=revision.number,
                model=revision.model.source,
                slots=revision.slots.slots,
                workers=revision.workers,
                seconds=self._clock() - started,
            ),
        )

    def _plan_rollout(self, revision: Revision, old: Revision | None) -> int:
        if old is None or old.pool is None:
            return revision.workers
        known = [size for w in old.pool.serving() if (size := platform.pss_bytes(w.process.pid))]
        plan = rollout.plan(
            revision.workers, max(known, default=None), platform.memory_available_bytes()
        )
        log.info(
            "revision.rollout %s",
            kv(revision=revision.number, step=plan.step, reason=plan.reason),
        )
        return plan.step

    async def _take_over(self, revision: Revision, old: Revision | None, step: int) -> None:
        """Admit the new workers and drain the old ones, ``step`` at a time.

        Both happen at one instant, so that no request goes to the old revision once the new one
        pulls; the new one is reported active when the last old answer is out.
        """
        pool = revision.pool
        assert pool is not None
        if old is None or old.pool is None:
            pool.admit()
        else:
            old_pool = old.pool
            while step < revision.workers and len(old_pool.workers) > step:
                pool.admit()
                await old_pool.drain_some(step)
                pool.resize(min(revision.workers, len(pool.workers) + step))
                await pool.wait_size()
                step = len(pool.workers)
            drained = asyncio.ensure_future(old_pool.drain())
            pool.admit()
            await drained
        pool.resize(revision.workers)
        self.active = revision
        self.updating = None
        revision.lifecycle.fire(RevisionEvent.ACTIVATED)
        self.last_rejected = None
        if old is not None:
            old.lifecycle.fire(RevisionEvent.SUPERSEDED)
            self.history = [*self.history[-4:], old]
            self._start_task(self._retire(old))

    async def _retire(self, revision: Revision) -> None:
        assert revision.pool is not None
        await revision.pool.wait_gone()
        revision.lifecycle.fire(RevisionEvent.DRAINED)

    def _prove(self, revision: Revision) -> None:
        """Judge the warm-up.

        Raises:
            WarmupFailed: the model refused its own input example, and that is not allowed.
        """
        assert revision.pool is not None
        report = revision.pool.report
        if report["example"] != "refused":
            return
        message = (
            f"The model refused its own input example ({report['detail'][:1000]}). Log it with"
            f" an input example that it can answer."
        )
        if self.active is not None or self.settings.workers.warmup == "require":
            raise WarmupFailed(message)
        log.warning("revision.example_refused %s", kv(revision=revision.number, reason=message))

    def _check_slots(self, revision: Revision) -> None:
        plan = revision.slots
        if not plan.is_reduced:
            return
        if self.settings.entity.memory_policy == "refuse":
            raise ConfigError(
                f"Not enough memory: {plan.reason}. Use fewer slots (--concurrency), a smaller"
                f" --workload-type or --memory-per-slot, or --memory-policy fewer."
            )
        log.warning(
            "revision.fewer_slots %s",
            kv(slots=plan.slots, wanted=plan.wanted, reason=plan.reason),
        )

    async def _prepare_environment(self, revision: Revision) -> None:
        """Find the interpreter that the model runs in."""

    def _new_revision(self, uri: str, entity: Entity) -> Revision:
        return Revision(next(self._numbers), uri, entity, self._revision_changed)

    # Watching

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

    def _on_ready_change(self) -> None:
        """Refuse at once what no worker can take soon."""
        if self._stopping or self.active is None or self.active.pool is None:
            return
        pool = self.active.pool
        if pool.backs_off_s > 1.0 and not self.serving():
            self.dispatcher.refuse_with(
                lambda: NotReady(self.not_ready_reason, retry_after_s=pool.backs_off_s)
            )
            refuse = NotReady(self.not_ready_reason, retry_after_s=pool.backs_off_s)
            self.dispatcher.reject_queued(lambda: refuse)
        else:
            self.dispatcher.refuse_with(None)

    async def _queue_empty(self) -> None:
        empty = asyncio.Event()
        self.dispatcher.on_drained = empty.set
        if self.dispatcher.statistics().queued:
            await empty.wait()

    def _revisions(self) -> list[Revision]:
        found = {id(r): r for r in (*self.history, self.active, self.updating) if r is not None}
        return list(found.values())

    def _start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        assert self._tasks is not None
        return self._tasks.create_task(coroutine)

    def _worker_changed(
        self, name: str, before: WorkerState, event: WorkerEvent, after: WorkerState
    ) -> None:
        self._metrics.event("worker", after.value)
        log.info("worker.%s %s", after.value, kv(worker=name, event=event.value))

    def _revision_changed(
        self, name: str, before: RevisionState, event: RevisionEvent, after: RevisionState
    ) -> None:
        self._metrics.event("revision", after.value)
        log.info("revision.%s %s", after.value, kv(revision=name.rpartition("-")[2]))


def first_line(error: BaseException | None) -> str:
    """Return the first line of an error's message; tracebacks follow it."""
    return str(error).strip().partition("\n")[0] if error is not None else "unknown"
