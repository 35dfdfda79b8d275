"""A worker as the supervisor sees it; the test is the worker, on a real channel."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.frontend.front import until

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import Entry, Stage
from pelton.batching.policy import BatchLimits
from pelton.channel.bodies import UNIT_BYTES, SharedBodies
from pelton.channel.frames import LAST, Frame, FrameReader, encode
from pelton.channel.messages import (
    PATHS,
    AnswerMeta,
    Kind,
    LoadSpec,
    answer_frame,
    json_frame,
    read_request,
)
from pelton.errors import (
    DeadlineExceeded,
    LoadFailed,
    PeltonError,
    WarmupFailed,
    WorkerCrashed,
    WorkerLost,
)
from pelton.lifecycle import WorkerState
from pelton.settings import Workers
from pelton.supervisor.handle import WorkerHandle
from pelton.supervisor.watchdog import judge

pytestmark = pytest.mark.usefixtures("no_leaks")
LIMIT_S = 60.0
CANCELLED = AnswerMeta(0, path=PATHS.index("cancelled"))


class FakeProcess:
    """A process that ends when the test says so; it notes how it was killed."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pid = os.getpid()
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1


class PuppetWorker:
    """The other end: says what the test has it say, and keeps what it hears."""

    def __init__(self, bodies: str = "", **settings: Any) -> None:
        ours, self.sock = socket.socketpair()
        self.sock.setblocking(False)
        self.process = FakeProcess(ours)
        self.dispatcher = Dispatcher(Limits(100, 10**6), time.monotonic)
        self.changes: list[str] = []
        self.settings = Workers(**settings)
        self.handle = WorkerHandle(
            self.process,  # type: ignore[arg-type]
            LoadSpec("worker-1", "/model", bodies=bodies),
            forked=False,
            revision=7,
            dispatcher=self.dispatcher,
            settings=self.settings,
            on_change=lambda name, before, event, after: self.changes.append(after.value),
        )
        self._reader = FrameReader()
        self._heard: list[Frame] = []
        self.ended: list[Entry] = []
        self.shares = False

    async def hear(self, kind: Kind) -> Frame:
        """Return the next frame of a kind; those before it are dropped, pings apart."""
        loop = asyncio.get_running_loop()
        while True:
            while self._heard:
                frame = self._heard.pop(0)
                if frame.kind == kind:
                    return frame
            self._heard += self._reader.feed(await loop.sock_recv(self.sock, 65536))

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self.sock.sendall(b"".join(bytes(buffer) for buffer in encode(frame)))

    async def start(self) -> None:
        """Open the channel and come up to READY."""
        await self.handle.open()
        await self.hear(Kind.LOAD)
        self.say(
            json_frame(Kind.CONNECTED, {"pid": 1}),
            json_frame(Kind.LOADED, {"mlflow": "3"}),
            json_frame(Kind.WARMED, {"example": "answered", "shares_bodies": self.shares}),
        )
        await self.handle.ready

    async def serve(self, limits: BatchLimits | None = None) -> None:
        await self.start()
        self.handle.admit(limits) if limits else self.handle.admit()

    def submit(self, body: bytes | memoryview = b"body", timeout_s: float = 60.0) -> Entry:
        id = len(self.ended) + self.dispatcher.statistics().queued + 100 * len(body) + 1
        deadline = time.monotonic() + timeout_s
        entry = Entry(id, body, "text/csv", deadline, self.ended.append)
        self.dispatcher.submit_nowait(entry)
        return entry

    async def exit(self, returncode: int) -> None:
        """End the process."""
        self.sock.close()
        self.process.exited.set_result(returncode)
        await self.handle.ended


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_S):
            await scenario
        await asyncio.sleep(0)  # transports close in the loop's next round

    asyncio.run(bounded())


