"""The server's side of a channel: asyncio, one per worker.

It only moves frames: what they mean for a worker is ``supervisor.handle``'s business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Final, cast

from pelton.channel import frames
from pelton.errors import FrameError

_SEND_BYTES: Final = 4 * 1024 * 1024  # asked for; the system may allow less
_JOIN_BYTES: Final = 256 * 1024  # up to here copying costs less than a list of buffers


class ChannelClient(asyncio.Protocol):
    """Owned by one event loop. Frames go out in the order of the calls.

    Args:
        on_frames: called with the frames that arrived together, in their order.
        on_lost: called once, when the other side is gone or has broken the framing.
        on_data: called first with bytes that begin with a frame; takes whole frames of its own kind
            off their start, and returns how many bytes that were.
    """

    def __init__(
        self,
        on_frames: Callable[[list[frames.Frame]], None],
        on_lost: Callable[[Exception | None], None],
        on_data: Callable[[bytes], int] | None = None,
    ) -> None:
        self._on_data = on_data
        self._on_frames = on_frames
        self._on_lost = on_lost
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        on_frames: Callable[[list[frames.Frame]], None],
        on_lost: Callable[[Exception | None], None],
        on_data: Callable[[bytes], int] | None = None,
    ) -> ChannelClient:
        """Take over the server's end of a socketpair; it is closed with the channel."""
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_unix_connection(
            lambda: cls(on_frames, on_lost, on_data), sock=sock
        )
        return protocol

    def send(self, outgoing: Iterable[frames.Frame]) -> None:
        """Write frames; see ``write``."""
        self.write([buffer for frame in outgoing for buffer in frames.encode(frame)])

    def write(self, buffers: list[frames.Buffer]) -> None:
        """Write encoded frames with one system call where the socket's buffer allows it.

        A channel that is already lost swallows them: the loss is reported by ``on_lost``, which
        fails what was in the worker.
        """
        if self._transport is None or self._transport.is_closing():
            return
        if sum(map(len, buffers)) <= _JOIN_BYTES:
            self._transport.write(b"".join(buffers))
        else:
            self._transport.writelines(buffers)

    def close(self) -> None:
        """Close the channel; the worker sees the end of the stream and leaves."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close without writing what is buffered (the worker is dead or stopped)."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._on_data is not None and self._reader.is_between:
            taken = self._on_data(data)
            if taken == len(data):
                return
            data = data[taken:]
        try:
            incoming = self._reader.feed(data)
        except FrameError as error:
            assert self._transport is not None
            self._transport.abort()
            self._lose(error)
            return
        if incoming:
            self._on_frames(incoming)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._lose(exc)

    def _lose(self, error: Exception | None) -> None:
        on_lost, self._on_lost = self._on_lost, _ignore
        on_lost(error)


def _ignore(_: Exception | None) -> None:
    """Losing a channel is reported once."""
