"""What is compiled does what its reference in Python does."""

from __future__ import annotations

import os
import shutil
import socket
import sysconfig
import threading
from collections import deque
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pelton.batching.entry import About, Answer, Entry, Stage
from pelton.batching.forming import take_reference
from pelton.batching.lane import begin_reference
from pelton.channel import messages
from pelton.channel.frames import LAST, Frame, FrameReader, encode
from pelton.channel.messages import (
    ANSWER,
    REQUEST,
    AnswerMeta,
    Kind,
    answer_frame,
    encode_answers,
    encode_requests,
    read_request,
)
from pelton.channel.server import ChannelServer
from pelton.compiled import core
from pelton.supervisor import answers as answers_module
from pelton.supervisor.answers import Answers
from pelton.worker import loop as loop_module
from pelton.worker.answerer import WorkerRequest
from pelton.worker.loop import Loop

has_core = pytest.mark.skipif(core is None, reason="nothing is compiled without a compiler")
sizes = st.one_of(st.integers(0, 40), st.integers(0, 300_000))
bodies = st.builds(
    lambda kind, size: kind(b"x" * size), st.sampled_from([bytes, bytearray, memoryview]), sizes
)
content_types = st.one_of(st.none(), st.sampled_from(["", "application/json", "caf\xe9", "\x00"]))


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    made = []
    for id in range(1, draw(st.integers(1, 12))):
        deadline = draw(st.sampled_from([99.0, 100.0, 100.5, 101.0, 220.0]))
        entry = Entry(id, draw(bodies), draw(content_types), deadline, lambda _: None)
        entry.stage = draw(st.sampled_from([Stage.QUEUED, Stage.SENT, Stage.DONE]))
        made.append(entry)
    return made


def copy(entry: Entry) -> Entry:
    other = Entry(entry.id, entry.body, entry.content_type, entry.deadline, entry.on_done)
    other.stage = entry.stage
    return other


def ids(batch: Any) -> list[int]:
    return [entry.id for entry in batch]


@pytest.mark.skipif(
    shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="no C compiler, or no headers of Python",
)
@pytest.mark.skipif(os.environ.get("PELTON_COMPILED") == "0", reason="turned off")
def test_a_checkout_with_a_compiler_is_compiled() -> None:
    assert core is not None


@has_core
@given(
    waiting=entries(),
    cost=st.sampled_from([(0.0, 0.0), (0.4, 0.1), (0.0, 0.6), (2.0, 0.0)]),
    most=st.integers(0, 12),
    most_bytes=st.sampled_from([0, 50, 100_000, 2**40]),
    odd_above=st.sampled_from([0.0, 30.0, 100_000.0, float("inf")]),
)
def test_take(
    waiting: list[Entry],
    cost: tuple[float, float],
    most: int,
    most_bytes: int,
    odd_above: float,
) -> None:
    ours, theirs = deque(waiting), deque(waiting)
    batch, size, late = core.take(ours, 100.0, cost, most, most_bytes, odd_above)
    expected = take_reference(theirs, 100.0, cost, most, most_bytes, odd_above)
    assert (batch, size, late) == expected
    assert ours == theirs


@has_core
@given(batch=entries())
def test_begin(batch: list[Entry]) -> None:
    theirs = [copy(entry) for entry in batch]
    lane: Any = object()
    running: dict[int, Entry] = {}
    expected: dict[int, Entry] = {}
    assert core.begin(batch, running, 100.0, lane) == begin_reference(theirs, expected, 100.0, lane)
    assert {id: entry.id for id, entry in running.items()} == {id: id for id in expected}
    for ours, other in zip(batch, theirs, strict=True):
        assert (ours.stage, ours.started_at, ours.lane) == (
            other.stage, other.started_at, other.lane,
        )  # fmt: skip


@has_core
@given(batch=entries())
def test_encode(batch: list[Entry]) -> None:
    joined = core.encode(batch, REQUEST)
    if joined is not None:
        assert joined == b"".join(encode_requests(batch))
    usual = all(type(e.body) is bytes and (e.content_type or "").isascii() for e in batch)
    assert (joined is not None) == (usual and sum(len(e.body) for e in batch) < 250_000)