def test_life_of_a_worker() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        request = await worker.hear(Kind.REQUEST)
        assert (request.id, bytes(request.body)) == (entry.id, b"body")
        assert read_request(request.meta) == (entry.deadline, "text/csv")
        assert request.flags & LAST
        worker.say(answer_frame(entry.id, AnswerMeta(201, "a/b", 1.0, 2.0, 3.0, 1, 1), b"answer"))
        await until(lambda: entry.is_done)
        assert entry.answer is not None
        assert (entry.answer.about.status, entry.answer.body) == (201, b"answer")
        assert (entry.answer.about.worker, entry.answer.about.revision) == ("worker-1", 7)
        assert entry.answer.about.path == "fast"
        worker.handle.drain()
        await worker.hear(Kind.DRAIN)
        await worker.exit(0)
        assert worker.handle.ended.result().planned
        assert worker.changes == [
            "loading", "warming", "ready", "serving", "draining", "stopping", "stopped",
        ]  # fmt: skip
        assert worker.process.kills == 0

    run(scenario())


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")
@pytest.mark.parametrize("end", ["answered", "cancelled", "in parts", "killed"])
def test_a_place_is_kept_while_the_worker_may_read_there(end: str) -> None:
    async def scenario() -> None:
        bodies = SharedBodies(os.memfd_create("test"), 4 * UNIT_BYTES)
        worker = PuppetWorker()
        worker.shares = True
        await worker.serve()

        def take() -> memoryview:
            room = bodies.take(10)
            assert room is not None
            return room

        entry = worker.submit(take(), timeout_s=60.0 if end == "answered" else 0.05)
        assert (await worker.hear(Kind.PLACED)).id == entry.id
        if end == "answered":
            assert not bodies.is_empty
            worker.say(answer_frame(entry.id, AnswerMeta(200), b"answer"))
            await until(lambda: entry.is_done)
        else:
            await worker.hear(Kind.CANCEL)
            assert isinstance(entry.error, DeadlineExceeded)
            assert not bodies.is_empty  # it is read until the worker has said that it is not
        if end == "cancelled":
            worker.say(answer_frame(entry.id, CANCELLED, b""))
        if end == "in parts":
            worker.say(
                answer_frame(entry.id, CANCELLED, b"1", last=False),
                answer_frame(entry.id, CANCELLED, b"2"),
            )
        if end == "killed":
            worker.process.exited.set_result(-9)
        await until(lambda: bodies.is_empty)
        if end != "killed":
            await worker.exit(0)
        worker.sock.close()
        await worker.handle.ended
        bodies.close()

    run(scenario())


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")
def test_a_worker_that_does_not_share_is_sent_the_body(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bodies = SharedBodies(os.memfd_create("test"), 4 * UNIT_BYTES)
        worker = PuppetWorker(bodies=bodies.path)
        with caplog.at_level("INFO", "pelton.supervisor"):
            await worker.serve()
        assert "worker.bodies_are_copied worker=worker-1" in caplog.text
        room = bodies.take(5)
        assert room is not None
        room[:] = b"large"
        entry = worker.submit(room)
        assert bytes((await worker.hear(Kind.REQUEST)).body) == b"large"
        worker.say(answer_frame(entry.id, AnswerMeta(200), b"answer"))
        await until(lambda: entry.is_done)
        del room
        assert bodies.is_empty
        await worker.exit(0)
        bodies.close()

    run(scenario())


def test_answer_in_parts_is_put_together() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        meta = AnswerMeta(200)
        worker.say(
            answer_frame(entry.id, meta, b"one ", last=False),
            answer_frame(entry.id, meta, b"two ", last=False),
            answer_frame(entry.id, meta, b"three"),
        )
        await until(lambda: entry.is_done)
        assert entry.answer is not None
        assert bytes(entry.answer.body) == b"one two three"
        await worker.exit(0)

    run(scenario())


@pytest.mark.parametrize(
    ("returncode", "error"),
    [
        (1, WorkerCrashed),
        (0, WorkerCrashed),
        (-signal.SIGSEGV, WorkerCrashed),
        (-signal.SIGABRT, WorkerCrashed),
        (-signal.SIGKILL, WorkerLost),
        (-signal.SIGTERM, WorkerLost),
    ],
)
def test_worker_that_ends_fails_only_what_was_in_it(
    returncode: int, error: type[PeltonError]
) -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        inside = worker.submit(b"1")
        waiting = worker.submit(b"22")
        await worker.exit(returncode)
        assert isinstance(inside.error, error)
        assert not waiting.is_done
        ending = worker.handle.ended.result()
        assert (ending.planned, ending.blameless) == (False, False)
        assert worker.handle.state is WorkerState.FAILED

    run(scenario())


def test_what_it_wrote_before_it_ended_still_counts() -> None:
    """The exit is often noticed before the last answer has been read."""

    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        worker.process.exited.set_result(1)
        worker.say(answer_frame(entry.id, AnswerMeta(200), b"last words"))
        worker.sock.close()
        await worker.handle.ended
        assert entry.answer is not None
        assert entry.answer.body == b"last words"

    run(scenario())


def test_batch_goes_out_as_one_and_is_answered_one_by_one() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        entries = [worker.submit(b"x" * size) for size in (1, 2, 3)]
        await worker.serve(BatchLimits(requests=8))
        requests = [await worker.hear(Kind.REQUEST) for _ in entries]
        assert [request.id for request in requests] == [entry.id for entry in entries]
        assert [bool(request.flags & LAST) for request in requests] == [False, False, True]
        for entry in reversed(entries):
            worker.say(answer_frame(entry.id, AnswerMeta(200, batch_size=3), b""))
        await until(lambda: len(worker.ended) == 3)
        assert not worker.handle.is_busy
        await worker.exit(0)

    run(scenario())


def test_answers_to_the_next_batch_come_with_the_one_that_came_back() -> None:
    """All in one read: a lane hears of the return before it is given answers to what followed."""

    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve(BatchLimits(requests=8))
        lane, dispatcher = worker.handle.lanes[0], worker.dispatcher
        for requests in (1, 2, 3) * 4:
            dispatcher.batch_done(requests, requests * 10.0, requests)

        async def send_ahead(size: int) -> Entry:
            entry = worker.submit(b"x" * size)
            lane.send_ahead_at = dispatcher.ahead.due_at = 0.0
            dispatcher.look_ahead(time.monotonic())
            assert (await worker.hear(Kind.REQUEST)).id == entry.id
            return entry

        first = worker.submit(b"x")
        await worker.hear(Kind.REQUEST)
        second = await send_ahead(2)
        worker.handle.recall([second])
        assert (await worker.hear(Kind.RECALL)).id == second.id
        worker.say(answer_frame(first.id, AnswerMeta(200), b""))
        await until(lambda: second.stage is Stage.RUNNING)  # or so it seems
        third = await send_ahead(3)

        frames = [Frame(Kind.RETURNED, second.id), answer_frame(third.id, AnswerMeta(200), b"")]
        worker.sock.sendall(b"".join(bytes(part) for frame in frames for part in encode(frame)))

        assert (await worker.hear(Kind.REQUEST)).id == second.id
        worker.say(answer_frame(second.id, AnswerMeta(200), b""))
        await until(lambda: worker.ended == [first, third, second])
        assert not worker.handle.is_busy
        worker.say(Frame(Kind.RETURNED, 77))  # of no batch that it has
        await worker.exit(0)

    run(scenario())


def test_slot_that_checks_something_again_is_busy_until_it_is_through() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        worker.say(
            Frame(Kind.RECHECKS, 77),  # no batch of its
            Frame(Kind.RECHECKS, entry.id),
            answer_frame(entry.id, AnswerMeta(200), b""),
        )
        await until(lambda: worker.ended == [entry])
        assert worker.handle.is_busy
        assert worker.dispatcher.statistics().idle == 0
        worker.say(Frame(Kind.THROUGH, entry.id))
        await until(lambda: not worker.handle.is_busy)
        assert worker.dispatcher.statistics().idle == 1
        await worker.exit(0)

    run(scenario())


def test_slot_that_checks_for_too_long_is_given_batches_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their deadlines bound it: nobody waits for the check itself."""
    monkeypatch.setattr("pelton.supervisor.handle._RECHECK_S", 0.01)

    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit(b"x")
        frames = [Frame(Kind.RECHECKS, entry.id), answer_frame(entry.id, AnswerMeta(200), b"")]
        worker.sock.sendall(b"".join(bytes(part) for frame in frames for part in encode(frame)))
        await until(lambda: worker.ended == [entry])
        later = worker.submit(b"xx")
        await until(lambda: later.stage is Stage.RUNNING)
        await worker.exit(0)

    run(scenario())


# Deadlines


def test_worker_that_can_be_interrupted_lives_on() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        graces: list[Callable[[], None]] = []
        worker.handle._loop = SimpleNamespace(  # type: ignore[assignment]
            call_later=lambda _, callback: graces.append(callback)
        )
        late = worker.submit(b"1", timeout_s=0.01)
        assert (await worker.hear(Kind.CANCEL)).id == late.id
        worker.say(answer_frame(late.id, CANCELLED, b""))
        await until(lambda: not worker.handle.is_busy)
        assert isinstance(late.error, DeadlineExceeded)
        (grace_is_over,) = graces
        grace_is_over()
        assert worker.process.kills == 0
        assert worker.handle.state is WorkerState.SERVING
        worker.handle._loop = asyncio.get_running_loop()
        await worker.exit(0)

    run(scenario())


def test_worker_that_cannot_is_killed_and_nobody_else_is_blamed() -> None:
    async def scenario() -> None:
        worker = PuppetWorker(cancel_grace=0.01)
        await worker.serve()
        late = worker.submit(b"1", timeout_s=0.01)
        waiting = worker.submit(b"22")
        await until(lambda: worker.process.kills > 0)
        await worker.exit(-signal.SIGKILL)
        assert isinstance(late.error, DeadlineExceeded)
        assert not waiting.is_done
        assert worker.handle.ended.result().blameless

    run(scenario())


def test_kill_follows_though_the_first_of_the_batch_was_answered() -> None:
    async def scenario() -> None:
        worker = PuppetWorker(cancel_grace=0.01)
        await worker.start()
        first = worker.submit(b"1")
        late = worker.submit(b"22", timeout_s=0.5)
        worker.handle.admit(BatchLimits(requests=2))
        await worker.hear(Kind.REQUEST)
        worker.say(answer_frame(first.id, AnswerMeta(200), b""))
        await until(lambda: worker.process.kills > 0)
        assert isinstance(late.error, DeadlineExceeded)
        await worker.exit(-signal.SIGKILL)

    run(scenario())


# Starts that fail


@pytest.mark.parametrize(("stage", "error"), [("load", LoadFailed), ("warm-up", WarmupFailed)])
def test_failure_is_told_with_the_models_traceback(stage: str, error: type[PeltonError]) -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.handle.open()
        report = {"stage": stage, "message": "ValueError: no", "traceback": "Traceback ... no\n"}
        worker.say(json_frame(Kind.CONNECTED, {}), json_frame(Kind.FAILED, report))
        await worker.exit(3)
        with pytest.raises(error, match=r"(?s)ValueError: no\n\nTraceback ... no$"):
            await worker.handle.ready

    run(scenario())


def test_end_during_the_start_says_where() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.handle.open()
        worker.say(json_frame(Kind.CONNECTED, {}))
        await until(lambda: worker.handle.state is WorkerState.LOADING)
        await worker.exit(-signal.SIGSEGV)
        with pytest.raises(LoadFailed, match="was killed by SIGSEGV while it was loading"):
            await worker.handle.ready

    run(scenario())


def test_load_that_takes_too_long_is_killed() -> None:
    async def scenario() -> None:
        worker = PuppetWorker(load_timeout=0.01)
        await worker.handle.open()
        await until(lambda: worker.process.kills > 0)
        await worker.exit(-signal.SIGKILL)
        with pytest.raises(LoadFailed, match="--load-timeout"):
            await worker.handle.ready

    run(scenario())


def test_worker_that_connects_after_it_was_told_to_leave_leaves() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.handle.open()
        worker.handle.drain()
        worker.say(json_frame(Kind.CONNECTED, {}))
        await worker.hear(Kind.DRAIN)
        await worker.exit(0)
        assert worker.changes == ["stopping", "stopped"]
        assert worker.process.kills == 0

    run(scenario())


def test_drain_waits_for_what_runs() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        idle: list[str] = []
        worker.handle.drain(lambda: idle.append("first"))
        worker.handle.drain(lambda: idle.append("second"))
        assert worker.handle.state is WorkerState.DRAINING
        assert idle == []
        worker.say(answer_frame(entry.id, AnswerMeta(200), b""))
        await until(lambda: len(idle) == 2)
        assert worker.handle.state is WorkerState.STOPPING
        await worker.exit(0)

    run(scenario())


def test_broken_channel_costs_the_worker() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        entry = worker.submit()
        worker.sock.sendall(b"\xff" * 64)
        await until(lambda: worker.process.kills > 0)
        await worker.exit(-signal.SIGKILL)
        assert entry.error is not None

    run(scenario())


# The watchdog


def test_silence_is_judged_only_of_the_idle() -> None:
    async def scenario() -> None:
        worker = PuppetWorker(hang_timeout=5.0)
        await worker.serve()
        now = worker.handle.last_heard
        assert judge(worker.handle, now + 4.9, worker.settings) is None
        assert isinstance(judge(worker.handle, now + 5.1, worker.settings), WorkerLost)
        worker.submit()
        assert judge(worker.handle, now + 500.0, worker.settings) is None
        await worker.exit(0)

    run(scenario())


def test_ping_is_answered_and_heard() -> None:
    async def scenario() -> None:
        worker = PuppetWorker()
        await worker.serve()
        before = worker.handle.last_heard
        worker.handle.ping()
        ping = await worker.hear(Kind.PING)
        worker.say(Frame(Kind.PONG, ping.id))
        await until(lambda: worker.handle.last_heard > before)
        await worker.exit(0)

    run(scenario())
