"""One request at the edge, whatever carries it: admission, entry, answer, records.

``invocations`` (ASGI) is one carrier; every carrier calls ``admit``, reads the body, calls
``submit``, and sends what ``on_response`` is given.
"""

from __future__ import annotations

import functools
import itertools
import os
import string
import time
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import quote

from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import About, Entry
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


class Exchange:
    """One request. Owned by the event loop."""

    __slots__ = ("_desk", "_on_response", "bytes_in", "deadline", "entry", "request_id", "started")

    def __init__(self, desk: Desk, request_id: str | None) -> None:
        self._desk = desk
        desk.seen += 1
        self.started = time.monotonic()
        self.request_id = request_id or desk.next_request_id()
        self.deadline = 0.0
        self.bytes_in = 0
        self.entry: Entry | None = None
        self._on_response: Callable[[Response], None] | None = None

    def admit(self, content_length: int | None, timeout_header: str | None) -> None:
        """Decide on the headers alone, before the body is read.

        Raises:
            PeltonError: the request is refused.
        """
        self.begin(content_length, timeout_header)
        self._desk.dispatcher.check_nowait(self.deadline)

    def begin(self, content_length: int | None, timeout_header: str | None) -> None:
        """As ``admit``, for a request whose body is here already: the queue decides presently.

        Raises:
            PeltonError: the request is refused.
        """
        desk = self._desk
        self.deadline = deadline_after(desk.timeout_s, timeout_header, self.started)
        if content_length is not None and content_length > desk.max_payload_bytes:
            raise self.too_large(content_length)

    def too_large(self, size: int) -> PayloadTooLarge:
        """Return the error for a body of ``size`` bytes (or at least so many)."""
        limit = self._desk.max_payload_bytes
        return PayloadTooLarge(
            f"The request body of {size} bytes or more is larger than the limit of {limit}"
            f" bytes. Send fewer rows a request, or raise --max-payload."
        )

    def submit(
        self,
        body: bytes | bytearray | memoryview,
        content_type: str | None,
        on_response: Callable[[Response], None],
    ) -> None:
        """Queue the request; ``on_response`` is called once, unless the client goes first.

        Raises:
            RejectedError: it was not taken.
        """
        self.bytes_in = len(body)
        self._on_response = on_response
        desk = self._desk
        entry = Entry(desk.next_entry_id(), body, content_type, self.deadline, self._done)
        desk.dispatcher.submit_nowait(entry)
        self.entry = entry

    def disconnected(self) -> None:
        """The client has gone: what is still queued will not be run."""
        self._on_response = None
        if self.entry is not None:
            self._desk.dispatcher.drop(self.entry)

    def refuse(self, error: PeltonError) -> Response:
        """Return the answer for an error of ours, and record it."""
        response = problem(error)
        total_s = time.monotonic() - self.started
        self._desk.record(self, response.status, error.code.lower(), len(response.body), total_s)
        common = _COMMON_HEAD % (
            len(response.body),
            self.request_id.encode("latin-1"),
            total_s * 1000,
            _header(self._desk.served.served_entity_name),
        )
        return response._replace(head=response.head + common)

    def _done(self, entry: Entry) -> None:
        on_response, self._on_response = self._on_response, None
        if on_response is None:  # the client has gone
            code = ClientDisconnected.code.lower()
            self._desk.record(self, 499, code, 0, time.monotonic() - self.started, entry)
            return
        if entry.error is not None:
            on_response(self.refuse(entry.error))
            return
        answer = entry.answer
        assert answer is not None
        total_s = entry.done_at - self.started
        about, body = answer
        status = about.status
        desk = self._desk
        desk.record(
            self, status, "ok" if status < 400 else "model_error", len(body), total_s, entry
        )
        media_type, timing = desk.lines_about(about)
        head = _ANSWER_HEAD % (
            media_type,
            len(body),
            self.request_id.encode("latin-1"),
            (entry.started_at - entry.queued_at) * 1000,
            timing,
            total_s * 1000,
            _header(desk.served.served_entity_name),
        )
        on_response(Response(status, head, body))


_COMMON_HEAD: Final = (
    b"content-length: %d\r\nx-request-id: %b\r\nserver-timing: total;dur=%.3f\r\n"
    b"served-model-name: %b\r\n"
)
_ANSWER_HEAD: Final = (
    b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
    b"server-timing: queue;dur=%.3f, %b, total;dur=%.3f\r\n"
    b"served-model-name: %b\r\n"
)
_TIMING: Final = b'decode;dur=%.3f, predict;dur=%.3f, encode;dur=%.3f, batch;desc="%d"'


@functools.lru_cache(maxsize=64)
def _latin(text: str) -> bytes:
    return text.encode("latin-1")


@functools.lru_cache(maxsize=64)
def _header(text: str) -> bytes:
    """Return text as a header's value; what a header cannot hold is percent-encoded."""
    return quote(text, safe=string.punctuation + " ").encode()


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

    Attributes:
        seen: requests that have come, whatever became of them.
        set_aside_bytes: memory that waits for the rest of large bodies.
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
    ) -> None:
        self.dispatcher = dispatcher
        self.served = served
        self.metrics = metrics
        self.access_log = access_log
        self.timeout_s = timeout_s
        self.max_payload_bytes = max_payload_bytes
        self.seen = 0
        self.set_aside_bytes = 0
        self._ids = itertools.count(1)
        self._prefix = os.urandom(6).hex()
        self.next_entry_id = self._ids.__next__
        self._request_ids = itertools.count(1)
        self._about = _NO_ANSWER  # the last one, and its lines
        self._lines = b"", b""

    def next_request_id(self) -> str:
        """Return an id for a request that brought none: unique over restarts."""
        return f"{self._prefix}-{next(self._request_ids):x}"

    def lines_about(self, about: About) -> tuple[bytes, bytes]:
        """Return (media type, timing) for the head of an answer; a batch's answers share them."""
        if about is not self._about:
            stages = (about.decode_s * 1000, about.predict_s * 1000, about.encode_s * 1000)
            self._lines = _latin(about.media_type), _TIMING % (*stages, about.batch_size)
            self._about = about
        return self._lines

    def record(
        self,
        exchange: Exchange,
        status: int,
        outcome: str,
        bytes_out: int,
        total_s: float,
        entry: Entry | None = None,
    ) -> None:
        """Count and log one finished request."""
        about = _NO_ANSWER
        queue_s = 0.0
        if entry is not None and entry.answer is not None:
            about = entry.answer.about
            queue_s = entry.started_at - entry.queued_at
            self.metrics.predicted(queue_s, about.predict_s, about.batch_size)
        self.metrics.answered(status, outcome, about.path, total_s)
        if not self.access_log.enabled:
            return
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
