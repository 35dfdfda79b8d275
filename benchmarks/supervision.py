"""A steady load whose every request is accounted for; what reloads and faults are measured with."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Shot:
    """One request; instants in seconds of the monotonic clock.

    Attributes:
        intended: when it was due.
        done: when it ended.
        status: of its answer; 0 if there was none.
        body: of its answer.
        error: why there was no answer.
        left: the client went away on purpose.
    """

    intended: float
    done: float = 0.0
    status: int = 0
    body: bytes = b""
    error: str = ""
    left: bool = False

    @property
    def latency_s(self) -> float:
        return self.done - self.intended


@dataclass
class Steady:
    """Open-loop load from a thread of its own: each request is due whatever the others do.

    Args:
        port: of the server on this machine.
        body: what is asked.
        rate: requests per second.
        leave_share: so many of the clients go away before they have their answer.
    """

    port: int
    body: bytes
    rate: float
    leave_share: float = 0.0
    seed: int = 1
    shots: list[Shot] = field(default_factory=list)

    def __enter__(self) -> Steady:
        self._stop = threading.Event()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._random = random.Random(self.seed)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        start = time.monotonic()
        tasks = set()
        while not self._stop.is_set():
            due = int((time.monotonic() - start) * self.rate)
            while len(self.shots) < due:
                shot = Shot(start + len(self.shots) / self.rate)
                self.shots.append(shot)
                task = asyncio.create_task(self._fire(shot))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.002)
        if tasks:
            await asyncio.wait(tasks, timeout=60)
        for _, writer in self._free:
            writer.close()

    async def _fire(self, shot: Shot) -> None:
        try:
            await self._ask(shot)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            shot.error = f"{type(error).__name__}: {error}"
        shot.done = time.monotonic()

    async def _connection(self, is_new: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a free connection, but none that the server has closed for having been idle."""
        while self._free and not is_new:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _ask(self, shot: Shot) -> None:
        leaves = self._random.random() < self.leave_share
        reader, writer = await self._connection(leaves)
        writer.write(
            b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(self.body), self.body)
        )
        if leaves:
            shot.left = True
            await asyncio.sleep(self._random.random() * 0.01)
            writer.close()
            return
        head = await reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        length = int(lowered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        shot.body = await reader.readexactly(length)
        shot.status = int(head[9:12])
        if b"connection: close" in lowered:
            writer.close()
        else:
            self._free.append((reader, writer))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def count_outcomes(shots: Sequence[Shot]) -> Counter[str]:
    """Return how often each outcome was: a status, "left", or an error's kind."""
    return Counter(
        "left" if s.left else (str(s.status) if s.status else s.error.partition(":")[0])
        for s in shots
    )


def capacity(ask: Callable[[], Any], seconds: float = 2.0) -> float:
    """Return how many requests a second one caller gets answered."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        ask()
        count += 1
    return count / seconds


def show(title: str, rows: dict[str, Any], *, as_json: bool) -> None:
    """Print a result."""
    if as_json:
        print(json.dumps({"benchmark": title, **rows}))
        return
    width = max(map(len, rows))
    print(f"\n{title}")
    for name, value in rows.items():
        text = f"{value:,.2f}" if isinstance(value, float) else str(value)
        print(f"  {name:<{width}}  {text}")


def median(values: Sequence[float]) -> float:
    """Return the median; 0.0 of none."""
    return statistics.median(values) if values else 0.0