class Told:
    """A lane that keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Answer | None]] = []

    def answered(self, answers: list[tuple[int, Answer | None]]) -> None:
        self.answers += answers


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Frame], list[int]]:
    metas = st.builds(
        AnswerMeta,
        st.sampled_from([200, 400]),
        st.sampled_from(["application/json", "text/caf\xe9"]),
        *[st.sampled_from([0.0, 0.5])] * 3,
        st.integers(1, 3),
        st.integers(0, 2),
    )
    frames: list[Frame] = []
    for _ in range(draw(st.integers(0, 12))):
        frame = answer_frame(
            draw(st.integers(1, 8)), draw(metas), b"y" * draw(st.integers(0, 40)),
            last=draw(st.integers(0, 3)) > 0,
        )  # fmt: skip
        frames.append(draw(st.sampled_from([frame, frame, frame, Frame(Kind.PONG, 7)])))
    stream = b"".join(buffer for frame in frames for buffer in encode(frame))
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=3))
    return frames, sorted({0, len(stream), *cuts})


def _told(stream: bytes, cuts: list[int]) -> tuple[list[Any], list[Frame], int]:
    """Return what two lanes and the handle are told of a stream that comes in pieces."""
    answers, lanes, reported = Answers("worker-1", 3), [Told(), Told()], []
    for id in range(1, 8):
        lane: Any = lanes[id % 2]
        answers.expect(lane, [Entry(id, b"", None, 1.0, lambda _: None)])
    reader = FrameReader()
    for start, end in pairwise(cuts):
        data = stream[start:end]
        if reader.is_between:
            data = data[answers.cut(data) :]
        answers.take(reader.feed(data), reported.append)
    return [lane.answers for lane in lanes], reported, answers.count


@has_core
@given(stream=streams())
@example(stream=([answer_frame(1, AnswerMeta(200), b"{}")], [0, 20]))
def test_cut(stream: tuple[list[Frame], list[int]]) -> None:
    frames, cuts = stream
    data = b"".join(buffer for frame in frames for buffer in encode(frame))
    ours = _told(data, cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers_module, "core", None)
        assert ours == _told(data, cuts)


@has_core
def test_a_cut_answer_is_an_answer() -> None:
    (told, _), _, count = _told(
        b"".join(encode(answer_frame(2, AnswerMeta(200, path=1), b"{}"))), [0, 100]
    )
    about = About(200, "application/json", path="fast", worker="worker-1", revision=3)
    assert told == [(2, Answer(about, b"{}"))]
    assert type(told[0][1]) is Answer
    assert count == 1


@has_core
@pytest.mark.parametrize(
    ("size", "kind", "flags", "meta_bytes"),
    [(2**31, ANSWER, LAST, 0), (3, ANSWER, LAST, 4), (0, 255, LAST, 0), (0, ANSWER, 0, 0)],
)
def test_what_is_no_whole_answer_is_left(size: int, kind: int, flags: int, meta_bytes: int) -> None:
    from pelton.channel.frames import HEADER

    data = HEADER.pack(size, kind, flags, meta_bytes, 1) + b"x" * 10
    assert core.cut(data, {}, lambda _: None) == (0, {})


@has_core
@pytest.mark.parametrize(
    "call",
    [
        lambda: core.take(deque([object()]), 0.0, (0.0, 0.0), 1, 1, 1.0),
        lambda: core.begin([object()], {}, 0.0, None),
        lambda: core.encode([object()], 1),
        lambda: core.encode((), 1),
        lambda: core.use(1, 2, 3, int, 4),
        lambda: core.Way(),
        lambda: core.cut_requests(b"", 0, 1, int),
        lambda: core.encode_answers([(1, 2, b"")], 1, lambda meta: meta),
        lambda: core.encode_answers([()], 1, bytes),
    ],
)
def test_other_things_are_refused(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[list[Entry]], list[int]]:
    sent = [batch for batch in draw(st.lists(entries(), max_size=3)) if batch]
    stream = b"".join(buffer for batch in sent for buffer in encode_requests(batch))
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=3))
    return sent, sorted({0, len(stream), *cuts})


class Batches:
    """What a worker's loop makes of a stream."""

    def __init__(self, *, compiled: bool) -> None:
        self.seen: list[list[tuple[int, bytes, str | None, float]]] = []
        ours, theirs = socket.socketpair()
        self._server = theirs
        channel = ChannelServer(ours)
        with pytest.MonkeyPatch.context() as patch:
            if not compiled:
                patch.setattr(loop_module, "core", None)
            answerer: Any = None
            self._loop = Loop(channel, answerer, 1)
        self._loop._take_batch = self._take  # type: ignore[method-assign]
        self._channel = channel

    def _take(self) -> None:
        requests, self._loop._requests = self._loop._requests, []
        self.seen.append([(r.id, bytes(r.body), r.content_type, r.deadline) for r in requests])

    def feed(self, stream: bytes, cuts: list[int]) -> None:
        """Have the stream read, written in these pieces."""

        def write() -> None:
            for start, end in pairwise(cuts):
                self._server.sendall(stream[start:end])
            self._server.close()

        writing = threading.Thread(target=write)
        writing.start()
        for kind, id, meta, body, flags in self._channel:
            assert kind == REQUEST
            deadline, content_type = read_request(meta)
            self._loop._requests.append(WorkerRequest(id, body, content_type, deadline))
            if flags & LAST:
                self._take()
        writing.join()
        self._channel.close()


@has_core
@settings(deadline=None)
@given(given_batches=batches())
def test_cut_requests(given_batches: tuple[list[list[Entry]], list[int]]) -> None:
    sent, cuts = given_batches
    stream = b"".join(bytes(buffer) for batch in sent for buffer in encode_requests(batch))
    ours, theirs = Batches(compiled=True), Batches(compiled=False)
    ours.feed(stream, cuts)
    theirs.feed(stream, cuts)
    assert ours.seen == theirs.seen
    assert [[seen[0] for seen in batch] for batch in ours.seen] == [ids(batch) for batch in sent]


@has_core
@given(
    given_answers=st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.sampled_from([AnswerMeta(200, path=1), AnswerMeta(400, "text/caf\xe9")]),
            bodies,
        )
    )
)
def test_encode_answers(given_answers: list[tuple[int, AnswerMeta, Any]]) -> None:
    joined = encode_answers(given_answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(messages, "core", None)
        assert b"".join(joined) == b"".join(encode_answers(given_answers))


@has_core
def test_answers_of_a_batch_are_one_buffer() -> None:
    meta = AnswerMeta(200, path=1)
    assert len(encode_answers([(id, meta, b"[1]") for id in range(50)])) == 1
    assert len(encode_answers([(1, meta, b"x" * 100_000)])) == 2
