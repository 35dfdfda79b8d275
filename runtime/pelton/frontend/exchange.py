"""One request at the edge, whatever carries it: admission, entry, answer, records.

``invocations`` (ASGI) is one carrier; every carrier calls ``admit``, reads the body, calls
``submit``, and sends what ``respond`` is given.
"""

from __future__ import annotations

import functools
import itertools
import os
import string
from abc import ABC, abstractmethod
from typing import Any, Final, Protocol
from urllib.parse import quote

from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import About, Entry
from pelton.channel.bodies import SharedBodies
from pelton.channel.frames import Buffer
from pelton.deadline import deadline_after
from pelton.errors import ClientDisconnected, PayloadTooLarge, PeltonError
from pelton.frontend.problems import Response, problem
from pelton.telemetry.access import Access, AccessLog
from pelton.telemetry.metrics import Metrics


class Served(Protocol):
    """What the front end wants to know of the endpoint."""

    @property
    def is_ready(self) -> bool:
        """Whether requests are served now."""

    @property
    def not_ready_reason(self) -> str:
        """Why not, in one sentence."""

    @property
    def mlflow_version(self) -> str | None:
        """Version of the model's own mlflow; ``None`` before the model has loaded."""

    @property
    def served_entity_name(self) -> str:
        """Name of the served entity that answers."""


class Exchange(Entry, ABC):
    """One request at the edge: the entry that it is in the queue, and how it came.

    What carries it derives from this. Owned by the event loop.

    Attributes:
        came_at: when its head was complete, in seconds on the monotonic clock. Those who come in
            one turn of the loop have one instant.
        request_id: the caller's own, or a new one.
        bytes_in: size of its body, once it is queued.
        disconnected: the client has gone.
    """

    __slots__ = ()

    def __init__(self, desk: Desk, request_id: str | None) -> None:
        desk.asked += 1
        id = desk.next_id()
        # The function and not a method: that would be a reference to itself.
        Entry.__init__(self, id, b"", None, 0.0, Exchange._done)  # type: ignore[arg-type]
        self.desk = desk
        self.came_at = desk.dispatcher.turn_at()
        self.request_id = request_id or f"{desk.prefix}-{id:x}"
        self.bytes_in = 0
        self.disconnected = False

    @abstractmethod
    def respond(self, status: int, head: bytes, body: Buffer, close: bool = False) -> None:
        """Send the answer (see ``Response``); called once, unless the client goes first."""

    def admit(self, content_length: int | None, timeout_header: str | None) -> None:
        """Decide on the headers alone, before the body is read.

        Raises:
            PeltonError: the request is refused.
        """
        self.begin(content_length, timeout_header)
        self.desk.dispatcher.check_nowait(self.deadline)

    def begin(self, content_length: int | None, timeout_header: str | None) -> None:
        """As ``admit``, for a request whose body is here already: the queue decides presently.

        Raises:
            PeltonError: the request is refused.
        """
        desk = self.desk
        if timeout_header is None:
            self.deadline = self.came_at + desk.timeout_s
        else:
            self.deadline = deadline_after(desk.timeout_s, timeout_header, self.came_at)
        if content_length is not None and content_length > desk.max_payload_bytes:
            raise self.too_large(content_length)

    def too_large(self, size: int) -> PayloadTooLarge:
        """Return the error for a body of ``size`` bytes (or at least so many)."""
        limit = self.desk.max_payload_bytes
        return PayloadTooLarge(
            f"The request body of {size} bytes or more is larger than the limit of {limit}"
            f" bytes. Send fewer rows a request, or raise --max-payload."
        )

    def submit(self, body: Buffer, content_type: str | None) -> None:
        """Queue the request; ``respond`` is called with its answer.

        Raises:
            RejectedError: it was not taken.
        """
        self.bytes_in = len(body)
        self.body = body
        self.content_type = content_type
        self.desk.dispatcher.submit_nowait(self)

    def leave(self) -> None:
        """The client has gone: if it is still queued it will not be run."""
        self.disconnected = True
        if self.queued_at:
            self.desk.dispatcher.drop(self)

    def refuse(self, error: PeltonError) -> Response:
        """Return the answer for an error of ours, and record it."""
        self.body = b""  # the connection may keep this until its next request
        response = problem(error)
        now = self.desk.dispatcher.clock()
        desk = self.desk
        desk.record(self, now, response.status, error.code.lower(), len(response.body))
        common = _COMMON_HEAD % (
            len(response.body),
            self.request_id.encode("latin-1"),
            (now - self.came_at) * 1000,
            _header(desk.served.served_entity_name),
        )
        return response._replace(head=response.head + common)

    def _done(self) -> None:
        desk = self.desk
        if self.disconnected:
            desk.record(self, desk.dispatcher.clock(), 499, ClientDisconnected.code.lower(), 0)
            return
        if self.error is not None:
            self.respond(*self.refuse(self.error))
            return
        assert self.answer is not None
        about, body = self.answer
        status, size = about.status, len(body)
        desk.record(self, self.done_at, status, _outcome(status), size, about)
        queue_s, total_s = self.started_at - self.queued_at, self.done_at - self.came_at
        before, after = desk.lines_about(about, queue_s, total_s)
        head = _ANSWER_HEAD % (before, size, self.request_id.encode("latin-1"), after)
        self.respond(status, head, body)


