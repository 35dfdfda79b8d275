"""A load generator's usual answers, compiled and not: the same account, the same next requests."""

from __future__ import annotations

import asyncio
import gc
import sys
from itertools import cycle
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pelton.bench.connection import PIECE_BYTES, Connection
from pelton.bench.load import Load
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally
from pelton.bench.target import Target
from pelton.compiled import core
from pelton.compiled.reference import Wire

pytestmark = pytest.mark.skipif(core is None, reason="nothing is compiled without a compiler")

TARGET = Target("127.0.0.1", 1)
BODIES = [Body(b"[1]", 1, answer=b"[1.5]"), Body(b"[2, 2]", 2, answer=b'{"a": 2}'), Body(b"[]", 0)]


class Reference(Connection):
    """A connection on which nothing is done by compiled code."""

    data_received = Wire.data_received


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def abort(self) -> None:
        self.is_closed = True

    close = abort


class Generator:
    """Two connections of a load with neither sockets nor a running loop, on a clock that ticks."""

    def __init__(self, kind: type[Connection], *, is_loop: bool) -> None:
        self.now = 1.0
        self.load = Load(
            TARGET, Mix([Request(TARGET, body) for body in BODIES]), asyncio.TaskGroup(),
            connections=0, timeout_s=60.0, stop=asyncio.Event(), clock=lambda: self.now,
        )  # fmt: skip
        self.load._tally = self.tally = Tally()
        self.load._window_end = 15.0
        self.asked_again: list[float] = []
        if is_loop:
            self.load._again, self.load._asking_until = self._ask_again, 20.0
        self.connections = [kind(self.load) for _ in range(2)]
        self.transports = [Transport() for _ in self.connections]
        for connection, transport in zip(self.connections, self.transports, strict=True):
            connection.connection_made(transport)  # type: ignore[arg-type]
            self.load._connections.add(connection)
            self.load._idle.append(connection)
        self.load._fire(0.0)
        self.load._fire(0.5)

    def _ask_again(self, after_s: float) -> None:
        if self.now < self.load._asking_until and after_s <= 0:
            self.load._fire(self.now)
        else:
            self.asked_again.append(after_s)

    def state(self) -> Any:
        load, tally = self.load, self.tally
        return (
            tally.sent, tally.in_window, tally.rows, [*tally.latencies], [*tally.failures],
            dict(tally.errors), dict(tally.first_errors), dict(tally.served_by),
            tally._until_sample, dict(tally.stages.batch_sizes),
            load._busy, len(load._connections), len(load._backlog), [*self.asked_again],
            [self.connections.index(c) for c in load._idle],
            [(c.is_open, c.intended, c.request and c.request.body) for c in self.connections],
            [([*t.written], t.is_closed) for t in self.transports],
        )  # fmt: skip


HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 \r\ncontent-length:\t%d \r\nserved-model-name: m-1\r\n"
    b'server-timing: total;dur=1, batch;desc="3"\r\n\r\n',
    b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nCONTENT-LENGTH:%d\r\nX: a:\xff\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n folded: %d\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +%d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0000000000000000000%d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: %d\rY: z\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon %d\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: %d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1.5]\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: %d\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 201 OK\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.1 429 Too Many\r\nContent-Length: %d\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
    b"%d",
]
ANSWERS = st.builds(
    lambda head, body, surplus: head % len(body) + body + surplus,
    st.sampled_from(HEADS),
    st.sampled_from([b"[1.5]", b'{"a": 2}', b'{"a":2}', b"[1.5000000001]", b"[7]", b""]),
    st.sampled_from([b"", b"", b"", b"x"]),
)
STEPS = st.tuples(
    st.sampled_from([0, 1]), ANSWERS, st.integers(0, 60), st.sampled_from([0.1, 0.1, 4.0])
)
USUAL = HEADS[0] % 5 + b"[1.5]"


