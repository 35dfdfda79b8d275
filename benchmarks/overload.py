"""200 callers on one slot of 50 ms with a queue of 20: who is answered, who refused, how fast."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.cores import Cores
from benchmarks.models.cache import ONE_THREAD, ensure, model_path
from benchmarks.run import PACKAGES
from pelton.bench import machine, process
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port, pelton_command
from pelton.bench.histogram import Histogram
from pelton.bench.interruption import loop_run
from pelton.bench.load import Load
from pelton.bench.quantity import show_duration
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally

SERVICE_S = 0.050
_PING_EVERY_S = 0.01


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks overload", description=__doc__)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--queue-limit", type=int, default=20)
    parser.add_argument("--duration", type=float, default=20.0)
    parser.add_argument(
        "--pause", type=float, default=0.1, help="seconds a refused caller waits; 0 = none at all"
    )
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args(argv)
    ensure("fifty")
    cores = Cores.divide("shared")
    cores.pin_generator()
    result, _ = loop_run(lambda stop: _measure(parsed, cores, stop))
    result |= {"machine": machine.describe(PACKAGES), "cores": str(cores)}
    if parsed.out:
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{parsed.callers} callers, 1 slot of 50 ms, queue of {parsed.queue_limit}; {cores}")
    for name in ("answers", "answered", "refused", "ping"):
        print(f"  {name:<10} {result[name + '_text']}")
    start, end = result["front_rss_mb"]
    print(f"  front end  {start:.1f} MB resident before, {end:.1f} MB after")
    return 0 if set(result["answers"]) <= {"200", "429"} else 1


async def _measure(parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event) -> dict[str, Any]:
    port = free_port()
    flags = ["--env", "local", "--concurrency", "1", "--queue-limit", str(parsed.queue_limit)]
    flags += ["--batching", "off", "--no-access-log", "--log-level", "warning"]
    command = pelton_command(str(model_path("fifty")), port, flags)
    child = Child(command, port, environment=ONE_THREAD, cores=cores.servers)
    await child.start()
    body = Body(json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}).encode())
    tally = Tally()
    try:
        async with asyncio.TaskGroup() as tasks:
            load = Load(
                child.target,
                Mix([Request(child.target, body)]),
                tasks,
                connections=parsed.callers,
                timeout_s=60.0,
                stop=stop,
            )
            await load.run_closed(1, 1.0, Tally())
            before = process.tree(child.pid)[0].rss_bytes
            pinger = Pinger(port, parsed.duration, cores.generator)
            await load.run_closed(parsed.callers, parsed.duration, tally, pause_s=parsed.pause)
            ping = pinger.result()
            after = process.tree(child.pid)[0].rss_bytes
            load.close()
    finally:
        await child.stop()
    ideal = parsed.duration / SERVICE_S
    return {
        "answers": {"200": tally.good, **dict(tally.errors)},
        "answers_text": ", ".join(
            f"{kind}: {n:,}" for kind, n in {"200": tally.good, **tally.errors}.items()
        )
        + f" (one slot could answer {ideal:.0f} in this time)",
        "latency": tally.latency.summary(),
        "answered_text": _text(tally.latency),
        "refused_latency": tally.failed.summary(),
        "refused_text": _text(tally.failed),
        "ping": ping.summary(),
        "ping_text": _text(ping),
        "front_rss_mb": [round(before / 1e6, 1), round(after / 1e6, 1)],
    }


class Pinger:
    """Asks ``/ping`` again and again in a process of its own, which the load cannot delay.

    Args:
        port: of the server.
        duration_s: how long.
        core: where to run.
    """

    def __init__(self, port: int, duration_s: float, core: int) -> None:
        self._read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self._read)
                os.sched_setaffinity(0, {core})
                os.setpriority(
                    os.PRIO_PROCESS, 0, -10
                )  # its own wait for a core is not the server's
            except OSError:
                pass
            try:
                os.write(write, json.dumps(_ping(port, duration_s)).encode())
            except Exception as error:  # a child must not run its parent's code
                os.write(2, f"ping: {error!r}\n".encode())
            finally:
                os._exit(0)
        os.close(write)

    def result(self) -> Histogram:
        """Wait for its end and return the round trips."""
        with os.fdopen(self._read, "rb") as pipe:
            times = json.loads(pipe.read() or b"[]")
        os.waitpid(self._pid, 0)
        histogram = Histogram()
        histogram.record(times)
        return histogram


def _ping(port: int, duration_s: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + duration_s
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while time.perf_counter() < end and len(times) < 5000:
        start = time.perf_counter()
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"/ping answers {answer.status}")
        times.append(round(time.perf_counter() - start, 6))
        time.sleep(_PING_EVERY_S)
    connection.close()
    return times


def _text(histogram: Histogram) -> str:
    if not histogram.total:
        return "none"
    p50, p99 = (show_duration(histogram.percentile(p)) for p in (50, 99))
    return f"{histogram.total:,}: p50 {p50}, p99 {p99}, max {show_duration(histogram.max_s)}"
