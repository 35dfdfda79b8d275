"""A front end on a real socket, in front of a slot that the test answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.unit.puppet import Puppet

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import About, Answer, Entry
from pelton.channel.bodies import SharedBodies
from pelton.frontend.app import build_app
from pelton.frontend.exchange import Desk
from pelton.frontend.heads import Heads
from pelton.frontend.invocations import Invocations, read_head
from pelton.frontend.lane import protocol_class
from pelton.frontend.server import HttpServer, bind
from pelton.telemetry.access import Access, AccessLog
from pelton.telemetry.metrics import Metrics

LIMIT_S = 60.0
Way = Literal["known", "short", "asgi"]
"""As ``short``, but heads of whole plain requests are known, as from their second time on."""


@dataclass
class FakeServed:
    """The endpoint as the front end sees it."""

    is_ready: bool = True
    not_ready_reason: str = "The model is loading."
    mlflow_version: str | None = "3.1.4"
    served_entity_name: str = "iris-1"


class RecordingLog(AccessLog):
    """Keeps the lines instead of writing them."""

    def __init__(self) -> None:
        super().__init__(enabled=True, as_json=False)
        self.lines: list[Access] = []

    def add(self, access: Access) -> None:
        self.lines.append(access)


@dataclass
class HttpAnswer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Front:
    """The running front end and its parts."""

    dispatcher: Dispatcher
    puppet: Puppet
    served: FakeServed
    metrics: Metrics
    log: RecordingLog
    desk: Desk
    port: int
    _heads: Heads | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def ask(
        self,
        body: bytes = b"{}",
        *,
        method: str = "POST",
        path: str = "/invocations",
        headers: dict[str, str] | None = None,
    ) -> HttpAnswer:
        """Send one request on a connection of its own and return its answer."""
        reader, writer = await self.connect()
        sent = request(body, method=method, path=path, headers=headers)
        if self._heads is not None and (method, path) == ("POST", "/invocations"):
            teach(self._heads, sent)
        writer.write(sent)
        return await read_answer(reader, method)

    async def running(self, many: int = 1) -> list[Entry]:
        """Wait until the slot has been given ``many`` batches; return the last one."""
        await until(lambda: len(self.puppet.batches) >= many)
        return self.puppet.batches[-1]

    def answer(self, entry: Entry, answer: Answer | None = None) -> None:
        """Answer a running entry."""
        assert entry.lane is not None
        answer = answer or Answer(About(200, "application/json"), b'{"a": 1}')
        entry.lane.answered([(entry.id, answer)])

    @property
    def outcomes(self) -> list[tuple[int, str]]:
        """Status and outcome of each request that has been logged."""
        return [(line.status, line.outcome) for line in self.log.lines]


@asynccontextmanager
async def front_end(
    way: Way,
    *,
    queue_limit: int = 10,
    timeout_s: float = 60.0,
    body_timeout_s: float = 60.0,
    max_payload_bytes: int = 1000,
    keep_alive_s: float = 60.0,
    with_slot: bool = True,
    heads: Heads | None = None,
    bodies: SharedBodies | None = None,
) -> AsyncIterator[Front]:
    """Run a front end whose invocations go the given way."""
    call_soon = asyncio.get_running_loop().call_soon
    dispatcher = Dispatcher(Limits(queue_limit, 1_000_000), time.monotonic, call_soon=call_soon)
    served, metrics, log, puppet = FakeServed(), Metrics(), RecordingLog(), Puppet()
    limits = {"timeout_s": timeout_s, "max_payload_bytes": max_payload_bytes}
    desk = Desk(dispatcher, served, metrics, log, bodies=bodies, **limits)  # type: ignore[arg-type]
    app = build_app(Invocations(desk, body_timeout_s), served, metrics, "iris")
    sock = bind("127.0.0.1", 0)
    protocol: Any = (
        "httptools" if way == "asgi" else protocol_class(app, desk, body_timeout_s, heads)
    )
    server = HttpServer(app, sock, keep_alive_s, protocol)
    known = protocol.heads if way == "known" else None
    front = Front(dispatcher, puppet, served, metrics, log, desk, sock.getsockname()[1], known)
    async with asyncio.timeout(LIMIT_S):
        task = asyncio.ensure_future(server.run())
        await server.wait_started()
        if with_slot:
            dispatcher.open_lane(puppet)
        try:
            yield front
        finally:
            for writer in front._writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            server.close()
            await task
            sock.close()


def request(
    body: bytes = b"{}",
    *,
    method: str = "POST",
    path: str = "/invocations",
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: test"]
    given = {"content-length": str(len(body)), **(headers or {})}
    lines += [f"{name}: {value}" for name, value in given.items() if value]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def teach(heads: Heads, sent: bytes) -> None:
    """Have the head of a request known, as the parser would have it."""
    head, _, _ = sent.partition(b"\r\n\r\n")
    pairs = [line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
    given = {name for name, _ in pairs}
    if not given & {b"expect", b"connection", b"transfer-encoding"} and b"content-length" in given:
        original = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
        heads.learn(sent, read_head([(name.lower(), value) for name, value in original]))


async def read_answer(reader: asyncio.StreamReader, method: str = "POST") -> HttpAnswer:
    """Read one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    if " 100 " in head[0]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    length = 0 if method == "HEAD" else int(headers["content-length"])
    return HttpAnswer(int(head[0].split()[1]), headers, await reader.readexactly(length))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the front end's own limit bounds it."""
    while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0.001)
