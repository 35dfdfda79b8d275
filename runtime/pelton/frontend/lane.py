"""The short way of an invocation: from the HTTP parser to the queue and back, without ASGI.

A request for the model needs no scope, no task and no future: its headers decide admission, its
body goes to the queue, and the answer is written by the callback that brings it. Everything else
is uvicorn's and Starlette's. What both ways share is ``exchange``; one suite tests both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from pelton.batching.entry import About, Ended
from pelton.channel.frames import Buffer
from pelton.compiled import Link, core
from pelton.errors import BodyTimeout, PeltonError
from pelton.frontend.direct import DirectBody
from pelton.frontend.exchange import Desk, Exchange
from pelton.frontend.heads import Heads
from pelton.frontend.invocations import BODY_TIMEOUT, Head, read_head

if TYPE_CHECKING:
    from pelton.frontend.app import App

# After an early refusal what is still coming is read and thrown away for so long: closing at
# once would reset the connection and lose the answer.
_LINGER_S: Final = 5.0
# A head that takes longer or is larger is no request. The last read may overrun it.
_MAX_HEAD_BYTES: Final = 512 * 1024
# A body that lacks as much is read past the parser, to where it stays...
_DIRECT_BYTES: Final = 128 * 1024
# ... which takes all its memory at once: for so many bytes in all; others grow as they come.
_MAX_SET_ASIDE_BYTES: Final = 64 * 1024 * 1024
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class LaneProtocol(Link, HttpToolsProtocol):
    """uvicorn's protocol with the short way in it. ``protocol_class`` fills in the attributes."""

    app_routes: App
    desk: Desk
    heads: Heads
    body_timeout_s: float
    _is_in_head = False
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _state: ClassVar[ServerState]  # all connections have one
    _default_head: ClassVar[tuple[Any, bytes]] = (None, b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request no longer than for a next one."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvloop's is no subclass
        type(self)._state = self.server_state
        self.way = self.desk.way
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def wait_for_next(self) -> None:
        """The request is answered: read the next one, or wait for it."""
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.flow.read_paused:
            self.flow.resume_reading()
        self._idle_since = self.loop.time()

    def close_if_idle(self) -> None:
        """Close the connection if it waits for too long; in place of a timer each."""
        if self._idle_since and self.loop.time() - self._idle_since > self.timeout_keep_alive:
            self.timeout_keep_alive_handler()

    @classmethod
    def default_head(cls) -> bytes:
        """Return the header lines that every answer has (the date)."""
        pairs = cls._state.default_headers
        if pairs is not cls._default_head[0]:  # renewed each second
            head = b"".join([b"%b: %b\r\n" % pair for pair in pairs])
            cls._default_head = (pairs, head)
        return cls._default_head[1]

    def on_message_begin(self) -> None:
        """Begin a request; its ASGI scope is made only if it goes that way."""
        self._is_in_head = True
        self._is_between = False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose the way, and on the short one decide admission."""
        self._is_in_head = False
        cycle = self.cycle
        is_free = cycle is None or cycle.response_complete
        if not is_free or not self._is_invocation():
            url, headers, expect = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expect
            self.headers = self.scope["headers"] = headers
            super().on_headers_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        invocation = Invocation(self, read_head(self.headers), keep_alive)
        self.cycle = invocation
        invocation.decide(self.expect_100_continue)

    def receive(self, data: bytes) -> None:
        """Parse what has come; what is not there yet must not take for ever."""
        before, was_between = self.cycle, self._is_between
        if was_between and (before is None or before.response_complete):
            known = self.heads.find(data)
            if known is not None:
                if self.timeout_keep_alive_task is not None:
                    self._unset_keepalive_if_required()
                head, body = known
                invocation = self.cycle = Invocation(self, head, True)
                invocation.take(body)
                return
        HttpToolsProtocol.data_received(self, data)
        if self._is_in_head or self._head_bytes:
            self._limit_head(len(data))
        cycle: Any = self.cycle
        if type(cycle) is not Invocation:
            return
        if not cycle.is_complete:
            cycle.wait_for_more()
            if cycle.missing_bytes >= _DIRECT_BYTES:
                self._read_directly(cycle)
        elif was_between and cycle is not before and self._is_plain(cycle):
            self.heads.learn(data, cycle.head)

    def _is_plain(self, invocation: Invocation) -> bool:
        return invocation.keep_alive and not self.expect_100_continue

    def _read_directly(self, invocation: Invocation) -> None:
        """Have the rest of a body read past the parser, if there is memory to set aside."""
        if self.desk.set_aside_bytes + invocation.missing_bytes <= _MAX_SET_ASIDE_BYTES:
            self.transport.set_protocol(DirectBody(self, invocation))

    def go_on(self) -> None:
        """Read the next request after a body whose end the parser has not seen."""
        self.transport.set_protocol(self)
        self._is_between = True
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _limit_head(self, size: int) -> None:
        """Bound the size of a head that comes in pieces, and the time it takes."""
        self._head_bytes = self._head_bytes + size if self._is_in_head else 0
        if not self._is_in_head:
            self._stop_head_timer()
        elif self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.body_timeout_s, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        cycle: Any = self.cycle
        if type(cycle) is Invocation:
            cycle.on_body(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._is_between = True
        cycle: Any = self.cycle
        if type(cycle) is Invocation:
            cycle.on_complete()
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_head_timer()
        self._unset_keepalive_if_required()
        cycle: Any = self.cycle
        if type(cycle) is Invocation:
            cycle.on_lost()
        super().connection_lost(exc)

    def _is_invocation(self) -> bool:
        if self.parser.get_method() != b"POST" or self.parser.should_upgrade():
            return False
        url = self.url
        if url == b"/invocations":
            return True
        path = httptools.parse_url(url).path.decode("ascii")
        return "%" not in path and self.app_routes.is_invocation("POST", path)


class _NoEvent:
    """Stands for the event that uvicorn sets for an ASGI cycle."""

    def set(self) -> None:
        pass


class Invocation(Exchange):
    """One request on the short way; looks like uvicorn's cycle to the code of the base class."""

    __slots__ = ()

    message_event = _NoEvent()

    def __init__(self, protocol: LaneProtocol, head: Head, keep_alive: bool) -> None:
        Exchange.__init__(self, protocol.desk, head.request_id)
        self.connection: LaneProtocol = protocol
        self.head = head
        self.received = 0
        self.timer = None
        self.keep_alive = keep_alive
        self.response_complete = False
        self.is_complete = False

    @property
    def missing_bytes(self) -> int:
        """How much of the body is still to come; 0 if nobody knows, or nobody wants it."""
        length: int | None = self.head.content_length
        if length is None or self.response_complete or not self.keep_alive:
            return 0
        return length - self.received

    def make_room(self) -> memoryview:
        """Set the memory aside for all of a body of known length; returns what is to be filled."""
        began, missing = self.received, self.missing_bytes
        body: memoryview = self.desk.room_for(began + missing)
        body[:began] = self.body
        self.body = body
        self.received += missing
        return body[began:]

    def decide(self, expects_continue: bool) -> None:
        """Admit it or not, on the headers alone."""
        try:
            self.admit(self.head.content_length, self.head.timeout)
        except PeltonError as error:
            if expects_continue:  # whether the body comes now is the client's choice
                self.keep_alive = False
            self.respond(*self.refuse(error))
            return
        if expects_continue:
            self.connection.transport.write(_CONTINUE)

    def take(self, body: bytes) -> None:
        """Queue a request that is here as a whole."""
        self.is_complete = True
        head = self.head
        try:
            self.begin(len(body), head.timeout)
            self.submit(body, head.content_type)
        except PeltonError as error:
            self.respond(*self.refuse(error))

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; of a refused request it is thrown away."""
        if self.response_complete:
            return
        if not self.received:
            self.body = body
        elif isinstance(self.body, bytearray):
            self.body += body
        else:
            self.body = bytearray(self.body) + body
        self.received += len(body)
        if self.received > self.connection.desk.max_payload_bytes:
            self.respond(*self.refuse(self.too_large(self.received)))

    def on_complete(self) -> None:
        """The body is whole: queue it."""
        self.is_complete = True
        self._stop_timer()
        if self.response_complete:
            self._close_if_done()
            return
        try:
            self.submit(self.body, self.head.content_type)
        except PeltonError as error:
            self.respond(*self.refuse(error))

    def on_lost(self) -> None:
        """The client has gone: what waits is never run."""
        self._stop_timer()
        if not self.response_complete:
            self.response_complete = True
            self.leave()
        if not self.queued_at:
            self.body = b""  # connection and request refer to each other

    def wait_for_more(self) -> None:
        """Limit the time until the body is whole."""
        if self.timer is not None or self.response_complete:
            return
        loop = self.connection.loop
        until = min(self.came_at + self.connection.body_timeout_s, self.deadline)
        self.timer = loop.call_later(max(0.0, until - self.came_at), self._too_slow)

    def _too_slow(self) -> None:
        self.timer = None
        if not self.response_complete:
            self.respond(*self.refuse(BodyTimeout(BODY_TIMEOUT)))

    def respond(self, status: int, head: bytes, body: Buffer, close: bool = False) -> None:
        """Write the answer, in one system call where it is small."""
        if self.timer is not None:
            self._stop_timer()
        protocol = self.connection
        transport = protocol.transport
        self.response_complete = True
        if transport.is_closing():
            return
        end = b"\r\n"
        if close:
            self.keep_alive = False
        elif not self.keep_alive:
            end = b"connection: close\r\n\r\n"
        first, common = STATUS_LINE[status], protocol.default_head()
        if len(body) > HIGH_WATER_LIMIT:
            transport.writelines([b"".join((first, common, head, end)), body])
        else:
            transport.write(b"".join((first, common, head, end, body)))
        if not self.is_complete:  # the client is still sending: throw that away for a while
            self.timer = protocol.loop.call_later(_LINGER_S, transport.close)
        elif self.keep_alive:
            protocol.wait_for_next()
        else:
            transport.close()

    def _close_if_done(self) -> None:
        if self.keep_alive:
            self.connection.wait_for_next()
        else:
            self.connection.transport.close()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def protocol_class(
    app: App, desk: Desk, body_timeout_s: float, heads: Heads | None = None
) -> type[LaneProtocol]:
    """Return the protocol class for uvicorn's configuration; ``heads`` are known from the start."""
    attributes = {
        "app_routes": app,
        "desk": desk,
        "heads": heads or Heads(),
        "body_timeout_s": body_timeout_s,
    }
    protocol = type("PeltonProtocol", (LaneProtocol,), attributes)
    if core is not None:
        _compile(protocol, desk)
    return protocol


def _compile(protocol: type[LaneProtocol], desk: Desk) -> None:
    """Have compiled code do what is usual; the rest comes to the methods above all the same."""
    assert core is not None
    end = b"\r\n"

    def lines(about: About, queue_s: float, total_s: float) -> tuple[bytes, bytes]:
        """Return an answer's head, without length and id: what comes before, and after."""
        before, after = desk.lines_about(about, queue_s, total_s)
        first = STATUS_LINE[about.status], protocol.default_head(), before
        return b"".join((*first, b"\r\ncontent-length: ")), b"".join((end, after, end))

    log = desk.log if desk.access_log.enabled else None
    way = desk.way = core.Way(
        *(desk.dispatcher, desk, protocol.heads.known, desk.next_id, Exchange._done),
        *(lines, desk.record_many, log, Invocation, desk.timeout_s, desk.max_payload_bytes),
    )

    def write_out(ended: Ended, now: float) -> Ended:
        rest: Ended = way.respond(ended, now, asyncio.get_running_loop().time())
        return rest

    desk.dispatcher.write_out = write_out
