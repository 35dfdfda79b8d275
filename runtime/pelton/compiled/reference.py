"""In Python: the types whose fields compiled code reads and writes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Fields:
    """All that is known of one request, from the edge to the worker and back.

    ``batching.entry``, ``frontend.exchange`` and ``frontend.lane`` say what the fields are.
    """

    __slots__ = (
        "answer",
        "body",
        "bytes_in",
        "came_at",
        "connection",
        "content_type",
        "deadline",
        "desk",
        "disconnected",
        "done_at",
        "error",
        "head",
        "id",
        "is_complete",
        "keep_alive",
        "lane",
        "on_done",
        "queued_at",
        "received",
        "request_id",
        "response_complete",
        "stage",
        "started_at",
        "timer",
    )

    id: int
    deadline: float
    came_at: float
    queued_at: float
    started_at: float
    done_at: float
    body: bytes | bytearray | memoryview
    content_type: str | None
    stage: Any
    answer: Any
    error: Any
    lane: Any
    on_done: Any
    request_id: str
    desk: Any
    connection: Any
    head: Any
    timer: asyncio.TimerHandle | None
    bytes_in: int
    received: int
    disconnected: bool
    is_complete: bool
    keep_alive: bool
    response_complete: bool


class Line:
    """What the queue knows of who waits, and for how many more there is room.

    Attributes:
        _queue: those who wait, the first first; some of them may have left.
        _queued, _queued_bytes: how many have not, and the size of their bodies.
        _limit: most that may wait.
        _room, _room_bytes: so many more may be queued in this turn of the loop without a look.
        _turn_at: the instant of what arrives in this turn, in seconds on the clock; 0 between two.
        _drained_per_s: the pace at which the queue empties, in requests a second; 0 is unknown.
        watched: an earlier deadline is to be told to ``watch``; seconds on the clock.
    """

    _queue: deque[Any]
    _queued: int
    _queued_bytes: int
    _limit: int
    _room: int
    _room_bytes: int
    _turn_at: float
    _drained_per_s: float
    watched: float


class Link:
    """A connection's protocol.

    Attributes:
        way: the compiled way of invocations, if there is one.
        _idle_since: since when it waits for a request, on the loop's clock; 0 while it does not.
        _is_between: whole requests have come.
    """

    transport: Any
    cycle: Any
    pipeline: Any
    flow: Any
    timeout_keep_alive_task: asyncio.TimerHandle | None
    way: Any = None
    _idle_since = 0.0
    _is_between = True

    def data_received(self, data: bytes) -> None:
        """Take what has come on the connection."""
        self._idle_since = 0.0
        self.receive(data)

    def receive(self, data: bytes) -> None:
        """As ``data_received``, for all that is not done by compiled code."""
        raise NotImplementedError
