"""One persistent HTTP/1.1 client connection, no more than a load generator needs.

A usual answer (status 200, whole, with Content-Length) to a load's request is taken by compiled
code, with all that follows from it. Others with Content-Length take two searches here; anything
else (chunked, until the connection ends) is given to httptools from its first byte on, which is
exact and three times as dear.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, Protocol

import httptools

from pelton.bench.request import Request
from pelton.compiled import Wire

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_UNUSUAL: Final = re.compile(rb"\r\n(?:transfer-encoding:|connection:[ \t]*close)", re.IGNORECASE)
_HEAD_LIMIT: Final = 64 * 1024
_NOTHING: Final = memoryview(b"")
PIECE_BYTES: Final = 1024 * 1024  # as in compiled/load.c


class Client(Protocol):
    """Who drives connections: told of every end of a request, and of every lost connection."""

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        """Take a whole answer; the connection is free for another request if still open."""

    def lost(self, connection: Connection, request: Request | None) -> None:
        """Hear that the connection is gone, with the request that it was carrying, if any."""


class _Whole:
    """Collects an unusual answer from httptools' callbacks."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.done = False
        self.keeps_alive = False
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        self.done = True
        self.keeps_alive = self.parser.should_keep_alive()  # only here does it know


class Connection(Wire, asyncio.Protocol):
    """A connection carrying at most one request at a time. Owned by one event loop."""

    request: Request | None

    def __init__(self, client: Client) -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.request = None
        self.intended = 0.0
        self._rest = _NOTHING  # of a large request that is being written
        self._is_full = False
        self._clear()

    def _clear(self) -> None:
        self._is_partial = False  # nothing of an answer is kept in the following
        self._head = b""
        self._chunks: list[bytes] = []
        self._missing = 0
        self._status = 0
        self._whole: _Whole | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the connection is idle."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self._transport.set_write_buffer_limits(high=0)  # type: ignore[union-attr]
        self.is_open = True

    def send(self, request: Request, intended: float) -> None:
        """Write a request; the connection must be open and idle."""
        self.request = request
        self.intended = intended
        if len(request.wire) > PIECE_BYTES:
            self.send_in_pieces(request.wire)
        else:
            self._transport.write(request.wire)  # type: ignore[union-attr]  # it is open

    def send_in_pieces(self, wire: bytes) -> None:
        """Write a large request, a piece in each turn of the loop.

        Handing megabytes to the kernel takes milliseconds, and others' requests would be late.
        """
        self._rest = memoryview(wire)
        self._send_piece()

    def _send_piece(self) -> None:
        if self._is_full or not self.is_open or not len(self._rest):
            return
        assert self._transport is not None
        piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
        self._transport.write(piece)
        if len(self._rest):
            asyncio.get_running_loop().call_soon(self._send_piece)

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        self._send_piece()

    def abort(self) -> Request | None:
        """Cut the connection at once; the request it carried is the caller's to account for."""
        request, self.request = self.request, None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        return request

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss, or the end of an answer that has no length of its own."""
        was_open, self.is_open = self.is_open, False
        request, self.request = self.request, None
        whole = self._whole
        if request is not None and exc is None and whole is not None:
            head = self._head.lower()
            if b"content-length:" not in head and b"transfer-encoding:" not in head:
                self.request = request
                status = whole.parser.get_status_code()
                self._finish(status, self._head, b"".join(whole.chunks))
                return
        if was_open:
            self._client.lost(self, request)

    def receive(self, data: bytes) -> None:
        """Take bytes of the current answer; bytes that nobody asked for close the connection."""
        if self._missing:
            self._chunks.append(data)
            self._missing -= len(data)
            if self._missing <= 0:
                body = b"".join(self._chunks)
                self._end(self._status, self._head, body, surplus=-self._missing)
        elif self._whole is not None:
            self._feed(self._whole, data)
        elif self.request is None:
            self._drop()
        else:
            self._begin(self._head + data)

    def _begin(self, data: bytes) -> None:
        self._is_partial = True
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = data
            if len(data) > _HEAD_LIMIT:
                self._drop()
            return
        head = data[: end + 2]
        length = _LENGTH.search(head)
        status = head[9:12]
        if status.startswith(b"1") and status.isdigit():
            self._head = b""
            self._begin(data[end + 4 :])  # an interim answer; the real one follows
            return
        if length is None or not status.isdigit() or _UNUSUAL.search(head):
            self._head = head
            self._whole = _Whole()
            self._feed(self._whole, data)
            return
        body = data[end + 4 :]
        missing = int(length[1]) - len(body)
        if missing > 0:
            self._head, self._status = head, int(status)
            self._chunks.append(body)
            self._missing = missing
        else:
            self._end(int(status), head, body, surplus=-missing)

    def _feed(self, whole: _Whole, data: bytes) -> None:
        try:
            whole.parser.feed_data(data)
        except httptools.HttpParserError:
            self._drop()
            return
        if whole.done:
            if not whole.keeps_alive:
                self.is_open = False
                assert self._transport is not None
                self._transport.close()
            self._finish(whole.parser.get_status_code(), self._head, b"".join(whole.chunks))

    def _end(self, status: int, head: bytes, body: bytes, *, surplus: int) -> None:
        if surplus:
            self._drop()  # the server's idea of the length is not ours: nothing here can be trusted
        else:
            self._finish(status, head, body)

    def _finish(self, status: int, head: bytes, body: bytes) -> None:
        self._clear()
        if len(self._rest):  # answered before it was sent: nothing else may be said on this one
            self._rest = _NOTHING
            self.is_open = False
            self._transport.close()  # type: ignore[union-attr]  # it was open
        self._client.answered(self, status, head, body)

    def _drop(self) -> None:
        if self.is_open:
            request = self.abort()
            self._client.lost(self, request)
