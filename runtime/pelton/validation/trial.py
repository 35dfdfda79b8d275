"""Workers of a model as a server would start them, without the server."""

from __future__ import annotations

import asyncio
import itertools
import time
from types import TracebackType
from typing import Any, Final

from pelton import platform
from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import Answer, Entry
from pelton.errors import LoadFailed, PeltonError
from pelton.lifecycle import WorkerEvent, WorkerState
from pelton.settings import Workers
from pelton.supervisor.launcher import PoolPlan
from pelton.supervisor.pool import Pool
from pelton.validation.measurement import Predictions
from pelton.validation.question import Question

_LONGEST_S: Final = 2.0
_MOST: Final = 200
_LEAST: Final = 3


class Trial:
    """A pool of workers with a queue of their own. Owned by one event loop.

    As a context manager it leaves no process behind, however it is left.

    Args:
        plan: what the workers are.
        settings: limits of their lives.
        timeout_s: of each request.
    """

    def __init__(self, plan: PoolPlan, settings: Workers, timeout_s: float) -> None:
        self._plan = plan
        self._settings = settings
        self._timeout_s = timeout_s
        self._tasks = asyncio.TaskGroup()
        self._changed = asyncio.Event()
        self._names = itertools.count(1)
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Trial:
        await self._tasks.__aenter__()
        self._dispatcher = Dispatcher(Limits(1000, 1 << 40), time.monotonic)
        self.pool = Pool(
            self._plan,
            self._dispatcher,
            self._settings,
            _unheard,
            self._tasks.create_task,
            lambda: f"{self._plan.spec.name}-{next(self._names)}",
            time.monotonic,
        )
        self.pool.on_ready_change = self._changed.set
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pool.drain()
        await self.pool.end()
        # Not told of the error, which it would put into a group.
        await self._tasks.__aexit__(None, None, None)

    async def start(self) -> dict[str, Any]:
        """Start one worker and return its report.

        Raises:
            ModelError: the model does not load, or not answer its example in time.
        """
        await self.pool.start(1)
        self.pool.admit()
        return self.pool.report

    @property
    def is_forked(self) -> bool:
        """Whether workers are forked from a process that has loaded the model."""
        return self.pool.template is not None and self.pool.template.is_alive

    async def grow(self) -> None:
        """Start a second worker and wait until it serves.

        Raises:
            PeltonError: it does not.
        """
        self.pool.resize(2)
        try:
            async with asyncio.timeout(self._settings.load_timeout + self._settings.warmup_timeout):
                while len(self.pool.serving()) < 2:
                    if self.pool.failures:
                        raise self.pool.last_failure or LoadFailed("It ended at once.")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise LoadFailed("It was not ready within --load-timeout.") from None

    async def ask(self, question: Question, times: int = 1) -> Answer:
        """Ask ``times`` workers at once, at most one request each; the first one's answer.

        Raises:
            PeltonError: the request was not answered.
        """
        answers = [self._submit(question) for _ in range(times)]
        return (await asyncio.gather(*answers))[0]

    async def measure(self, question: Question) -> Predictions:
        """Ask one after another, for as long as it takes to know how long one takes.

        Raises:
            PeltonError: a request was not answered.
        """
        times_s: list[float] = []
        began = time.monotonic()
        while len(times_s) < _LEAST or (
            len(times_s) < _MOST and time.monotonic() - began < _LONGEST_S
        ):
            started = time.monotonic()
            answer = await self._submit(question)
            times_s.append(time.monotonic() - started)
        return Predictions.of(times_s, answer.about.path)

    def memory_bytes(self) -> int:
        """Return the memory of all its processes: shared pages count once."""
        processes = [worker.process for worker in self.pool.workers.values()]
        if self.is_forked:
            assert self.pool.template is not None
            processes.append(self.pool.template.process)
        return sum(platform.pss_bytes(process.pid) or 0 for process in processes)

    def _submit(self, question: Question) -> asyncio.Future[Answer]:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def on_done(entry: Entry) -> None:
            if answered.done():
                return
            if entry.answer is not None:
                answered.set_result(entry.answer)
            else:
                answered.set_exception(entry.error or PeltonError("The request was dropped."))

        deadline = time.monotonic() + self._timeout_s
        entry = Entry(next(self._ids), question.body, question.media_type, deadline, on_done)
        self._dispatcher.submit_nowait(entry)
        return answered


def _unheard(name: str, before: WorkerState, event: WorkerEvent, after: WorkerState) -> None:
    """Changes of state are for a server's log."""
