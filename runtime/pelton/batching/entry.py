"""One request on its way through the server."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pelton.channel.messages import ANSWER
from pelton.compiled import Fields, core
from pelton.errors import InternalError, PeltonError

if TYPE_CHECKING:
    from pelton.batching.lane import Lane


class About(NamedTuple):
    """What an answer says beside its body; the answers of one batch share it.

    Attributes:
        status, media_type: of the HTTP answer.
        decode_s, predict_s, encode_s: the worker's own times, in seconds; of a batch, `decode_s`
            and `encode_s` are a request's mean.
        batch_size: requests that were predicted together.
        path: how it was answered, "oracle" or "fast".
        worker: its name.
        revision: number of the revision that answered.
    """

    status: int
    media_type: str
    decode_s: float = 0.0
    predict_s: float = 0.0
    encode_s: float = 0.0
    batch_size: int = 1
    path: str = "oracle"
    worker: str = ""
    revision: int = 0


class Answer(NamedTuple):
    """What a worker answered."""

    about: About
    body: bytes | bytearray | memoryview


class Stage(Enum):
    """Where an entry is; it is DONE exactly once.

    It only moves forward, but for one: an entry that was SENT ahead to a worker which then died
    is QUEUED again, as it has not begun.
    """

    QUEUED = "queue"
    SENT = "sent"
    RUNNING = "predict"
    DONE = "done"


if core is not None:
    core.use(Stage.QUEUED, Stage.RUNNING, Stage.DONE, Answer, ANSWER)


class Entry(Fields):
    """A request with its deadline and its way to be answered.

    Owned by the event loop; not thread-safe.

    Attributes:
        id: unique in this server.
        body: raw bytes, never looked into.
        content_type: the header's value, ``None`` if absent.
        deadline: seconds on the monotonic clock.
        stage: QUEUED, SENT, RUNNING or DONE.
        answer, error: exactly one is set once DONE (neither if the client has gone).
        queued_at, started_at, done_at: seconds on the monotonic clock; 0.0 until then.
    """

    __slots__ = ()

    def __init__(
        self,
        id: int,
        body: bytes | bytearray | memoryview,
        content_type: str | None,
        deadline: float,
        on_done: Callable[[Entry], None],
    ) -> None:
        self.id = id
        self.body = body
        self.content_type = content_type
        self.deadline = deadline
        self.stage = Stage.QUEUED
        self.answer: Answer | None = None
        self.error: PeltonError | None = None
        self.lane: Lane | None = None
        self.queued_at = 0.0
        self.started_at = 0.0
        self.done_at = 0.0
        self.on_done: Callable[[Entry], None] | None = on_done

    @property
    def is_done(self) -> bool:
        """Whether the entry has ended; a late answer for it is dropped."""
        return self.stage is Stage.DONE

    def finish(self, now: float, answer: Answer | None, error: PeltonError | None = None) -> None:
        """End the entry and tell its owner.

        Raises:
            InternalError: it has ended already.
        """
        on_done, self.on_done = self.on_done, None  # its owner and it refer to each other
        if on_done is None:
            raise InternalError(f"Entry {self.id} was ended twice. This is a bug.")
        self.stage = Stage.DONE
        self.answer = answer
        self.error = error
        self.done_at = now
        self.body = b""
        on_done(self)


Ended = list[tuple[Entry, Answer | None]]
"""Entries with what their worker answered; ``None`` acknowledges a cancellation."""
