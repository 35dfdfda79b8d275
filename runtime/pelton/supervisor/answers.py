"""What a worker has been sent and not answered yet, and its ANSWER frames made into answers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from pelton.batching.entry import About, Answer, Entry
from pelton.batching.lane import Lane
from pelton.channel import frames
from pelton.channel.bodies import place_of
from pelton.channel.frames import Buffer
from pelton.channel.messages import ANSWER, PATHS, REQUEST, encode_requests, read_answer
from pelton.compiled import core

# As `Answer(...)`, which would go through a function in Python.
_answer: Final = cast(
    "Callable[[tuple[About, Buffer]], Answer]", functools.partial(tuple.__new__, Answer)
)
_CANCELLED = PATHS.index("cancelled")


class Answers:
    """Of one worker.

    Args:
        worker: its name.
        revision: number of its revision.

    Attributes:
        count: requests that were answered, cancelled ones apart.
        shares: the worker reads large bodies where they are.
    """

    def __init__(self, worker: str, revision: int) -> None:
        self.count = 0
        self.shares = False
        self._worker = worker
        self._revision = revision
        self._meta = b""  # the last one, and what it says
        self._about: About | None = None
        self._where: dict[int, Lane] = {}
        self._parts: dict[int, bytearray] = {}
        # What the worker may still read keeps its place, whether or not anybody waits for it.
        self._placed: dict[int, Buffer] = {}

    def expect(self, lane: Lane, batch: Sequence[Entry]) -> None:
        """A batch of this lane has been sent."""
        self._where.update(dict.fromkeys([entry.id for entry in batch], lane))

    def encode(self, batch: Sequence[Entry]) -> list[Buffer]:
        """Return what to write to the worker so that it has a batch."""
        joined = core.encode(batch, REQUEST) if core is not None and type(batch) is list else None
        if joined is not None:
            return [joined]
        if self.shares:
            self._placed.update({e.id: e.body for e in batch if place_of(e.body) is not None})
        return encode_requests(batch, shares=self.shares)

    def forget(self, batch: Sequence[Entry]) -> None:
        """A batch will not be answered: the worker has given it back."""
        for entry in batch:
            self._where.pop(entry.id, None)
            self._placed.pop(entry.id, None)

    def forget_all(self) -> None:
        """The worker is gone."""
        self._where.clear()
        self._placed.clear()

    def are_due(self, lane: Lane, batch: Sequence[Entry]) -> bool:
        """Whether any of a batch has not been answered."""
        return any(self._where.get(entry.id) is lane for entry in batch)

    def take(
        self, incoming: Iterable[frames.Frame], report: Callable[[frames.Frame], None]
    ) -> None:
        """Give the answers among frames that came together to their lanes, the rest to ``report``.

        The rest first: a lane must hear that a batch has come back before it is given answers to
        the next one.
        """
        by_lane: dict[Lane, list[tuple[int, Answer | None]]] = {}
        where, parts, last_flag = self._where, self._parts, frames.LAST
        lane_before: Lane | None = None
        answers: list[tuple[int, Answer | None]] = []
        for frame in incoming:
            kind, id, meta, body, flags = frame
            if kind != ANSWER:
                report(frame)
                continue
            if not flags & last_flag:
                parts.setdefault(id, bytearray()).extend(body)
                continue
            if parts and id in parts:
                whole = parts.pop(id)
                whole.extend(body)
                body = whole
            lane = where.pop(id, None)
            self._placed.pop(id, None)
            if lane is None:
                continue
            if lane is not lane_before:
                lane_before, answers = lane, by_lane.setdefault(lane, [])
            about = self._read(meta)
            if about is None:
                answers.append((id, None))
            else:
                answers.append((id, _answer((about, body))))
        for lane, answers in by_lane.items():
            self.count += sum([answer is not None for _, answer in answers])
            lane.answered(answers)

    def cut(self, data: bytes) -> int:
        """Take the answers that lie whole at the start of ``data``; returns the bytes they take.

        None where there is no compiled code; answers in parts are left, too.
        """
        if core is None or self._parts:
            return 0
        taken, by_lane = core.cut(data, self._where, self._read)
        for lane, answers in by_lane.items():
            self.count += sum([answer is not None for _, answer in answers])
            if self._placed:
                for id, _ in answers:
                    self._placed.pop(id, None)
            lane.answered(answers)
        return int(taken)

    def _read(self, meta: bytes) -> About | None:
        """Return what an answer says beside its body; ``None``: it was cancelled."""
        if meta != self._meta:
            said = read_answer(meta)
            about = About(*said[:-1], PATHS[said.path], self._worker, self._revision)
            self._meta, self._about = meta, None if said.path == _CANCELLED else about
        return self._about
