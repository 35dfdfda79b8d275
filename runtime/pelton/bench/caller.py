"""One request at a time: to learn right answers before the load, and to read metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pelton.bench.connection import Connection
from pelton.bench.request import Body, Request
from pelton.bench.target import Target


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        status: HTTP status.
        head: its head, up to the empty line.
        body: its body.
    """

    status: int
    head: bytes
    body: bytes


class Caller:
    """One connection with one request at a time, opened again when it was lost.

    Args:
        target: where to.
        timeout_s: for one call, connecting included.
    """

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._target = target
        self._tls = target.ssl_context()
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._waiter: asyncio.Future[Answer] | None = None

    async def get(self, path: str) -> Answer:
        """GET a path of the target's server. Raises as :meth:`call` does."""
        request = Request(self._target, Body(b""))
        request.wire = self._target.get(path)
        return await self.call(request)

    async def call(self, request: Request) -> Answer:
        """Send one request and wait for its answer; if cancelled, the connection is cut.

        Raises:
            OSError: cannot connect, or the connection ended without an answer.
            TimeoutError: no answer in time.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._connection is None or not self._connection.is_open:
                    _, self._connection = await loop.create_connection(
                        lambda: Connection(self),
                        self._target.host,
                        self._target.port,
                        ssl=self._tls,
                    )
                self._waiter = loop.create_future()
                self._connection.send(request, loop.time())
                return await self._waiter
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cut the connection."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        """Hand the answer to whoever waits."""
        connection.request = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(status, head, body))

    def lost(self, connection: Connection, request: Request | None) -> None:
        """Tell whoever waits that there will be no answer."""
        if request is not None and self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(
                ConnectionResetError("the connection ended without an answer")
            )
