"""In Python: the types whose fields compiled code reads and writes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator


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


class Account:
    """What a load generator counts of every right answer.

    Attributes:
        latencies: seconds from the intended send time, of the right answers of late.
        sent: requests that were due, whatever came of them.
        in_window: right answers that came before the step's end: what a throughput is made of.
        rows: rows of the right answers.
        _until_sample: so many right answers until ``sample(latency_s, head)`` sees one.
    """

    latencies: list[float]
    sent: int
    in_window: int
    rows: int
    _until_sample: int


class Asker:
    """What the connections of one load share.

    Attributes:
        _clock: says what time it is, in seconds.
        _tally: the account.
        _picks: the requests to send, without an end.
        _idle: open connections that carry no request.
        _backlog: requests that are due and have no connection.
        _again: in a closed loop, has a caller ask again after so many seconds; ``None`` else.
        _busy: connections that carry a request.
        _window_end: until then a right answer is one of the throughput; seconds on the clock.
        _asking_until: until then a caller of a closed loop asks again.
    """

    _clock: Callable[[], float]
    _tally: Account
    _picks: Iterator[Any]
    _idle: list[Any]
    _backlog: deque[Any]
    _again: Callable[[float], None] | None
    _busy: int
    _window_end: float
    _asking_until: float


class Wire:
    """A connection of a load generator.

    Attributes:
        _client: who is told of answers.
        _transport: what it writes to.
        _is_partial: some of an answer has come, and is kept.
        is_open: it may carry a request.
        request: which it carries.
        intended: when that was meant to leave, in seconds on the clock.
    """

    _client: Any
    _transport: Any
    _is_partial: bool
    is_open: bool
    request: Any
    intended: float

    def data_received(self, data: bytes) -> None:
        """Take bytes of the current answer."""
        self.receive(data)

    def receive(self, data: bytes) -> None:
        """As ``data_received``, for all that is not done by compiled code."""
        raise NotImplementedError
