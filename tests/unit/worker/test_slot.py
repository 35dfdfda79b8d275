"""Interruptions, in processes of their own: real threads and a real signal."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pelton.channel.frames import FrameReader
from pelton.channel.messages import AnswerMeta, Kind
from pelton.channel.server import ChannelServer
from pelton.worker.answerer import Reply, WorkerRequest
from pelton.worker.slot import Batch, Slot

SCRIPT = Path(__file__).with_name("interruptions.py")
LIMIT_S = 120.0


def _answers(scenario: str, body: str, thread: str) -> list[list[object]]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), scenario, body, thread],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert isinstance(answers, list)
    return answers


# A native sleep of another thread cannot be interrupted: the server kills such a worker.
@pytest.mark.parametrize(
    ("body", "thread"),
    [("sleep", "main"), ("spin", "main"), ("stubborn", "main"), ("spin", "other")],
)
class TestInterruption:
    def test_what_is_stuck_is_interrupted_and_the_next_is_answered(
        self, body: str, thread: str
    ) -> None:
        assert _answers("stuck", body, thread) == [[1, "cancelled"], [2, "oracle"]]

    def test_what_was_answered_stays_answered(self, body: str, thread: str) -> None:
        assert _answers("half_done", body, thread) == [
            [1, "oracle"],
            [2, "cancelled"],
            [3, "cancelled"],
            [4, "oracle"],
        ]


@pytest.mark.parametrize("thread", ["main", "other"])
def test_what_was_cancelled_before_it_began_never_runs(thread: str) -> None:
    assert _answers("too_early", "sleep", thread) == [[1, "cancelled"], [2, "oracle"]]


def test_what_was_dropped_before_it_began_never_runs() -> None:
    assert _answers("dropped", "sleep", "main") == [
        [2, "oracle"],
        [1, "cancelled"],
        [3, "cancelled"],
        [4, "oracle"],
    ]


@pytest.mark.parametrize("thread", ["main", "other"])
def test_late_cancellation_hits_nobody_else(thread: str) -> None:
    assert _answers("too_late", "", thread) == [[1, "oracle"], [2, "oracle"], [3, "oracle"]]


class Checks:
    """A model whose answers are checked once they have left, the second request's apart."""

    def answer(self, batch: Sequence[WorkerRequest], reply: Reply, ahead: None) -> None:
        assert ahead is None
        for request in batch:
            reply([(request.id, AnswerMeta(200), b"")], rechecks=request.id != 2)


def test_it_says_before_its_answers_that_it_will_not_be_through_and_then_that_it_is() -> None:
    ours, theirs = socket.socketpair()
    batches = iter(
        [Batch([WorkerRequest(id, b"", None, 0.0) for id in ids]) for ids in ((1, 2, 3), (2,))]
    )
    slot = Slot(ChannelServer(theirs), Checks())  # type: ignore[arg-type]

    slot.run(lambda: next(batches, None))

    said = [(frame.kind, frame.id) for frame in FrameReader().feed(ours.recv(65536))]
    answers = [(Kind.ANSWER, id) for id in (1, 2, 3)]
    assert said[:5] == [(Kind.RECHECKS, 1), *answers, (Kind.THROUGH, 1)]
    assert said[5:] == [(Kind.ANSWER, 2)], "of this batch nothing is checked"
    ours.close()
    theirs.close()


class Told:
    """Stands in for a slot's urgency."""

    def __init__(self) -> None:
        self.calls: list[str | tuple[str, int]] = []

    def wait(self) -> None:
        self.calls.append("wait")

    def begin(self, size: int) -> None:
        self.calls.append(("begin", size))

    def check(self) -> None:
        self.calls.append("check")


def test_its_thread_is_told_what_comes_and_when_only_checks_are_left() -> None:
    ours, theirs = socket.socketpair()
    asked = ([(1, b"abc"), (3, b"de")], [(2, b"f")])
    batches = iter([Batch([WorkerRequest(id, b, None, 0.0) for id, b in ids]) for ids in asked])
    told = Told()
    slot = Slot(ChannelServer(theirs), Checks(), told)  # type: ignore[arg-type]

    slot.run(lambda: next(batches, None))

    of_two = ["wait", ("begin", 5), "check", "check"]
    assert told.calls == [*of_two, "wait", ("begin", 1), "wait"]
    ours.close()
    theirs.close()
