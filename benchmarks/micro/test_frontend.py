"""A request's way through the front end, without sockets and without a worker.

``python -m pytest benchmarks/micro --benchmark-only``: 64 requests through parser, admission, queue
and channel, then their 64 answers back out; figures are CPU time of one thread for all 64.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final

import pytest
import uvicorn
from pytest_benchmark.fixture import BenchmarkFixture
from uvicorn.server import ServerState

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.batching.entry import Entry
from pelton.batching.policy import BatchLimits
from pelton.channel import frames
from pelton.channel.client import ChannelClient
from pelton.channel.messages import AnswerMeta, LoadSpec, encode_answers
from pelton.frontend.app import build_app
from pelton.frontend.exchange import Desk
from pelton.frontend.invocations import Invocations
from pelton.frontend.lane import LaneProtocol, protocol_class
from pelton.settings import Workers
from pelton.supervisor.handle import WorkerHandle
from pelton.telemetry.access import AccessLog
from pelton.telemetry.metrics import Metrics

pytestmark = pytest.mark.benchmark(timer=time.thread_time, min_rounds=50, warmup=True)

_CALLERS: Final = 64
_BODY: Final = json.dumps(
    {"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": [[5.1, 3.5, 1.4, 0.2]]}}
).encode()
_REQUEST: Final = (
    b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class _Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, buffers: list[bytes]) -> None:
        self.written.append(b"".join(buffers))

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class _FrontEnd:
    """All of the front end but its sockets."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        served: Any = SimpleNamespace(served_entity_name="iris-1", is_ready=True)
        self.turn: list[Callable[[], None]] = []
        dispatcher = Dispatcher(Limits(1000, 2**30), time.monotonic, call_soon=self.turn.append)
        metrics = Metrics()
        log = AccessLog(enabled=False, as_json=False)
        desk = Desk(dispatcher, served, metrics, log, timeout_s=120.0, max_payload_bytes=2**24)
        app = build_app(Invocations(desk, 30.0), served, metrics, "iris")
        protocol = protocol_class(app, desk, 30.0)
        config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"Sun, 22 Nov 2026 00:00:00 GMT")]
        self.callers: list[tuple[LaneProtocol, _Transport]] = []
        for _ in range(_CALLERS):
            connection, transport = protocol(config, state, {}, loop), _Transport()
            connection.connection_made(transport)  # type: ignore[arg-type]
            self.callers.append((connection, transport))
        process: Any = SimpleNamespace(pid=1, exited=loop.create_future())
        handle = WorkerHandle(
            process,
            LoadSpec("worker-1", "/model"),
            forked=True,
            revision=1,
            dispatcher=dispatcher,
            settings=Workers(),
            on_change=lambda *_: None,
        )
        self.worker = _Transport()
        self.channel = ChannelClient(handle._on_frames, lambda _: None, handle._on_data)
        self.channel.connection_made(self.worker)  # type: ignore[arg-type]
        handle._channel = self.channel
        self._handle = handle
        dispatcher.open_lane(self, BatchLimits(requests=_CALLERS))

    def run(self, batch: Sequence[Entry]) -> None:
        assert batch[0].lane is not None
        self._handle.run(batch[0].lane, batch)

    def end_turn(self) -> None:
        while self.turn:
            self.turn.pop()()

    def cancel(self, batch: Sequence[Entry]) -> None:
        pass

    def answers(self) -> bytes:
        """Return what a worker would write for what it has been sent."""
        sent = frames.FrameReader().feed(b"".join(self.worker.written))
        self.worker.written.clear()
        meta = AnswerMeta(200, "application/json", 1e-5, 1e-3, 1e-6, len(sent), 1)
        return b"".join(encode_answers([(f.id, meta, b'{"predictions": [0]}') for f in sent]))


def test_requests_in_and_answers_out(benchmark: BenchmarkFixture) -> None:
    loop = asyncio.new_event_loop()

    async def round_trip() -> int:
        front = _FrontEnd(loop)

        def serve_all() -> None:
            for connection, _ in front.callers:
                connection.data_received(_REQUEST)
            front.end_turn()
            while front.worker.written:
                front.channel.data_received(front.answers())

        benchmark(serve_all)
        return min(len(transport.written) for _, transport in front.callers)

    try:
        assert loop.run_until_complete(round_trip()) > 0
    finally:
        loop.close()
