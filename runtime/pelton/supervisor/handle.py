"""One worker as the supervisor sees it: its state, its process, its channel, its slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from pelton import platform
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import Entry
from pelton.batching.lane import Lane
from pelton.batching.policy import NO_BATCHING, BatchLimits
from pelton.channel import frames
from pelton.channel.client import ChannelClient
from pelton.channel.messages import (
    EXIT_DRAINED,
    Kind,
    LoadSpec,
    read_json,
)
from pelton.errors import (
    LoadFailed,
    ModelError,
    PeltonError,
    WarmupFailed,
    WorkerCrashed,
    WorkerLost,
)
from pelton.lifecycle import WORKER_TRANSITIONS, Lifecycle, WorkerEvent, WorkerState
from pelton.settings import Workers
from pelton.supervisor.answers import Answers
from pelton.supervisor.ending import Ending, explain, failure
from pelton.supervisor.port import Port
from pelton.supervisor.process import WorkerProcess
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

STOP_GRACE_S = 5.0
_RECHECK_S = 10.0  # a slot that checks for longer gets batches again: their deadlines bound it

OnChange = Callable[[str, WorkerState, WorkerEvent, WorkerState], None]


class WorkerHandle:
    """A worker from its process to its end. Owned by one event loop.

    Args:
        process: the running process.
        spec: what it loads; sent to it unless it was forked from a process that has loaded.
        forked: whether it was.
        revision: number of its revision.
        dispatcher: the queue its slots pull from.
        settings: limits of its states.
        on_change: called at each change of state.

    Attributes:
        ready: done when the worker is READY (its warm-up report), or has failed before.
        ended: done when its process is gone.
    """

    def __init__(
        self,
        process: WorkerProcess,
        spec: LoadSpec,
        *,
        forked: bool,
        revision: int,
        dispatcher: Dispatcher,
        settings: Workers,
        on_change: OnChange,
    ) -> None:
        self.process = process
        self.spec = spec
        self.name = spec.name
        self.revision = revision
        self.lifecycle = Lifecycle(spec.name, WORKER_TRANSITIONS, WorkerState.SPAWNING, on_change)
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.ready: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.ended: asyncio.Future[Ending] = loop.create_future()
        self.loaded: dict[str, Any] = {}
        self.started_at = dispatcher.clock()
        self.last_heard = self.started_at
        self.lanes: list[Lane] = []
        self._forked = forked
        self._dispatcher = dispatcher
        self._settings = settings
        self._channel: ChannelClient | None = None
        self._answers = Answers(spec.name, revision)
        self._failure: PeltonError | None = None
        self._verdict: PeltonError | None = None
        self._blameless = False
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False
        self._returncode: int | None = None
        self._on_idle: Callable[[], None] | None = None
        process.exited.add_done_callback(self._exited)

    @property
    def answered(self) -> int:
        """Requests it has answered."""
        return self._answers.count

    @property
    def state(self) -> WorkerState:
        """Where it is."""
        return self.lifecycle.state

    async def open(self) -> None:
        """Open the channel and set the worker going."""
        self._channel = await ChannelClient.open(
            self.process.sock, self._on_frames, self._channel_lost, self._on_data
        )
        if not self._forked:
            self._channel.send([self.spec.to_frame()])
        self._limit(self._settings.load_timeout)

    # What the supervisor wants of it

    def admit(self, limits: BatchLimits = NO_BATCHING) -> None:
        """READY -> SERVING: its slots pull from now on."""
        self.lifecycle.fire(WorkerEvent.ADMITTED)
        in_order = self.spec.slots == 1  # several take from one queue
        for _ in range(self.spec.slots):
            self.lanes.append(self._dispatcher.open_lane(Port(self), limits, in_order=in_order))

    def drain(self, on_idle: Callable[[], None] | None = None) -> None:
        """Take nothing new, finish what runs, exit. ``on_idle`` is called once nothing runs."""
        if self.state is WorkerState.DRAINING:  # asked before: what runs still has its time
            earlier = self._on_idle

            def both() -> None:
                for told in (earlier, on_idle):
                    if told is not None:
                        told()

            self._on_idle = both
            return
        if self.state is not WorkerState.SERVING:
            if self.lifecycle.can(WorkerEvent.DRAIN):
                self.lifecycle.fire(WorkerEvent.DRAIN)
            self._stop()
            if on_idle is not None:
                on_idle()
            return
        self.lifecycle.fire(WorkerEvent.DRAIN)
        self._on_idle = on_idle
        waiting = len(self.lanes)

        def lane_idle() -> None:
            nonlocal waiting
            waiting -= 1
            if waiting == 0:
                self._drained()

        for lane in self.lanes:
            lane.close(lane_idle)

    def kill(self, reason: PeltonError, *, blameless: bool = False) -> None:
        """End it now; what runs in it gets ``reason``."""
        if self._verdict is None:
            self._verdict = reason
            self._blameless = blameless
            log.warning("worker.killed %s", kv(worker=self.name, reason=str(reason)))
        if self.lifecycle.can(WorkerEvent.TIMED_OUT) and self.state is WorkerState.SERVING:
            self.lifecycle.fire(WorkerEvent.TIMED_OUT)
        for lane in self.lanes:
            lane.fail(reason)
        self.process.kill()

    def ping(self) -> None:
        """Ask for a sign of life; ``last_heard`` moves when it comes."""
        if self._channel is not None:
            self._channel.send([frames.Frame(Kind.PING)])

    @property
    def is_busy(self) -> bool:
        """Whether any of its slots runs something."""
        return any(lane.is_busy for lane in self.lanes)

    # Slots

    def run(self, lane: Lane, batch: Sequence[Entry]) -> None:
        """Send a batch; called by its port."""
        assert self._channel is not None
        self._answers.expect(lane, batch)
        self._channel.write(self._answers.encode(batch))

    def cancel(self, lane: Lane, batch: Sequence[Entry]) -> None:
        """Interrupt a batch, and kill the worker if that does not help soon."""
        assert self._channel is not None
        self._channel.send([frames.Frame(Kind.CANCEL, batch[0].id)])

        def enforce() -> None:
            if self._answers.are_due(lane, batch):
                self.kill(
                    WorkerLost(
                        "The worker was restarted because another request in it ran past its"
                        " deadline and could not be interrupted. Retry."
                    ),
                    blameless=True,
                )

        self._loop.call_later(self._settings.cancel_grace, enforce)

    def drop(self, entry: Entry) -> None:
        """Have an entry left out of the batch it was sent ahead in, if that has not begun."""
        assert self._channel is not None
        self._channel.send([frames.Frame(Kind.DROP, entry.id)])

    def recall(self, batch: Sequence[Entry]) -> None:
        """Ask for a batch that was sent ahead; RETURNED comes if it has not begun."""
        assert self._channel is not None
        self._channel.send([frames.Frame(Kind.RECALL, batch[0].id)])

    # What the worker says

    def _on_data(self, data: bytes) -> int:
        self.last_heard = self._dispatcher.clock()
        return self._answers.cut(data)

    def _on_frames(self, incoming: Sequence[frames.Frame]) -> None:
        self.last_heard = self._dispatcher.clock()
        self._answers.take(incoming, self._report)

    def _report(self, frame: frames.Frame) -> None:
        if frame.kind == Kind.CONNECTED:
            if self.state is WorkerState.SPAWNING:  # it may have been told to leave meanwhile
                self.lifecycle.fire(WorkerEvent.CONNECTED)
        elif frame.kind == Kind.LOADED:
            self.loaded = read_json(frame)
            if self.state is WorkerState.LOADING:
                self.lifecycle.fire(WorkerEvent.LOADED)
                # The worker interrupts itself at the limit; this is for what it cannot.
                self._limit(self._settings.warmup_timeout + 5.0)
        elif frame.kind == Kind.WARMED:
            if self.state is WorkerState.WARMING:
                self._unlimit()
                self.lifecycle.fire(WorkerEvent.WARMED)
                report = read_json(frame)
                self._answers.shares = report["shares_bodies"]
                if self.spec.bodies and not self._answers.shares:
                    log.info("worker.bodies_are_copied %s", kv(worker=self.name))
                if not self.ready.done():
                    self.ready.set_result(report)
        elif frame.kind == Kind.RETURNED:
            for lane in self.lanes:
                batch = lane.sent(frame.id)
                if batch:
                    log.debug("batch.returned %s", kv(worker=self.name, requests=len(batch)))
                    self._answers.forget(batch)
                    lane.returned(batch)
        elif frame.kind == Kind.RECHECKS:
            for lane in self.lanes:
                if lane.sent(frame.id):
                    lane.rechecks(frame.id)
                    self._loop.call_later(_RECHECK_S, lane.through, frame.id)
        elif frame.kind == Kind.THROUGH:
            for lane in self.lanes:
                lane.through(frame.id)
        elif frame.kind == Kind.FAILED:
            report = read_json(frame)
            self._failure = failure(report)

    # Endings

    def _drained(self) -> None:
        if self.state is WorkerState.DRAINING:
            self.lifecycle.fire(WorkerEvent.DRAINED)
            self._stop()
        if self._on_idle is not None:
            on_idle, self._on_idle = self._on_idle, None
            on_idle()

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.send([frames.Frame(Kind.DRAIN)])
        self._limit(STOP_GRACE_S)

    def _limit(self, seconds: float) -> None:
        """Bound the time in the present state."""
        self._unlimit()
        state = self.state

        def expired() -> None:
            if self.state in (WorkerState.SPAWNING, WorkerState.LOADING):
                limit = f"load within {seconds:g} s (--load-timeout)"
                self._failure = LoadFailed(f"The model did not {limit}.")
            elif self.state is WorkerState.WARMING:
                self._failure = WarmupFailed(
                    "The model did not answer its own input example in time and could not be"
                    " interrupted (--warmup-timeout)."
                )
            elif self.state is not state:
                return
            log.warning("worker.timed_out %s", kv(worker=self.name, state=state.value))
            if self.lifecycle.can(WorkerEvent.TIMED_OUT):
                self.lifecycle.fire(WorkerEvent.TIMED_OUT)
            self.process.kill()

        self._timer = self._loop.call_later(seconds, expired)

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _channel_lost(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, OSError):
            log.error("worker.channel_broken %s", kv(worker=self.name, error=error))
        self._lost = True
        if self._returncode is not None:
            self._end()
        else:  # on its way out, most likely
            self._loop.call_later(0.5, self._outlived_channel)

    def _outlived_channel(self) -> None:
        """A worker that has only lost its channel is of no use either."""
        if self._returncode is not None:
            return
        if self._failure is not None or self.state is WorkerState.STOPPING:
            self.process.kill()  # it has said what there is to say
        else:
            self.kill(
                WorkerCrashed(
                    "The worker that had this request closed its connection to the server. The"
                    " model closes descriptors that are not its own, most likely."
                )
            )

    def _exited(self, exited: asyncio.Future[int]) -> None:
        self._returncode = exited.result()
        if self._lost:
            self._end()
        else:  # what it wrote before it ended is still to be read
            self._loop.call_later(0.3, self._end)

    def _end(self) -> None:
        if self.ended.done():
            return
        self._unlimit()
        returncode = self._returncode
        assert returncode is not None
        planned = self.state in (WorkerState.STOPPING,) and returncode == EXIT_DRAINED
        was = self.state
        if self.lifecycle.can(WorkerEvent.EXITED):
            self.lifecycle.fire(WorkerEvent.EXITED)
        error = self._verdict or self._failure or explain(returncode)
        if not planned and was is not WorkerState.STOPPING:
            log.warning(
                "worker.ended %s",
                kv(
                    worker=self.name,
                    pid=self.process.pid,
                    how=platform.describe_exit(returncode),
                    state=was.value,
                ),
            )
        for lane in self.lanes:
            lane.fail(error)
        self._answers.forget_all()
        if self._channel is not None:
            self._channel.abort()
        if not self.ready.done():
            self.ready.set_exception(
                error
                if isinstance(error, ModelError)
                else LoadFailed(
                    f"The worker {platform.describe_exit(returncode)} while it was"
                    f" {was.value}; see its output in the log."
                )
            )
            self.ready.exception()  # whoever waits has it; nobody waiting is no error
        self.ended.set_result(
            Ending(error, planned or was is WorkerState.STOPPING, self._blameless)
        )
        if self._on_idle is not None:
            on_idle, self._on_idle = self._on_idle, None
            on_idle()
