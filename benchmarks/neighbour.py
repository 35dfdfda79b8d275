"""What runs beside small requests: a client of large ones, or a process that only computes.

Each in a process of its own, on the servers' cores, as another client would be: what it does is
not in the way of the small ones' generator, unless both want the same core.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from pelton.bench.caller import Caller
from pelton.bench.request import Body, Request
from pelton.bench.target import Target

_LARGE_BYTES: Final = 15_900_000
_TIMEOUT_S: Final = 60.0


@dataclass
class Asked:
    """What a client of large requests has got.

    Attributes:
        good: answers.
        failed: other ends of a request.
    """

    good: int = 0
    failed: int = 0


@contextlib.contextmanager
def large_requests(
    target: Target, small: Body, cores: list[int], *, is_slow: bool
) -> Iterator[Asked]:
    """Keep one large request in flight, one after the other; the first is over on entering.

    Args:
        target: where to.
        small: a request of one row, for columns and values.
        cores: where the client may run.
        is_slow: with a number that is not there, which MLflow's own way answers: it takes a slot
            for a second or so.

    Yields:
        Its account, filled in on leaving.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    arguments = (target, small, is_slow, cores, there)
    process = spawn.Process(target=_ask, args=arguments, daemon=True)
    process.start()
    there.close()
    asked = Asked()
    try:
        here.recv()
        yield asked
        here.send(None)
        asked.good, asked.failed = here.recv()
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def busy_core(cores: list[int]) -> Iterator[Asked]:
    """Run a process that computes and asks nothing."""
    process = multiprocessing.get_context("spawn").Process(
        target=_compute, args=(cores,), daemon=True
    )
    process.start()
    try:
        yield Asked()
    finally:
        process.kill()
        process.join()


def large(small: Body, *, is_slow: bool) -> Body:
    """Return a request of 16 MB with the columns of a small one."""
    frame = json.loads(small.content)["dataframe_split"]
    row = json.dumps(frame["data"][0])
    rows = _LARGE_BYTES // (len(row) + 2)
    head = '{"dataframe_split": {"columns": ' + json.dumps(frame["columns"]) + ', "data": ['
    data = [row] * rows
    if is_slow:
        data[0] = json.dumps([float("nan"), *frame["data"][0][1:]])
    return Body((head + ", ".join(data) + "]}}").encode(), rows)


def _ask(target: Target, small: Body, is_slow: bool, cores: list[int], parent: Connection) -> None:
    os.sched_setaffinity(0, cores)
    request = Request(target, large(small, is_slow=is_slow))
    asyncio.run(_keep_asking(target, request, parent))


async def _keep_asking(target: Target, request: Request, parent: Connection) -> None:
    caller = Caller(target, timeout_s=_TIMEOUT_S)
    await caller.call(request)
    parent.send(None)
    told = asyncio.create_task(asyncio.to_thread(parent.recv))
    good = failed = 0
    while not told.done():
        try:
            answer = await caller.call(request)
        except OSError:  # TimeoutError is one
            failed += 1
        else:
            good += answer.status == 200
            failed += answer.status != 200
    caller.close()
    parent.send((good, failed))


def _compute(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)
    while True:
        sum(range(10_000))
