"""What it takes to wake a process, and be answered: a floor under every latency.

A byte to a process that waits, and back, through a socketpair. A request's way has two such round
trips at least: the client's to the front end, and the front end's to a worker. On a virtual machine
a core that has nothing to do may be given to somebody else, and is slow to come back.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

from pelton.bench import machine, quantity
from pelton.bench.arguments import told


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks wake", description=__doc__)
    parser.add_argument(
        "--count", type=told(quantity.count), default=1000, help="round trips of each kind"
    )
    parser.add_argument(
        "--idle", type=told(quantity.positive), default=1.0, help="milliseconds between two of them"
    )
    parsed = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        parser.error("this compares two cores, and this process may use only one")
    here, there = cores[0], cores[-1]
    print(
        f"us a round trip, after {parsed.idle:g} ms with nothing to do      p50      p90      p99"
    )
    for about, core, awake in (
        ("on the same core", here, []),
        ("on another core", there, []),
        ("on another core that never idles", there, [here, there]),
    ):
        with kept_awake(awake):
            times = sorted(round_trips(here, core, parsed.count, parsed.idle / 1e3))
        p50, p90, p99 = (times[int(len(times) * share)] * 1e6 for share in (0.5, 0.9, 0.99))
        print(f"{about:<46}  {p50:>7.0f}  {p90:>7.0f}  {p99:>7.0f}")
    print(json.dumps(machine.describe()))
    return 0


def round_trips(here: int, there: int, count: int, idle_s: float) -> list[float]:
    """Return how long each took, in seconds, between a process on either core."""
    mine, others = socket.socketpair()
    usable = os.sched_getaffinity(0)
    with mine, others, child(functools.partial(echo, mine, others, there)):
        others.close()  # a child that dies ends what waits for it
        os.sched_setaffinity(0, {here})
        try:
            times = []
            for _ in range(count):
                time.sleep(idle_s)
                started = time.perf_counter()
                mine.send(b".")
                if not mine.recv(1):
                    raise ChildProcessError("the answering process has ended")
                times.append(time.perf_counter() - started)
        finally:
            os.sched_setaffinity(0, usable)
    return times


def echo(mine: socket.socket, others: socket.socket, core: int) -> None:
    mine.close()
    os.sched_setaffinity(0, {core})
    while data := others.recv(1):
        others.send(data)


@contextlib.contextmanager
def kept_awake(cores: list[int]) -> Iterator[None]:
    """Have processes that yield to all others compute on ``cores``."""
    with contextlib.ExitStack() as stack:
        for core in cores:
            stack.enter_context(child(functools.partial(compute, core, os.getpid())))
        yield


def compute(core: int, parent: int) -> None:
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        pass


@contextlib.contextmanager
def child(run: Callable[[], None]) -> Iterator[None]:
    """Have a process do ``run`` meanwhile."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
