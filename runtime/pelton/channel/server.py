"""The worker's side of a channel: blocking, thread-safe for writing, one reader.

Standard library only, Python 3.10: it runs in the model's environment.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

from pelton.channel import frames

_READ_BYTES = 256 * 1024
_DIRECT_BYTES = 64 * 1024  # of a frame that lacks as much: read to where it stays
_JOIN_BYTES = 64 * 1024  # up to here copying costs less than a list of buffers
_MAX_BUFFERS = 512  # of one sendmsg; the kernel takes 1024


class ChannelServer:
    """A worker's end of the socketpair.

    Args:
        sock: the blocking socket; closed with the channel.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 1024 * 1024)
        self.sock = sock
        self._write_lock = threading.Lock()
        self._reader = frames.FrameReader()
        self.on_data: Callable[[bytes], int] | None = None
        """Takes whole frames off the start of bytes that begin with one; says how many bytes."""
        self._buffer = memoryview(bytearray(_READ_BYTES))

    def send(self, outgoing: Sequence[frames.Frame]) -> None:
        """Write frames; see ``write``.

        Raises:
            OSError: the server is gone.
        """
        self.write([buffer for frame in outgoing for buffer in frames.encode(frame)])

    def write(self, buffers: list[frames.Buffer]) -> None:
        """Write encoded frames whole, with as few system calls as the socket allows.

        Raises:
            OSError: the server is gone.
        """
        if sum(map(len, buffers)) <= _JOIN_BYTES:
            buffers = [b"".join(buffers)]
        with self._write_lock:
            for at in range(0, len(buffers), _MAX_BUFFERS):
                self._send_all(buffers[at : at + _MAX_BUFFERS])

    def _send_all(self, buffers: list[frames.Buffer]) -> None:
        sent = self.sock.sendmsg(buffers)
        for buffer in buffers:
            if sent >= len(buffer):
                sent -= len(buffer)
                continue
            self.sock.sendall(memoryview(buffer)[sent:])
            sent = 0

    def receive(self) -> list[frames.Frame]:
        """Wait for bytes and return the frames they complete; may be none.

        Raises:
            EOFError: the server closed the channel.
            FrameError: what arrived is not a frame.
        """
        room = self._reader.room
        if room is None or len(room) < _DIRECT_BYTES:
            count = self.sock.recv_into(self._buffer)
            if count == 0:
                raise EOFError
            data = bytes(self._buffer[:count])
            if self.on_data is None or not self._reader.is_between:
                return self._reader.feed(data)
            taken = self.on_data(data)
            return self._reader.feed(data[taken:]) if taken < count else []
        count = self.sock.recv_into(room, 0, socket.MSG_WAITALL)
        if count == 0:
            raise EOFError
        frame = self._reader.filled(count)
        return [] if frame is None else [frame]

    def __iter__(self) -> Iterator[frames.Frame]:
        """Yield frames until the server closes the channel."""
        while True:
            try:
                yield from self.receive()
            except (EOFError, ConnectionResetError):
                return

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()
