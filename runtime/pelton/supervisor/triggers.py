"""What begins a change without being asked over HTTP: a signal, a new version, a worker's age."""

from __future__ import annotations

import asyncio
import logging

from pelton.deadline import Clock
from pelton.errors import LifecycleError
from pelton.settings import Workers
from pelton.supervisor.maintenance import Service, due, is_wanted
from pelton.supervisor.revisions import Revisions
from pelton.supervisor.watcher import Watcher
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

_TICK_S = 0.5
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 300.0


class Triggers:
    """Owned by the supervisor's event loop. Nothing that goes wrong here stops what serves.

    Args:
        revisions: what is changed.
        clock: the supervisor's; monotonic seconds.
    """

    def __init__(self, revisions: Revisions, clock: Clock) -> None:
        self._revisions = revisions
        self._clock = clock
        self._reload = asyncio.Event()

    def request_reload(self) -> None:
        """Reload as soon as no update is in progress; several requests until then are one.

        For callers that cannot be told to come back, such as the sender of a signal: what changed
        before the request will be seen, even by an update that had begun too early to see it.
        """
        busy = not self._revisions.settled.is_set()
        log.info("reload.requested %s", kv(next="after the present update" if busy else "now"))
        self._reload.set()

    async def run(self) -> None:
        """Act on all triggers until cancelled."""
        settings = self._revisions.settings
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reload_when_asked())
            if settings.updates.watch > 0:
                tasks.create_task(Watcher(self._revisions, settings.updates.watch).run())
            if is_wanted(settings.workers.max_worker_age, settings.workers.max_worker_requests):
                tasks.create_task(self._keep_workers_young(settings.workers))

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload.wait()
            await self._revisions.settled.wait()
            self._reload.clear()
            try:
                self._revisions.begin_update()
            except LifecycleError as error:
                log.warning("reload.refused %s", kv(reason=error))

    async def _keep_workers_young(self, limits: Workers) -> None:
        """Replace the oldest worker, make before break, one at a time."""
        retry_s = _FIRST_RETRY_S
        while True:
            await asyncio.sleep(_TICK_S)
            revision = self._revisions.active
            if revision is None or revision.pool is None or self._revisions.updating is not None:
                continue
            pool, now = revision.pool, self._clock()
            serving = {worker.name: worker for worker in pool.serving()}
            services = [
                Service(worker.name, now - worker.started_at, worker.answered)
                for worker in serving.values()
            ]
            name = due(services, limits.max_worker_age, limits.max_worker_requests)
            if name is None:
                continue
            old = serving[name]
            log.info(
                "worker.replacing %s",
                kv(worker=name, age_s=now - old.started_at, answered=old.answered),
            )
            if await pool.replace(old):
                retry_s = _FIRST_RETRY_S
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(_LONGEST_RETRY_S, 2 * retry_s)
