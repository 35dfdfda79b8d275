"""POST /invocations as a raw ASGI application: admit, read, submit, await, answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from pelton.channel.frames import Buffer
from pelton.errors import BodyTimeout, ClientDisconnected, PeltonError
from pelton.frontend.exchange import Desk, Exchange
from pelton.frontend.problems import Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_TIMEOUT: Final = (
    "The request body did not arrive in time. Send it faster, or raise --body-timeout."
)
# What may stand in a response header and a log line.
_REQUEST_ID: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # no blank, quote, backslash


class Invocations:
    """The route.

    Args:
        desk: what exchanges share.
        body_timeout_s: a body must have arrived by then.
    """

    def __init__(self, desk: Desk, body_timeout_s: float) -> None:
        self._desk = desk
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Cancel safety: if cancelled, a queued entry is never run."""
        head = read_head(scope["headers"])
        exchange = _AwaitedExchange(self._desk, head.request_id)
        answered = exchange.answered
        try:
            exchange.admit(head.content_length, head.timeout)
            body = await self._read(exchange, receive)
            exchange.submit(body, head.content_type)
        except ClientDisconnected as error:
            exchange.refuse(error)  # recorded; nobody is there to read it
            return
        except PeltonError as error:
            await send_response(send, exchange.refuse(error))
            return

        gone = asyncio.ensure_future(_disconnect(receive))
        try:
            either: set[asyncio.Future[Any]] = {answered, gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not answered.done():
                exchange.leave()
        if answered.done():
            await send_response(send, answered.result())

    async def _read(self, exchange: Exchange, receive: Receive) -> bytes | bytearray:
        """Return the whole body.

        Raises:
            PayloadTooLarge: it exceeds the limit, whatever its headers said.
            BodyTimeout: it did not arrive in time.
            ClientDisconnected: the client left in the middle of it.
        """
        message = await self._receive_by(receive, exchange)
        body: bytes | bytearray = message["body"]
        limit = self._desk.max_payload_bytes
        while message.get("more_body") and len(body) <= limit:
            message = await self._receive_by(receive, exchange)
            if not isinstance(body, bytearray):
                body = bytearray(body)
            body += message["body"]
        if len(body) > limit:
            raise exchange.too_large(len(body))
        return body

    async def _receive_by(self, receive: Receive, exchange: Exchange) -> MutableMapping[str, Any]:
        until = min(exchange.came_at + self._body_timeout_s, exchange.deadline)
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise BodyTimeout(BODY_TIMEOUT) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected("The client left before its request was complete.")
        return message


class _AwaitedExchange(Exchange):
    """One that a task waits for."""

    __slots__ = ("answered",)

    def __init__(self, desk: Desk, request_id: str | None) -> None:
        super().__init__(desk, request_id)
        loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[Response] = loop.create_future()

    def respond(self, status: int, head: bytes, body: Buffer, close: bool = False) -> None:
        if not self.answered.done():
            self.answered.set_result(Response(status, head, body, close))


class Head:
    """What the front end reads of a request's headers."""

    __slots__ = ("content_length", "content_type", "request_id", "timeout")

    def __init__(self) -> None:
        self.content_type: str | None = None
        self.content_length: int | None = None
        self.timeout: str | None = None
        self.request_id: str | None = None


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Read the headers that matter; of a repeated one the first, as Starlette does."""
    head = Head()
    for name, value in headers:
        if name == b"content-type":
            if head.content_type is None:
                head.content_type = value.decode("latin-1")
        elif name == b"content-length":
            head.content_length = int(value)
        elif name == b"x-request-timeout-seconds":
            if head.timeout is None:
                head.timeout = value.decode("latin-1")
        elif name == b"x-request-id" and head.request_id is None:
            text = value.decode("latin-1")
            head.request_id = text if _REQUEST_ID.fullmatch(text) else None
    return head


async def send_response(send: Send, response: Response) -> None:
    """Send an answer over ASGI."""
    await send(
        {"type": "http.response.start", "status": response.status, "headers": response.headers}
    )
    await send({"type": "http.response.body", "body": bytes(response.body)})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
