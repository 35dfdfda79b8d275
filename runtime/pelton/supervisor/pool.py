"""The workers of one revision: as many as wanted, each replaced when it ends.

A pool starts them the cheapest way that is safe: forked from a process that has loaded the model
once, else each on its own. It never decides how many there should be, nor when they serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from pelton.batching.dispatch import Dispatcher
from pelton.batching.policy import NO_BATCHING, BatchLimits
from pelton.channel.messages import VERDICTS
from pelton.deadline import Clock
from pelton.errors import LoadFailed, ModelError, PeltonError, WorkerCrashed, WorkerLost
from pelton.lifecycle import WorkerState
from pelton.settings import Workers
from pelton.supervisor import restart
from pelton.supervisor.handle import OnChange, WorkerHandle
from pelton.supervisor.launcher import Launcher, PoolPlan
from pelton.supervisor.libraries import Libraries
from pelton.supervisor.template import Template
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")


class Pool:
    """Owned by one event loop.

    Args:
        plan: what the workers are.
        dispatcher: the queue they pull from once admitted.
        settings: limits of their lives.
        on_change: called at each change of state of a worker.
        start_task: starts a task that somebody owns.
        next_name: names a worker.
        clock: monotonic seconds.
        libraries: gives fork servers with everything imported; ``None`` starts one afresh.
    """

    def __init__(
        self,
        plan: PoolPlan,
        dispatcher: Dispatcher,
        settings: Workers,
        on_change: OnChange,
        start_task: Callable[[Any], asyncio.Task[Any]],
        next_name: Callable[[], str],
        clock: Clock,
        libraries: Libraries | None = None,
    ) -> None:
        self.plan = plan
        self.workers: dict[str, WorkerHandle] = {}
        self.report: dict[str, Any] = {}
        self.batch_limits: BatchLimits = NO_BATCHING
        self.is_admitted = False
        self.target = 0
        self.failures: list[float] = []
        self.retry_at: float | None = None
        self.last_failure: PeltonError | None = None
        self.on_ready_change: Callable[[], None] = lambda: None
        self._dispatcher = dispatcher
        self._settings = settings
        self._on_change = on_change
        self._start_task = start_task
        self._clock = clock
        self._launcher = Launcher(plan, settings, next_name, libraries)
        self._closing = False
        self._wake = asyncio.Event()
        self._resized = asyncio.Event()
        self._keeper: asyncio.Task[Any] | None = None
        self._replacing = 0

    # What the supervisor wants of it

    async def start(self, target: int) -> None:
        """Start ``target`` workers and return once all are READY.

        Raises:
            ModelError: the model does not load or warm up; nothing is left running.
        """
        self.target = target
        try:
            if self._launcher.forks:
                await self._launcher.load()
            first = await self._start_worker()
            self.report = {**first.loaded, **first.ready.result()}
            self._adopt_verdicts()
            async with asyncio.TaskGroup() as group:
                for _ in range(target - 1):
                    group.create_task(self._start_worker())
        except BaseException as error:
            self.kill()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise
        self._keeper = self._start_task(self._keep())

    def admit(self) -> None:
        """Let every worker that is READY, and each later one, pull."""
        self.is_admitted = True
        for worker in self.workers.values():
            if worker.state is WorkerState.READY:
                worker.admit(self.batch_limits)
        self.on_ready_change()

    def resize(self, target: int, keep_warm: str = "model") -> None:
        """Have so many workers: missing ones are started, the idlest of the others drained.

        Args:
            target: how many; 0 puts the pool to sleep.
            keep_warm: what stays in memory at 0: "off", "libraries" or "model".
        """
        self.target = target
        if target == 0:
            self._launcher.rest(keep_warm)
        self._wake.set()

    @property
    def template(self) -> Template | None:
        """The fork server, while there is one."""
        return self._launcher.template

    @property
    def is_asleep(self) -> bool:
        """Whether it is scaled to zero."""
        return self.target == 0 and self.is_admitted and not self._closing

    def drain(self) -> list[asyncio.Future[None]]:
        """Take nothing new, from this moment on; the processes leave by themselves.

        Returns:
            A future a worker, done when nothing runs in it any more.
        """
        self._closing = True
        self._wake.set()
        return [_drain(worker) for worker in list(self.workers.values())]

    def drain_some(self, many: int) -> list[asyncio.Future[None]]:
        """Drain ``many`` serving workers and want that many fewer; as ``drain``."""
        leaving = _idlest(self.serving(), many)
        self.target = max(0, self.target - len(leaving))
        return [_drain(worker) for worker in leaving]

    async def wait_size(self) -> None:
        """Return once there are as many serving workers as wanted."""
        while len(self.serving()) < self.target and not self._closing:
            self._resized.clear()
            await self._resized.wait()

    async def wait_gone(self) -> None:
        """Return once every process has ended; after ``drain`` or ``kill``."""
        self._closing = True
        self._wake.set()
        self._launcher.stop()
        gone: list[asyncio.Future[Any]] = [worker.ended for worker in self.workers.values()]
        if self.template is not None:
            gone.append(self.template.process.exited)
        if gone:
            await asyncio.wait(gone)  # which, if it is cancelled, does not cancel them

    async def end(self, grace_s: float = 5.0) -> None:
        """End every process: gracefully, then by force."""
        if not self._closing:  # nobody has told the workers to leave
            starting = [w for w in self.workers.values() if w.state in _BEGUN]
            self.drain()
            for worker in starting:
                worker.process.kill()  # it hears nothing until it is through, and has no request
        try:
            async with asyncio.timeout(grace_s):
                await self.wait_gone()
        except TimeoutError:
            self.kill()
            await self.wait_gone()

    def kill(self) -> None:
        """End every process now."""
        self._closing = True
        self._wake.set()
        for worker in self.workers.values():
            worker.process.kill()
        self._launcher.stop()

    async def replace(self, worker: WorkerHandle) -> bool:
        """Replace one worker, make before break; whether its successor serves.

        The old one goes on if the successor fails to start.
        """
        self._replacing += 1
        try:
            await self._start_worker()
            if worker.name in self.workers:
                worker.drain()
        except PeltonError as error:
            log.warning("worker.not_replaced %s", kv(worker=worker.name, error=error))
            return False
        finally:
            self._replacing -= 1
            self._wake.set()
        return True

    def serving(self) -> list[WorkerHandle]:
        """Return the workers that pull."""
        return [w for w in self.workers.values() if w.state is WorkerState.SERVING]

    @property
    def backs_off_s(self) -> float:
        """Seconds until the next start after failures; 0.0 if none is put off."""
        return max(0.0, self.retry_at - self._clock()) if self.retry_at is not None else 0.0

    # Starting

    def _adopt_verdicts(self) -> None:
        """Spare later workers what the first one has found out about the model."""
        verdicts = {key: value for key, value in self.report.items() if key in VERDICTS}
        self._launcher.differs["verdicts"] = verdicts
        log.info("model.proven %s", kv(revision=self.plan.revision, **verdicts))
        if verdicts["batching"]:
            self.batch_limits = BatchLimits(self.plan.max_batch, self.plan.max_batch_bytes)

    async def _start_worker(self) -> WorkerHandle:
        """Start one worker and return it READY, or SERVING if the pool is admitted.

        Raises:
            ModelError, WorkerError: it could not be started.
        """
        launcher = self._launcher
        if launcher.forks and launcher.template is None:
            await launcher.renew(None)
        if not launcher.forks:
            return await self._launch(forked=False)
        try:
            return await self._launch(forked=True)
        except (ModelError, WorkerCrashed, WorkerLost) as error:
            if self._closing:
                raise
            if not self.report:
                return await self._start_first_again(error)
            if launcher.is_alive:
                raise  # it has forked well before: the fault is not with forking as such
            await launcher.renew(error)
            return await self._launch(forked=launcher.forks)

    async def _start_first_again(self, error: PeltonError) -> WorkerHandle:
        """The first worker failed: find out whether it was forking, or our made-up questions.

        A crash in the warm-up may be the answer to a question that no caller would ask. So it is
        tried without questions, and then without forking.
        """
        if isinstance(error, (WorkerCrashed, WorkerLost, LoadFailed)) and self.plan.spec.fast_path:
            log.warning("model.unproven %s", kv(reason=error, instead="MLflow answers everything"))
            self._launcher.differs["fast_path"] = False
            with contextlib.suppress(PeltonError):
                return await self._launch(forked=True)
        self._launcher.give_up_forking(f"a forked worker failed: {error}")
        return await self._launch(forked=False)

    async def _launch(self, *, forked: bool) -> WorkerHandle:
        process, spec = await self._launcher.start(forked=forked)
        worker = WorkerHandle(
            process,
            spec,
            forked=forked,
            revision=self.plan.revision,
            dispatcher=self._dispatcher,
            settings=self._settings,
            on_change=self._on_change,
        )
        self.workers[spec.name] = worker
        worker.ended.add_done_callback(lambda _: self._ended(worker))
        await worker.open()
        if self._closing:  # meanwhile; `drain` has not seen it
            worker.drain()
        try:
            await asyncio.shield(worker.ready)
        except asyncio.CancelledError:
            process.kill()
            raise
        if self.is_admitted and worker.state is WorkerState.READY and not self._closing:
            worker.admit(self.batch_limits)
            self._ready_changed()
        return worker

    # Keeping

    def _ready_changed(self) -> None:
        self._resized.set()
        self.on_ready_change()

    def _ended(self, worker: WorkerHandle) -> None:
        self.workers.pop(worker.name, None)
        ending = worker.ended.result()
        if not ending.planned and not self._closing:
            # One that was killed from outside after it had answered says nothing of the model.
            is_accident = isinstance(ending.error, WorkerLost) and worker.answered > 0
            if not (ending.blameless or is_accident):
                self.failures = [*restart.recent(self.failures, self._clock()), self._clock()]
            self.last_failure = ending.error
        self._wake.set()
        self._ready_changed()

    async def _keep(self) -> None:
        """Start what is missing, drain what is too much, until the pool closes."""
        starting: set[asyncio.Task[Any]] = set()
        while not self._closing:
            self._wake.clear()
            starting = {task for task in starting if not task.done()}
            alive = [w for w in self.workers.values() if w.state not in _LEAVING]
            # Workers being started are in both; count each once.
            begun = sum(1 for w in alive if w.state in _BEGUN)
            many = len(alive) - begun + max(begun, len(starting))
            missing = self.target - many
            if missing > 0:
                wait_s = restart.delay_s(self.failures, self._clock())
                if wait_s and not starting and self.failures:
                    since = self._clock() - self.failures[-1]
                    wait_s = max(0.0, wait_s - since)
                if wait_s > 0:
                    await self._back_off(wait_s)
                    continue
                self.retry_at = None
                for _ in range(missing):
                    starting.add(self._start_task(self._replace_missing()))
            elif missing + self._replacing < 0:
                for worker in _idlest(alive, -missing - self._replacing):
                    worker.drain()
            await self._wake.wait()

    async def _back_off(self, wait_s: float) -> None:
        self.retry_at = self._clock() + wait_s
        log.warning(
            "worker.backing_off %s",
            kv(seconds=wait_s, failures=len(self.failures), error=self.last_failure),
        )
        self.on_ready_change()
        try:
            async with asyncio.timeout(wait_s):
                while not self._closing:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            pass
        self.retry_at = None

    async def _replace_missing(self) -> None:
        try:
            await self._start_worker()
        except PeltonError as error:
            self.last_failure = error
            if not self._closing:
                log.warning("worker.not_started %s", kv(error=error))
        self._wake.set()


def _drain(worker: WorkerHandle) -> asyncio.Future[None]:
    idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    worker.drain(lambda: None if idle.done() else idle.set_result(None))
    return idle


_LEAVING = (
    WorkerState.DRAINING,
    WorkerState.STOPPING,
    WorkerState.STOPPED,
    WorkerState.FAILED,
)
_BEGUN = (WorkerState.SPAWNING, WorkerState.LOADING, WorkerState.WARMING)


def _idlest(workers: list[WorkerHandle], many: int) -> list[WorkerHandle]:
    """Return ``many`` workers to let go, those that do nothing first."""
    return sorted(workers, key=lambda w: (w.is_busy, w.answered))[:many]