_COMMON_HEAD: Final = (
    b"content-length: %d\r\nx-request-id: %b\r\nserver-timing: total;dur=%.3f\r\n"
    b"served-model-name: %b\r\n"
)
_ANSWER_HEAD: Final = b"%b\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b"
_TYPE: Final = b"content-type: %b"
_TIMING: Final = (
    b"server-timing: queue;dur=%.3f, decode;dur=%.3f, predict;dur=%.3f, encode;dur=%.3f,"
    b' batch;desc="%d", total;dur=%.3f\r\nserved-model-name: %b\r\n'
)


@functools.lru_cache(maxsize=64)
def _latin(text: str) -> bytes:
    return text.encode("latin-1")


@functools.lru_cache(maxsize=64)
def _header(text: str) -> bytes:
    """Return text as a header's value; what a header cannot hold is percent-encoded."""
    return quote(text, safe=string.punctuation + " ").encode()


def _outcome(status: int) -> str:
    return "ok" if status < 400 else "model_error"


_NO_ANSWER: Final = About(0, "", batch_size=0, path="none")


class Desk:
    """What all exchanges share.

    Args:
        dispatcher: the queue.
        served: the endpoint.
        metrics: counts.
        access_log: a line a request.
        timeout_s: the server's limit of a request's time.
        max_payload_bytes: the largest body.
        bodies: where large bodies go; ``None`` if workers are sent them.

    Attributes:
        asked: requests that have come and were not queued by compiled code.
        way: the compiled way, if there is one.
        set_aside_bytes: memory that waits for the rest of large bodies.
        prefix: of the ids of requests that brought none: unique over restarts.
        next_id: returns the next entry's id.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        served: Served,
        metrics: Metrics,
        access_log: AccessLog,
        *,
        timeout_s: float,
        max_payload_bytes: int,
        bodies: SharedBodies | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.served = served
        self.metrics = metrics
        self.access_log = access_log
        self.timeout_s = timeout_s
        self.max_payload_bytes = max_payload_bytes
        self.bodies = bodies
        self.asked = 0
        self.way: Any = None
        self.set_aside_bytes = 0
        self.prefix = os.urandom(6).hex()
        self.next_id = itertools.count(1).__next__
        # Of the last answer: those who came together and were predicted together have the same.
        self._about = _NO_ANSWER
        self._times = 0.0, 0.0
        self._lines = b"", b""

    @property
    def seen(self) -> int:
        """Requests that have come, whatever became of them."""
        return self.asked + (self.way.seen if self.way is not None else 0)

    def room_for(self, size: int) -> memoryview:
        """Return room for a large body, if possible where workers can read it."""
        room = self.bodies.take(size) if self.bodies is not None else None
        return memoryview(bytearray(size)) if room is None else room

    def lines_about(self, about: About, queue_s: float, total_s: float) -> tuple[bytes, bytes]:
        """Return lines of an answer's head: those before its own, and those after."""
        if about is not self._about or (queue_s, total_s) != self._times:
            self._about, self._times = about, (queue_s, total_s)
            self._lines = (
                _TYPE % _latin(about.media_type),
                _TIMING
                % (
                    queue_s * 1000,
                    about.decode_s * 1000,
                    about.predict_s * 1000,
                    about.encode_s * 1000,
                    about.batch_size,
                    total_s * 1000,
                    _header(self.served.served_entity_name),
                ),
            )
        return self._lines

    def record_many(
        self, now: float, about: About, queue_s: float, total_s: float, many: int
    ) -> None:
        """Count finished requests that came together and were answered together."""
        status = about.status
        prediction = queue_s, about.predict_s, about.batch_size
        outcome = _outcome(status)
        self.metrics.answered(now, status, outcome, about.path, total_s, prediction, many)

    def record(
        self,
        exchange: Exchange,
        now: float,
        status: int,
        outcome: str,
        bytes_out: int,
        about: About | None = None,
    ) -> None:
        """Count and log one finished request; ``about`` its answer, if a worker gave one."""
        total_s = now - exchange.came_at
        if about is None:
            self.metrics.answered(now, status, outcome, "none", total_s)
            queue_s, about = 0.0, _NO_ANSWER
        else:
            queue_s = exchange.started_at - exchange.queued_at
            prediction = queue_s, about.predict_s, about.batch_size
            self.metrics.answered(now, status, outcome, about.path, total_s, prediction)
        if self.access_log.enabled:
            self._log(exchange, about, status, outcome, total_s, queue_s, bytes_out)

    def log(self, exchange: Exchange, about: About, bytes_out: int) -> None:
        """Log a finished request that a worker has answered."""
        queue_s = exchange.started_at - exchange.queued_at
        total_s, status = exchange.done_at - exchange.came_at, about.status
        self._log(exchange, about, status, _outcome(status), total_s, queue_s, bytes_out)

    def _log(
        self,
        exchange: Exchange,
        about: About,
        status: int,
        outcome: str,
        total_s: float,
        queue_s: float,
        bytes_out: int,
    ) -> None:
        self.access_log.add(
            Access(
                exchange.request_id,
                "/invocations",
                status,
                outcome,
                total_s,
                queue_s,
                about.decode_s,
                about.predict_s,
                about.encode_s,
                about.batch_size,
                about.worker,
                about.path,
                exchange.bytes_in,
                bytes_out,
            )
        )