def states(
    kind: type[Connection],
    steps: list[tuple[int, bytes, int, float]],
    *,
    is_loop: bool,
    waits: bool,
) -> list[Any]:
    generator = Generator(kind, is_loop=is_loop)
    if waits:
        generator.load._backlog.append((0.7, next(generator.load._picks)))
    seen = []
    for which, answer, cut, passes_s in steps:
        generator.now += passes_s
        for piece in (answer[:cut], answer[cut:]):
            if piece and not generator.transports[which].is_closed:
                generator.connections[which].data_received(piece)
        seen.append(generator.state())
    return seen


@given(st.booleans(), st.lists(STEPS, max_size=12), st.booleans())
@example(is_loop=True, steps=[(0, USUAL, 0, 0.1), (0, USUAL, 0, 25.0)], waits=False)
@example(is_loop=False, steps=[(1, USUAL, 0, 0.1), (0, USUAL, 0, 0.1)], waits=True)
@settings(deadline=None)
def test_what_follows_from_answers_is_the_same(
    is_loop: bool, steps: list[tuple[int, bytes, int, float]], waits: bool
) -> None:
    """Answers of all kinds, whole or in two pieces, to a closed loop and to an open one."""
    compiled = states(Connection, steps, is_loop=is_loop, waits=waits)
    assert compiled == states(Reference, steps, is_loop=is_loop, waits=waits)


@pytest.mark.parametrize("head", HEADS)
def test_a_right_answer_under_any_head_is_the_same(head: bytes) -> None:
    for surplus in (b"", b"x"):
        answer = head % 5 + b"[1.5]" + surplus
        steps = [(1, answer, 0, 0.1), (1, USUAL, 0, 0.1)]
        compiled = states(Connection, steps, is_loop=True, waits=False)
        assert compiled == states(Reference, steps, is_loop=True, waits=False)


def test_usual_answers_of_a_loop_are_taken_without_python() -> None:
    """Otherwise the comparison would be of Python with itself."""
    generator = Generator(Connection, is_loop=True)
    connection, transport = generator.connections[1], generator.transports[1]
    connection.receive = None  # type: ignore[method-assign, assignment]
    for head in HEADS[:3]:
        for _ in BODIES:
            assert connection.request is not None
            answer = connection.request.body.answer or b"anything"
            connection.data_received(head % len(answer) + answer)
    assert len(transport.written) == 10
    assert generator.tally.served_by == {"m-1": 3}
    assert len(generator.tally.latencies) == 9


@pytest.mark.parametrize("kind", [Connection, Reference])
def test_a_large_request_is_sent_in_pieces(
    kind: type[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr(kind, "send_in_pieces", lambda _, wire: sent.append(wire))
    generator = Generator(kind, is_loop=True)
    large = Request(TARGET, Body(bytes(PIECE_BYTES)))
    generator.load._picks = cycle([large])
    generator.connections[0].data_received(USUAL)
    assert sent == [large.wire]
    assert generator.connections[0].request is large


def test_nothing_is_kept_of_answers() -> None:
    generator = Generator(Connection, is_loop=True)
    generator.load._picks = cycle([Request(TARGET, BODIES[0])])
    connection, transport = generator.connections[0], generator.transports[0]
    request = next(generator.load._picks)
    connection.request = request

    def answer(times: int) -> tuple[int, int]:
        for _ in range(times):
            connection.data_received(USUAL)
            connection.data_received(USUAL[:10])
            connection.data_received(USUAL[10:])
        transport.written.clear()
        generator.tally.latencies.clear()
        gc.collect()
        return sys.getrefcount(request), sys.getallocatedblocks()

    answer(1000)
    references, blocks = answer(1000)
    after = answer(1000)
    assert after[0] == references
    assert abs(after[1] - blocks) < 50


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("_backlog", None, TypeError),
        ("_picks", iter(()), RuntimeError),
        ("_picks", None, TypeError),
        ("_picks", [], TypeError),
        ("_tally", object(), AttributeError),
        ("_clock", lambda: "late", TypeError),
    ],
)
def test_a_broken_load_is_an_exception(field: str, value: Any, error: type[Exception]) -> None:
    generator = Generator(Connection, is_loop=True)
    setattr(generator.load, field, value)
    with pytest.raises(error):
        generator.connections[1].data_received(USUAL)
