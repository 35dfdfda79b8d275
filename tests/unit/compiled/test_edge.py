"""A request's way in and out, compiled and not: the same entries, the same bytes, nothing kept."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.architecture.source import ROOT
from tests.unit.frontend.front import RecordingLog, request
from tests.unit.puppet import FakeClock, Puppet
from uvicorn.server import ServerState

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import About, Answer, Stage
from pelton.batching.policy import BatchLimits
from pelton.compiled import core
from pelton.compiled.reference import Fields
from pelton.frontend import lane as lane_module
from pelton.frontend.exchange import Desk
from pelton.frontend.lane import protocol_class
from pelton.telemetry.metrics import Metrics

has_core = pytest.mark.skipif(core is None, reason="nothing is compiled without a compiler")


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def writelines(self, buffers: list[bytes]) -> None:
        self.written.append(b"".join(buffers))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_protocol(self, protocol: Any) -> None:
        pass


class FrontEnd:
    """Protocols and queue with neither sockets nor a running loop, on a clock that stands."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, compiled: bool, logs: bool = True):
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr(lane_module, "core", None)
            self.clock = FakeClock()
            self.turn: list[Callable[[], None]] = []
            self.dispatcher = Dispatcher(
                Limits(5, 10_000), self.clock, self.clock.call_at, self.turn.append
            )
            self.metrics, self.log, self.puppet = Metrics(self.clock), RecordingLog(), Puppet()
            self.log.enabled = logs
            served: Any = SimpleNamespace(served_entity_name="iris-1", is_ready=True)
            self.desk = Desk(
                self.dispatcher, served, self.metrics, self.log,
                timeout_s=60.0, max_payload_bytes=1000,
            )  # fmt: skip
            self.desk.prefix = "p"
            app: Any = SimpleNamespace()
            protocol = protocol_class(app, self.desk, 30.0)
        config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Sun, 22 Nov 2026 00:00:00 GMT")]
        self.connections = [protocol(config, state, {}, loop) for _ in range(4)]
        self.transports = [Transport() for _ in self.connections]
        for connection, transport in zip(self.connections, self.transports, strict=True):
            connection.connection_made(transport)
        self.dispatcher.open_lane(self.puppet, BatchLimits(requests=3))

    def end_turn(self) -> None:
        while self.turn:
            self.turn.pop()()

    def answer(self, about: About, body: bytes) -> None:
        """Answer the batch that runs."""
        if self.puppet.batches:
            batch = self.puppet.batches.pop(0)
            lane = batch[0].lane
            if lane is not None:
                lane.answered([(entry.id, Answer(about, body)) for entry in batch])


def _fields(entry: Any) -> dict[str, Any]:
    left_out = {"connection", "desk", "lane", "on_done", "head", "error", "timer"}
    seen = {name: getattr(entry, name) for name in set(Fields.__slots__) - left_out}
    return seen | {"type": type(entry).__name__, "error": str(entry.error)}


requests = st.sampled_from(
    [
        request(b"{}"),
        request(b"[]"),
        request(b'{"a": 1}', headers={"content-type": "application/json"}),
        request(b"{}", headers={"x-request-id": "mine", "content-type": "caf\xe9"}),
        request(b"{}", headers={"x-request-timeout-seconds": "1"}),
        request(b"{}", headers={"connection": "close"}),
        request(b"x" * 2000),
        request(b"{}")[:30],
        request(b"{}")[30:],
        request(b"{}") * 2,
    ]
)
abouts = st.builds(
    About,
    st.sampled_from([200, 400, 500]),
    st.sampled_from(["application/json", "text/plain"]),
    *[st.sampled_from([0.0, 0.25])] * 3,
    st.integers(1, 3),
    st.sampled_from(["fast", "oracle"]),
    st.sampled_from(["worker-1"]),
)
answers = st.tuples(abouts, st.sampled_from([b"", b"{}", b"z" * 70_000]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.tuples(st.integers(0, 3), requests)),
        st.tuples(st.just("send"), st.tuples(st.integers(0, 3), st.just(request(b"{}")))),
        st.tuples(st.just("turn"), st.none()),
        st.tuples(st.just("answer"), answers),
        st.tuples(st.just("wait"), st.sampled_from([0.001, 1.5, 61.0])),
        st.tuples(st.just("leave"), st.integers(0, 3)),
        st.tuples(st.just("refuse"), st.booleans()),
    ),
    max_size=40,
)


