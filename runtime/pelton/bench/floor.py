"""The generator's own ceiling: what it reaches against a server that does nothing.

The server is a bare epoll loop in a child process; it answers every request with the same bytes as
soon as the request is whole. What the generator reaches against it, nothing real will exceed, and a
measurement near it says more of the generator than of the target.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import signal
import socket
from dataclasses import dataclass
from time import process_time
from typing import Final

from pelton.bench.load import Load
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally
from pelton.bench.target import Target

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CONCURRENCY: Final = 32
_RECEIVE: Final = 1 << 20


@dataclass(frozen=True)
class Ceiling:
    """What this generator can do on this machine with these requests.

    Attributes:
        rate: requests per second reached against the trivial server.
        cpu_us: the generator's CPU time for one request, microseconds.
    """

    rate: float
    cpu_us: float

    @property
    def core_rate(self) -> float:
        """Requests per second that fill one core: what no rate can exceed, however fast the server.

        On a busy machine :attr:`rate` is lower, since the trivial server waits for a core too.
        """
        return 1e6 / self.cpu_us


async def measure_ceiling(body: Body, answer_bytes: int, duration_s: float = 1.0) -> Ceiling:
    """Load a trivial server with requests and answers of the real ones' sizes.

    Args:
        body: a request's body.
        answer_bytes: length of the answers to it.
        duration_s: how long.
    """
    with Floor(answer_bytes) as floor:
        target = Target("127.0.0.1", floor.port)
        tally = Tally()
        async with asyncio.TaskGroup() as tasks:
            load = Load(
                target,
                Mix([Request(target, body)]),
                tasks,
                connections=_CONCURRENCY,
                timeout_s=10.0,
                stop=asyncio.Event(),
            )
            await load.run_closed(_CONCURRENCY, min(0.2, duration_s), Tally())
            before = process_time()
            await load.run_closed(_CONCURRENCY, duration_s, tally)
            cpu_s = process_time() - before
            load.close()
    return Ceiling(tally.in_window / duration_s, cpu_s / max(1, tally.sent) * 1e6)


class Floor:
    """The trivial server in a child of this process, from ``with`` to its end.

    Args:
        answer_bytes: length of the body it answers with.
    """

    def __init__(self, answer_bytes: int) -> None:
        body = b"x" * answer_bytes
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
        self._answer = f"{head}Content-Type: application/json\r\n\r\n".encode() + body
        self._pid = 0
        self.port = 0

    def __enter__(self) -> Floor:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        self._pid = os.fork()
        if self._pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.alarm(120)  # never outlive the parent by more
                _leave_the_generator_alone()
                _serve(listener, self._answer)
            finally:
                os._exit(0)
        listener.close()
        return self

    def __exit__(self, *exception: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _serve(listener: socket.socket, answer: bytes) -> None:
    """Answer every whole request on every connection, for ever."""
    poll = select.epoll() if hasattr(select, "epoll") else _Select()
    listener.setblocking(False)
    poll.register(listener.fileno(), select.POLLIN)
    sockets: dict[int, socket.socket] = {}
    missing: dict[int, int] = {}
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(True)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets[connection.fileno()] = connection
                missing[connection.fileno()] = 0
                poll.register(connection.fileno(), select.POLLIN)
                continue
            try:
                data = sockets[fd].recv(_RECEIVE)
            except OSError:
                data = b""
            if not data:
                poll.unregister(fd)
                sockets.pop(fd).close()
                continue
            if missing[fd]:
                missing[fd] -= len(data)
            else:
                missing[fd] = _still_to_come(data)
            if missing[fd] <= 0:
                missing[fd] = 0
                sockets[fd].sendall(answer)


def _still_to_come(data: bytes) -> int:
    """Return how many bytes of a request are missing, given its first piece with the whole head."""
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end)
    return (int(length[1]) if length else 0) - (len(data) - end - 4)


class _Select:
    """What is needed of ``select.epoll`` where there is none."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def register(self, fd: int, events: int) -> None:
        self._poll.register(fd, events)

    def unregister(self, fd: int) -> None:
        self._poll.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        return self._poll.poll()


def _leave_the_generator_alone() -> None:
    """Run on other cores than the parent, where it is pinned and there are any."""
    if hasattr(os, "sched_setaffinity"):
        mine = os.sched_getaffinity(0)
        others = set(range(os.cpu_count() or 1)) - mine
        with contextlib.suppress(OSError):  # a container may not own them
            os.sched_setaffinity(0, others or mine)
