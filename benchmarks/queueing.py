"""The load generator against queueing theory: a server of known service time and one slot.

Capacity must be what the service time says; the mean wait at 80 % load must be what theory says
for Poisson arrivals and a constant service time (M/D/1), and, more sharply, for these very
arrivals (Lindley's recursion); a stall of one second must show in an open loop and hide in a closed
one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.cores import Cores
from benchmarks.models.cache import ONE_THREAD, ensure, model_path
from pelton.bench.arrival import Arrivals
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port, pelton_command
from pelton.bench.interruption import loop_run
from pelton.bench.load import Load
from pelton.bench.process import tree_pids
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally
from pelton.bench.target import Target

SERVICE_S = 0.010
_IN_THE_SLOT = ("decode", "predict", "encode")
_BODY = Body(json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}).encode())
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + b'{"predictions": [1.0]}'


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks queueing", description=__doc__)
    parser.add_argument("--server", choices=("one-slot", "pelton"), default="pelton")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds at 80 %% load")
    parsed = parser.parse_args(argv)
    cores = Cores.divide("shared")
    if parsed.server == "pelton":
        ensure("ten")
    cores.pin_generator()
    figures, _ = loop_run(lambda stop: _measure(parsed, cores, stop))
    print(f"{parsed.server}, {SERVICE_S * 1e3:.0f} ms a request, one slot, no batching; {cores}")
    ok = True
    for name, got, wanted, within in figures["checks"]:
        off = got / wanted - 1
        ok = ok and abs(off) <= within
        print(
            f"  {name:<46} {got:>9.3f}  expected {wanted:>9.3f}  {off:+.1%} (within {within:.0%})"
        )
    if stages := figures["stages"]:
        print(
            f"  the slot's {figures['slot_ms']:.2f} ms a request, at capacity: "
            + ", ".join(f"{name} {ms:.2f}" for name, ms in stages.items())
            + f", between two requests {figures['slot_ms'] - sum(stages.values()):.2f}"
        )
    for name, latency in figures["stall"].items():
        p50, p99 = latency["p50_ms"], latency["p99_ms"]
        print(f"  stalled 1 s, {name:<33} p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return 0 if ok else 1


async def _measure(parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event) -> dict[str, Any]:
    async with contextlib.AsyncExitStack() as stack:
        if parsed.server == "pelton":
            port = free_port()
            flags = ["--env", "local", "--concurrency", "1", "--batching", "off"]
            command = pelton_command(str(model_path("ten")), port, [*flags, "--no-access-log"])
            child = Child(command, port, environment=ONE_THREAD, cores=cores.servers)
            await child.start()
            stack.push_async_callback(child.stop)
            target, pid = child.target, child.pid
        else:
            target, pid = stack.enter_context(one_slot(cores.servers[0]))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        load = Load(
            target,
            Mix([Request(target, _BODY)]),
            tasks,
            connections=512,
            timeout_s=30.0,
            stop=stop,
        )
        stack.callback(load.close)
        await load.run_closed(4, 2.0, Tally())
        full = Tally()
        await load.run_closed(4, 10.0, full)
        capacity = full.in_window / 10.0
        alone = Tally()
        await load.run_closed(1, 3.0, alone)
        arrivals = Arrivals(0.8 * capacity, 0.8 * capacity, parsed.duration, seed=7)
        busy = Tally()
        await load.run_open(arrivals, busy)
        wait_ms = (busy.latency.mean_s - alone.latency.mean_s) * 1e3
        service_s = 1 / capacity
        checks = [
            ("capacity, requests/s", capacity, 1 / SERVICE_S, 0.05),
            (
                "mean wait at 80 %, ms: theory for these arrivals",
                wait_ms,
                lindley_wait_s(list(arrivals.times()), service_s) * 1e3,
                0.20,
            ),
            (
                "mean wait at 80 %, ms: M/D/1",
                wait_ms,
                0.8 * service_s / (2 * (1 - 0.8)) * 1e3,
                0.20,
            ),
        ]
        stalls = {}
        loop = asyncio.get_running_loop()
        for name in ("open loop at 20 requests/s", "closed loop of 1 caller"):
            tally = Tally()
            pids = tree_pids(pid)
            loop.call_later(3.0, _signal, pids, signal.SIGSTOP)
            loop.call_later(4.0, _signal, pids, signal.SIGCONT)
            if name.startswith("open"):
                await load.run_open(Arrivals(20, 20, 20.0, poisson=False), tally)
            else:
                await load.run_closed(1, 20.0, tally)
            stalls[name] = tally.latency.summary()
    stages = {
        name: histogram.mean_s * 1e3
        for name, histogram in full.stages.stages.items()
        if name in _IN_THE_SLOT
    }
    return {"checks": checks, "stall": stalls, "stages": stages, "slot_ms": service_s * 1e3}


def lindley_wait_s(times: list[float], service_s: float) -> float:
    """Return the mean wait before one server of constant service time, for given arrivals."""
    free_at = waited = 0.0
    for time_ in times:
        start = max(time_, free_at)
        waited += start - time_
        free_at = start + service_s
    return waited / len(times)


@contextlib.contextmanager
def one_slot(core: int) -> Iterator[tuple[Target, int]]:
    """Serve, in a child process, one request after the other, each in the same time."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setaffinity(0, {core})
            signal.alarm(600)
            _serve(listener)
        finally:
            os._exit(0)
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield Target("127.0.0.1", port), pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(listener: socket.socket) -> None:
    import select

    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    line: list[int] = []  # who waits, first come first
    busy_until = 0.0
    while True:
        now = time.perf_counter()
        if line and now >= busy_until:
            connections[line.pop(0)].sendall(_ANSWER)
            busy_until += SERVICE_S
        wait = max(0.0, busy_until - time.perf_counter()) if line else -1
        for fd, _ in poll.poll(wait):
            if fd == listener.fileno():
                connection, _ = listener.accept()
                connections[connection.fileno()] = connection
                poll.register(connection.fileno(), select.EPOLLIN)
                continue
            try:
                data = connections[fd].recv(65536)
            except OSError:
                data = b""
            if not data:
                poll.unregister(fd)
                connections.pop(fd).close()
                line = [waiting for waiting in line if waiting != fd]
            else:
                if not line:
                    busy_until = max(busy_until, time.perf_counter() + SERVICE_S)
                line.append(fd)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