def _run(front: FrontEnd, script: list[tuple[str, Any]]) -> list[Any]:
    """Return all that can be seen after each step."""
    seen: list[Any] = []
    gone: set[int] = set()
    for step, what in script:
        if step == "send" and what[0] not in gone and not front.transports[what[0]].is_closed:
            front.connections[what[0]].data_received(what[1])
        elif step == "turn":
            front.end_turn()
        elif step == "answer":
            front.end_turn()
            front.answer(*what)
        elif step == "wait":
            front.end_turn()
            front.clock.advance(what)
        elif step == "leave" and what not in gone:
            gone.add(what)
            front.transports[what].is_closed = True
            front.connections[what].connection_lost(None)
        elif step == "refuse":
            from pelton.errors import NotReady

            front.dispatcher.refuse_with((lambda: NotReady("not yet")) if what else None)
        front.metrics._add_up()
        seen.append(
            (
                [transport.written[:] for transport in front.transports],
                [[_fields(entry) for entry in batch] for batch in front.puppet.batches],
                front.dispatcher.statistics(),
                [line._replace(request_id=line.request_id) for line in front.log.lines],
                dict(front.metrics.answers),
                front.metrics.request_s.counts[:],
                front.metrics.queue_s.counts[:],
                front.desk.seen,
                front.clock.pending,
            )
        )
    return seen


@has_core
@settings(deadline=None, max_examples=150)
@given(script=steps)
def test_compiled_and_not_are_alike(script: list[tuple[str, Any]]) -> None:
    loop = asyncio.new_event_loop()

    async def both() -> tuple[list[Any], list[Any]]:
        return _run(FrontEnd(loop, compiled=True), script), _run(
            FrontEnd(loop, compiled=False), script
        )

    try:
        ours, theirs = loop.run_until_complete(both())
    finally:
        loop.close()
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, script[: step + 1]


def _round(front: FrontEnd) -> None:
    for connection in front.connections[:3]:
        connection.data_received(request(b"{}"))
    front.end_turn()
    front.answer(About(200, "application/json", path="fast"), b"[1]")
    for transport in front.transports:
        transport.written.clear()


@has_core
@pytest.mark.parametrize("logs", [False, True])
def test_the_compiled_way_is_taken_and_keeps_nothing(logs: bool) -> None:
    loop = asyncio.new_event_loop()

    async def grown() -> tuple[int, int]:
        front = FrontEnd(loop, compiled=True, logs=logs)
        for _ in range(1000):
            _round(front)
            front.log.lines.clear()
        gc.collect()
        before, seen = sys.getallocatedblocks(), front.desk.way.seen
        for _ in range(2000):
            _round(front)
            front.log.lines.clear()
        gc.collect()
        return sys.getallocatedblocks() - before, front.desk.way.seen - seen

    try:
        blocks, compiled = loop.run_until_complete(grown())
    finally:
        loop.close()
    assert compiled == 6000
    assert blocks < 1000


@has_core
def test_a_front_end_that_is_given_up_is_collected() -> None:
    loop = asyncio.new_event_loop()

    def there() -> int:
        gc.collect()
        kinds = ("PeltonProtocol", "Dispatcher", "Way", "Invocation")
        return sum(type(thing).__name__ in kinds for thing in gc.get_objects())

    async def left() -> int:
        before = there()
        front = FrontEnd(loop, compiled=True)
        _round(front)
        for connection in front.connections:
            connection.data_received(request(b"{}"))
            connection.connection_lost(None)  # the parser knows nothing of the collector
        assert there() > before
        del front, connection
        return there() - before

    try:
        assert loop.run_until_complete(left()) == 0
    finally:
        loop.close()


@has_core
def test_an_error_on_the_compiled_way_is_raised() -> None:
    loop = asyncio.new_event_loop()

    async def fail() -> None:
        front = FrontEnd(loop, compiled=True)
        _round(front)

        def broken(data: bytes) -> None:
            raise RuntimeError("broken")

        front.connections[0].data_received(request(b"{}"))
        front.end_turn()
        (entry,) = front.puppet.batches[0]
        assert entry.stage is Stage.RUNNING
        front.transports[0].write = broken  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="broken"):
            front.answer(About(200, "application/json"), b"[1]")

    try:
        loop.run_until_complete(fail())
    finally:
        loop.close()


@pytest.mark.parametrize(
    "suites",
    [
        ("unit/frontend/test_invocations.py", "unit/supervisor/test_handle.py"),
        ("unit/batching", "unit/bench", "integration/bench/test_lead.py"),
    ],
)
def test_all_of_it_works_where_nothing_is_compiled(suites: tuple[str, ...]) -> None:
    """The suites of edge, queue, worker's handle and load generator, in Python alone."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not asgi",
         *(str(ROOT / "tests" / suite) for suite in suites)],
        cwd=ROOT,
        env={**os.environ, "PELTON_COMPILED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
