"""Which revision serves, and how another one takes over: make before break."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, cast

from pelton import platform
from pelton.batching.dispatch import Dispatcher
from pelton.deadline import Clock
from pelton.environment import artifacts, interpreter
from pelton.environment.uri import local_path
from pelton.errors import (
    ConfigError,
    PeltonError,
    UpdateConflict,
    UpdateRejected,
)
from pelton.lifecycle import RevisionEvent, RevisionState, WorkerEvent, WorkerState
from pelton.settings import Entity, Settings
from pelton.supervisor import rollout
from pelton.supervisor.libraries import Libraries
from pelton.supervisor.pool import Pool
from pelton.supervisor.proof import check_slots, prove, requests_to_verify
from pelton.supervisor.revision import Revision
from pelton.supervisor.snapshot import Snapshots
from pelton.telemetry.logging import kv
from pelton.telemetry.metrics import Metrics

log = logging.getLogger("pelton.supervisor")

KEPT_REVISIONS = 3


class Revisions:
    """The revisions of an endpoint. Owned by one event loop.

    Attributes:
        active: the one that serves; ``None`` before the first has loaded.
        updating: the one being rolled out.
        last_rejected: the last one that failed, until another becomes active.
        history: earlier active ones that differ, oldest first.
        settled: set while no update is in progress.
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
        self.settings = settings
        self.dispatcher = dispatcher
        self.active: Revision | None = None
        self.updating: Revision | None = None
        self.last_rejected: Revision | None = None
        self.history: list[Revision] = []
        self.settled = asyncio.Event()
        self._snapshots = Snapshots(
            settings.updates.cache_dir,
            settings.updates.snapshot_limit,
            watched=settings.updates.watch > 0,
        )
        self._model_uri = model_uri
        self._metrics = metrics
        self._clock = clock
        self._bodies = bodies
        self._numbers = itertools.count(1)
        self._worker_numbers = itertools.count(1)
        self._libraries = Libraries(self._next_worker)
        self._tasks: asyncio.TaskGroup | None = None
        self._stopping = False

    # Updates

    def check_update(self) -> None:
        """Raise what ``begin_update`` would raise.

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

    def begin_update(
        self,
        uri: str | None = None,
        entity: Entity | None = None,
        *,
        served_name: str | None = None,
        environment_vars: Mapping[str, str] | None = None,
    ) -> Revision:
        """Start to roll out a new revision; the old one serves until it has proved itself.

        Args:
            uri: another model; ``None`` for what the active one's URI means by now (a reload).
            entity: other settings; ``None`` for the active ones.
            served_name: name of the served entity; ``None`` for the active one's if the URI is.
            environment_vars: variables of its workers; ``None`` for the active ones.

        Raises:
            UpdateConflict: another update is in progress.
        """
        self.check_update()
        active = self.active
        entity = entity or (active.entity if active is not None else self.settings.entity)
        revision = self._new_revision(uri or (active.uri if active else self._model_uri), entity)
        revision.served_name = served_name
        if active is not None:
            revision.environment_vars = active.environment_vars
            if uri is None:
                revision.served_name = served_name or active.served_name
        if environment_vars is not None:
            revision.environment_vars = dict(environment_vars)
        self.updating = revision
        self.settled.clear()
        revision.task = self._start_task(self._update(revision))
        return revision

    def begin_rollback(self) -> Revision:
        """Roll out the last revision that was another one again, as a new revision.

        Raises:
            UpdateConflict: another update is in progress.
            ConfigError: there is no such revision.
        """
        self.check_update()
        previous = self.rollback_target
        if previous is None:
            raise ConfigError("There is no earlier, different revision to roll back to.")
        return self._begin_again(previous)

    def begin_maintenance(self) -> Revision:
        """Roll out the active revision again, of the very same files.

        Raises:
            UpdateConflict: another update is in progress, the first one perhaps.
        """
        self.check_update()
        if self.active is None:
            raise UpdateConflict("Nothing is served yet.")
        return self._begin_again(self.active)

    @property
    def rollback_target(self) -> Revision | None:
        """The revision that ``begin_rollback`` goes to."""
        active = self.active
        others = (r for r in reversed(self.history) if active is None or not r.is_like(active))
        return next(others, None)

    def _begin_again(self, earlier: Revision) -> Revision:
        revision = self.begin_update(
            earlier.uri,
            earlier.entity,
            served_name=earlier.served_name,
            environment_vars=earlier.environment_vars,
        )
        # Its task has not begun yet: it will find its files here, whatever the URI means by now.
        revision.model = earlier.model
        revision.fingerprint = earlier.fingerprint
        revision.is_pinned = True
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
            # Cancelled by `cancel_update`, and that ends here; or by the end of the server.
            revision.was_cancelled = True
            await self._reject(revision, UpdateRejected("The update was cancelled."))
            if self._stopping:
                raise
        except PeltonError as error:
            await self._reject(revision, error)

    async def _reject(self, revision: Revision, error: PeltonError) -> None:
        revision.error = error
        if revision.lifecycle.can(RevisionEvent.REJECTED):
            revision.lifecycle.fire(RevisionEvent.REJECTED)
        log.error(
            "revision.rejected %s",
            kv(
                revision=revision.number,
                model=revision.uri,
                serving=self.active.number if self.active else "none",
                reason=first_line(error),
            ),
        )
        self.updating = None
        self.last_rejected = revision
        if revision.pool is not None:
            revision.pool.kill()
            await revision.pool.wait_gone()
        if self.updating is None:
            self._settle()

    # Rolling out

    async def _roll_out(self, revision: Revision) -> None:
        """Prepare, start, prove, take over.

        Raises:
            PeltonError: it did not prove itself; what served before still does.
        """
        started = self._clock()
        self.updating = revision
        revision.lifecycle.fire(RevisionEvent.PREPARE)
        check_slots(revision, revision.entity.memory_policy)
        await self._prepare(revision)
        revision.lifecycle.fire(RevisionEvent.PREPARED)
        old = self.active
        pool = revision.pool = self._new_pool(revision)
        step = await self._plan_rollout(revision, old)
        await pool.start(step)
        if revision.fingerprint is not None:
            assert revision.model is not None
            await self._snapshots.check_unchanged(revision.model, revision.fingerprint)
        prove(revision, old, self.settings)
        if self._stopping:
            raise UpdateRejected("The server is shutting down.")
        revision.is_taking_over = True
        await self._take_over(revision, old, step)
        assert revision.model is not None
        log.info(
            "revision.took_over %s",
            kv(
                revision=revision.number,
                model=revision.model.source,
                slots=revision.slots.slots,
                workers=len(pool.workers),
                seconds=self._clock() - started,
            ),
        )

    async def _prepare(self, revision: Revision) -> None:
        """Bring the model's files and its Python environment here."""
        cache_dir = self.settings.updates.cache_dir.expanduser()
        if revision.model is None:
            model = await artifacts.resolve(revision.uri, cache_dir, on_progress=_progress)
            if local_path(revision.uri) is not None:
                model, revision.fingerprint = await self._snapshots.secure(model)
            revision.model = model
        found = await interpreter.prepare(
            revision.model,
            mode=cast(interpreter.Mode, revision.entity.env),
            cache_dir=cache_dir,
            on_progress=_progress,
            overrides=revision.entity.override,
            or_local=self.active is None,
        )
        revision.interpreter = found
        for note in found.notes:
            log.warning("revision.environment %s", kv(revision=revision.number, note=note))
        log.info(
            "revision.prepared %s",
            kv(
                revision=revision.number,
                model=revision.model.source,
                python=found.python,
                reason=found.reason,
            ),
        )

    def _new_pool(self, revision: Revision) -> Pool:
        verify = requests_to_verify(self.active, self.settings)
        plan = revision.plan(self.settings, verify, self._bodies)
        pool = Pool(
            plan,
            self.dispatcher,
            self.settings.workers,
            self._worker_changed,
            self._start_task,
            self._next_worker,
            self._clock,
            self._libraries,
        )
        pool.on_ready_change = self._on_ready_change
        return pool

    def _next_worker(self) -> str:
        return f"worker-{next(self._worker_numbers)}"

    async def _plan_rollout(self, revision: Revision, old: Revision | None) -> int:
        if old is None or old.pool is None:
            return revision.scaling.least or 1
        pids = [worker.process.pid for worker in old.pool.serving()]
        sizes = await asyncio.to_thread(lambda: [platform.pss_bytes(pid) or 0 for pid in pids])
        workers = self._first_workers(revision, old)
        plan = rollout.plan(workers, max(sizes, default=None), platform.FreeMemory().bytes())
        log.info(
            "revision.rollout %s",
            kv(revision=revision.number, step=plan.step, reason=plan.reason),
        )
        return plan.step

    def _first_workers(self, revision: Revision, old: Revision) -> int:
        """Return how many workers a revision takes over with: as many as the old one has now."""
        assert old.pool is not None
        limits = revision.scaling
        return max(1, limits.least, min(limits.most, old.pool.target))

    async def _take_over(self, revision: Revision, old: Revision | None, step: int) -> None:
        """Admit the new workers and drain the old ones, ``step`` at a time.

        Both happen at one instant, so that no request goes to the old revision once the whole new
        one pulls; the new one is reported active when the last old answer is out.
        """
        pool = revision.pool
        assert pool is not None
        if old is not None and old.pool is not None:
            goal = self._first_workers(revision, old)
            while len(pool.workers) < goal and len(old.pool.workers) > step:
                drained = old.pool.drain_some(step)
                pool.admit()
                await asyncio.gather(*drained)
                pool.resize(min(goal, len(pool.workers) + step))
                await pool.wait_size()
            drained = old.pool.drain()
            pool.admit()
            await asyncio.gather(*drained)
            pool.resize(goal)
        else:
            pool.admit()
        self.active = revision
        self.updating = None
        self.last_rejected = None
        revision.lifecycle.fire(RevisionEvent.ACTIVATED)
        if old is not None:
            old.lifecycle.fire(RevisionEvent.SUPERSEDED)
            # A reload of the same takes the place of what it reloaded.
            others = [r for r in self.history if not r.is_like(old) and not r.is_like(revision)]
            self.history = [*others, old][-KEPT_REVISIONS:]
            self._start_task(self._retire(old))
        self._on_ready_change()
        self._settle()

    def _settle(self) -> None:
        self.settled.set()
        if not self._stopping:
            remembered = (*self.history, self.active, self.last_rejected)
            self._snapshots.keep_only(r.model for r in remembered if r is not None)
            self._start_task(self._snapshots.prune())

    async def _retire(self, revision: Revision) -> None:
        assert revision.pool is not None
        await revision.pool.wait_gone()
        revision.lifecycle.fire(RevisionEvent.DRAINED)

    # What the supervisor adds

    def _on_ready_change(self) -> None:
        """Called when a worker begins or ends to serve."""

    def _start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that the supervisor owns."""
        assert self._tasks is not None
        return self._tasks.create_task(coroutine)

    def _new_revision(self, uri: str, entity: Entity) -> Revision:
        return Revision(next(self._numbers), uri, entity, self._revision_changed)

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


def _progress(text: str) -> None:
    log.info("revision.progress %s", kv(text=text))
