"""The workers of one revision: as many as wanted, each replaced when it ends.

A pool starts them the cheapest way that is safe: forked from a process that has loaded the model
once, else each on its own. It never decides how many there should be, nor when they serve.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pelton.batching.dispatch import Dispatcher
from pelton.batching.policy import NO_BATCHING, BatchLimits
from pelton.channel.messages import VERDICTS, LoadSpec
from pelton.deadline import Clock
from pelton.errors import LoadFailed, ModelError, PeltonError, WorkerCrashed, WorkerLost
from pelton.lifecycle import WorkerState
from pelton.settings import Workers
from pelton.supervisor import restart
from pelton.supervisor.handle import OnChange, WorkerHandle
from pelton.supervisor.libraries import Libraries
from pelton.supervisor.process import spawn, worker_environ
from pelton.supervisor.template import Template
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")


@dataclass(frozen=True)
class PoolPlan:
    """What the workers of a revision are.

    Attributes:
        revision: its number.
        python: interpreter of the model's environment.
        isolated: whether that is another one than the server's.
        spec: what each worker loads; its name is a prefix.
        max_batch: requests that may be predicted together, where that is proven safe.
        max_batch_bytes: bytes of their bodies.
        environ: variables besides the server's own.
        preload: modules that a fork server imports before it is told what to load.
    """

    revision: int
    python: Path
    isolated: bool
    spec: LoadSpec
    max_batch: int
    max_batch_bytes: int = 16 * 1024 * 1024
    environ: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] = ()


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
        self.template: Template | None = None
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
        self._next_name = next_name
        self._clock = clock
        self._libraries = libraries
        self._closing = False
        self._fork = settings.fork == "auto" and hasattr(os, "fork")
        self._wake = asyncio.Event()
        self._resized = asyncio.Event()
        self._keeper: asyncio.Task[Any] | None = None
        self._renewing = asyncio.Lock()
        self._replacing = 0
        self._differs: dict[str, Any] = {}  # what later workers load differently from the plan

    # What the supervisor wants of it

    async def start(self, target: int) -> None:
        """Start ``target`` workers and return once all are READY.

        Raises:
            ModelError: the model does not load or warm up; nothing is left running.
        """
        self.target = target
        try:
            if self._fork:
                await self._start_template()
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
        if target == 0 and self.template is not None and keep_warm != "model":
            self.template.stop()
            self.template = None
            if keep_warm == "off" and self._libraries is not None:
                self._libraries.keep_only(None)
        self._wake.set()

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
        if self.template is not None:
            self.template.stop()
        await asyncio.gather(*(worker.ended for worker in list(self.workers.values())))
        if self.template is not None:
            await self.template.process.exited

    async def end(self, grace_s: float = 5.0) -> None:
        """End every process: gracefully, then by force."""
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
        if self.template is not None:
            self.template.stop()

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
        self._differs["verdicts"] = verdicts
        log.info("model.proven %s", kv(revision=self.plan.revision, **verdicts))
        if verdicts["batching"]:
            self.batch_limits = BatchLimits(self.plan.max_batch, self.plan.max_batch_bytes)

    async def _start_template(self) -> None:
        """Load the model once; on any doubt about forking it, go on without."""
        template = self.template = await self._new_template()
        template.load()
        try:
            async with asyncio.timeout(self._settings.load_timeout):
                report = await template.loaded
        except TimeoutError:
            self._give_up_forking(f"not loaded after {self._settings.load_timeout:g} s")
            raise ModelError(
                f"The model did not load within {self._settings.load_timeout:g} s (--load-timeout)."
            ) from None
        if report["fork_danger"]:
            self._give_up_forking(report["fork_danger"])

    async def _new_template(self) -> Template:
        """Start a fork server; it waits to be told to load."""
        name = f"{self._next_name()}-fork"
        environ = self._environ(template=True)
        modules = self.plan.preload
        if self._libraries is not None:
            process = await self._libraries.fork_server(name, self.plan.python, environ, modules)
        else:
            process = spawn(self.plan.python, name, environ, template=True, preload=modules)
        if self._closing:
            process.kill()
        return Template(process, replace(self.plan.spec, name=name))

    async def _renew_template(self, error: PeltonError | None) -> None:
        async with self._renewing:
            if self._fork and not (self.template is not None and self.template.is_alive):
                if error is not None:
                    log.warning("forkserver.lost %s", kv(error=error, next="starting a new one"))
                await self._start_template()

    def _give_up_forking(self, reason: str) -> None:
        log.warning("forkserver.off %s", kv(reason=reason, instead="each worker loads by itself"))
        self._fork = False
        if self.template is not None:
            self.template.stop()

    async def _start_worker(self) -> WorkerHandle:
        """Start one worker and return it READY, or SERVING if the pool is admitted.

        Raises:
            ModelError, WorkerError: it could not be started.
        """
        if self._fork and self.template is None:
            await self._renew_template(None)
        if not self._fork:
            return await self._launch(forked=False)
        try:
            return await self._launch(forked=True)
        except (ModelError, WorkerCrashed, WorkerLost) as error:
            if self._closing:
                raise
            if not self.report:
                return await self._start_first_again(error)
            if self.template is not None and self.template.is_alive:
                raise  # it has forked well before: the fault is not with forking as such
            await self._renew_template(error)
            return await self._launch(forked=self._fork)

    async def _start_first_again(self, error: PeltonError) -> WorkerHandle:
        """The first worker failed: find out whether it was forking, or our made-up questions.

        A crash in the warm-up may be the answer to a question that no caller would ask. So it is
        tried without questions, and then without forking.
        """
        if isinstance(error, (WorkerCrashed, WorkerLost, LoadFailed)) and self.plan.spec.fast_path:
            log.warning("model.unproven %s", kv(reason=error, instead="MLflow answers everything"))
            self._differs["fast_path"] = False
            with contextlib.suppress(PeltonError):
                return await self._launch(forked=True)
        self._give_up_forking(f"a forked worker failed: {error}")
        return await self._launch(forked=False)

    async def _launch(self, *, forked: bool) -> WorkerHandle:
        name = self._next_name()
        spec = replace(self.plan.spec, name=name, **self._differs)
        if forked:
            assert self.template is not None
            process = await self.template.fork(name, self._differs)
        else:
            process = spawn(self.plan.python, name, self._environ())
        worker = WorkerHandle(
            process,
            spec,
            forked=forked,
            revision=self.plan.revision,
            dispatcher=self._dispatcher,
            settings=self._settings,
            on_change=self._on_change,
        )
        self.workers[name] = worker
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

    def _environ(self, *, template: bool = False) -> dict[str, str]:
        return worker_environ(
            {**os.environ, **self.plan.environ},
            self.plan.spec.threads,
            isolated=self.plan.isolated,
            template=template,
        )

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
