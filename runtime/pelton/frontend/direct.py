"""The rest of a large body, past the HTTP parser."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pelton.frontend.lane import Invocation, LaneProtocol


_NONE: Final = memoryview(b"")
# Copying so much takes half a millisecond, in which nobody else is read or answered.
_TURN_BYTES: Final = 1024 * 1024


class DirectBody(asyncio.BufferedProtocol):
    """Reads the rest of a body from the socket to where it stays; the parser would copy it twice.

    It is the transport's protocol until the body is whole; what is not about reading goes to
    the lane's.
    """

    def __init__(self, protocol: LaneProtocol, invocation: Invocation) -> None:
        self._protocol = protocol
        self._invocation = invocation
        self._room = invocation.make_room()
        self._set_aside = len(self._room)
        protocol.desk.set_aside_bytes += self._set_aside

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the rest belongs, as much of it as may come in one turn of the loop."""
        return self._room[:_TURN_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """So much has come."""
        self._room = self._room[nbytes:]
        if not len(self._room):
            self._release()
            self._protocol.go_on()
            self._invocation.on_complete()
        elif nbytes == _TURN_BYTES:  # there is more, most likely: others first
            self._protocol.transport.pause_reading()
            self._protocol.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        transport = self._protocol.transport
        if not transport.is_closing():
            transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._release()
        self._protocol.connection_lost(exc)

    def eof_received(self) -> None:
        """The client sends no more."""
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        """An answer waits for the client."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It does not any more."""
        self._protocol.resume_writing()

    def _release(self) -> None:
        self._room = _NONE
        self._protocol.desk.set_aside_bytes -= self._set_aside
