"""A small HTTP server whose every answer is up to the test, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Behaviour = Callable[[int, bytes], Awaitable[bytes | None]]


def answer(body: bytes = b'{"predictions": [1.0]}', status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def at_once(number: int, body: bytes) -> bytes:
    return answer()


class Puppet:
    """Serves on a loopback port from ``async with`` to its end.

    Args:
        behave: given a request's number (from 0) and body; ``None`` resets the connection.
    """

    def __init__(self, behave: Behaviour = at_once) -> None:
        self.behave = behave
        self.requests = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Puppet:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and cut every connection."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, has_body, rest = head.partition(b"content-length:")
                length = int(rest.partition(b"\r\n")[0]) if has_body else 0
                body = await reader.readexactly(length)
                if head.startswith(b"get "):
                    writer.write(answer(b"", 404))
                    continue
                number, self.requests = self.requests, self.requests + 1
                reply = await self.behave(number, body)
                if reply is None:
                    break
                writer.write(reply)
        writer.transport.abort()
        self._writers.discard(writer)
