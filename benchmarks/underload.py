"""Latency at half of capacity, and of small requests beside large ones of 16 MB. Open loop.

Half of capacity twice: server and generator on the same cores, and each on its own. There is one
large request in flight all the time, of another client: quick ones, which are dozens a second and
keep client and server busy with their transfer, and slow ones, which take a second or so of a slot
(one number is not there, so that MLflow's own way answers them). Either keeps one core busy, and on
two cores whatever does that is felt. So the small ones are measured beside another process, too,
that keeps a core busy and asks the server nothing: what that does to them is the machine's part.
Small ones come at random, or one after the other: at random, some come while another is answered,
and have the other slot unless a large one has it; the time in the queue stands beside the rest.
With --wire, latencies on the wire as well (tcpdump), which has no part in the generator's waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import wire
from benchmarks.cores import Cores
from benchmarks.models.cache import ensure
from benchmarks.neighbour import Asked, busy_core, large_requests
from benchmarks.run import PACKAGES
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served
from benchmarks.server import pelton
from pelton import platform
from pelton.bench import machine
from pelton.bench.arrival import Arrivals
from pelton.bench.histogram import Histogram
from pelton.bench.interruption import loop_run
from pelton.bench.tally import Tally
from pelton.errors import ConfigError

_CALLERS: Final = 64
_CONNECTIONS: Final = 256
_SMALL_PER_S: Final = 50.0
_HALVES: Final = {"shared": "on the same cores", "apart": "each on its own"}
_MANNERS: Final = {"random": f"{_SMALL_PER_S:.0f}/s at random", "single": "one after the other"}
_COMPANY: Final = {
    "alone": "alone",
    "quick": "beside quick ones of 16 MB",
    "slow": "beside slow ones of 16 MB",
    "busy": "beside a process that keeps a core busy",
}
_FIGURES: Final = {
    "p99_ms": "generator",
    "wire_p99_ms": "wire",
    "server_p99_ms": "server's account",
}
_CAUSES: Final = ("generator_late_p99_ms", "queue_p99_ms")
_HEADINGS: Final = (
    "".join(f"{name:<17}" for name in _FIGURES.values()) + "generator late   in the queue     large"
)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks underload", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=8.0, help="seconds of each measurement")
    parser.add_argument("--wire", action="store_true", help="needs tcpdump, and to be root")
    parser.add_argument(
        "--priority",
        choices=("usual", "realtime"),
        default="usual",
        help="of the server, and of the generator, which would wait for it otherwise",
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--flags", default="", help="of `pelton serve`: --flags='--cores apart'")
    parsed = parser.parse_args(argv)
    parsed.flags = f"--priority {parsed.priority} {parsed.flags}".strip()
    try:
        if parsed.wire:
            wire.require()
        if parsed.priority == "realtime":
            _run_in_real_time()
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    ensure("tiny", "wide1")
    divided = {policy: Cores.divide(policy) for policy in _HALVES}
    divided["shared"].pin_generator()
    result, interrupted = loop_run(lambda stop: _measure(parsed, divided, stop))
    if interrupted:
        print("interrupted: no medians", file=sys.stderr)
        return 128 + signal.SIGINT
    result |= {"machine": machine.describe(PACKAGES), "flags": parsed.flags}
    result |= {"cores": {policy: str(cores) for policy, cores in divided.items()}}
    if parsed.out:
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"medians of {parsed.rounds} rounds; p99 in ms")
    print(f"{'half of capacity, all but predict':<42} {_HEADINGS}")
    for policy, where in _HALVES.items():
        half = result[policy]
        about = f"{where}: half of {median(r['capacity_per_s'] for r in half):,.0f}/s"
        print(f"{about:<42} {_columns(half, half)}")
    for manner, how in _MANNERS.items():
        print(f"{f'small ones, {how}, 2 slots':<42} {_HEADINGS}")
        for key, company in _COMPANY.items():
            columns = _columns(result[f"{manner}_{key}"], result[f"{manner}_alone"])
            print(f"{company:<42} {columns}")
    return 1 if any(r["failed"] for key in _keys() for r in result[key]) else 0


def _keys() -> list[str]:
    return [*_HALVES, *(f"{manner}_{key}" for manner in _MANNERS for key in _COMPANY)]


def _columns(rounds: list[dict[str, Any]], alone: list[dict[str, Any]]) -> str:
    """Return the medians of all figures, and how much more they are than alone."""
    columns = []
    for key in _FIGURES:
        if any(key not in r for r in (*rounds, *alone)):
            columns.append("-")
            continue
        here, there = median(r[key] for r in rounds), median(r[key] for r in alone)
        columns.append(
            f"{here:.2f}" if rounds is alone else f"{here:.2f} ({here / there - 1:+.0%})"
        )
    for key in _CAUSES:
        known = all(key in r for r in rounds)
        columns.append(f"{median(r[key] for r in rounds):.2f}" if known else "-")
    return "".join(f"{column:<17}" for column in columns) + str(sum(r["large"] for r in rounds))


async def _measure(
    parsed: argparse.Namespace, divided: dict[str, Cores], stop: asyncio.Event
) -> dict[str, Any]:
    result: dict[str, Any] = {key: [] for key in _keys()}
    for _ in range(parsed.rounds):
        for policy, cores in divided.items():
            if not stop.is_set():
                await _half(parsed, cores, stop, result[policy])
        if not stop.is_set():
            await _beside(parsed, divided["shared"], stop, result)
    return result


async def _half(
    parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event, rounds: list[dict[str, Any]]
) -> None:
    """Find what a closed loop reaches on the 4-column model, then send half as many."""
    launched = pelton(*parsed.flags.split())
    async with (
        Served(launched, SCENARIOS["tiny"], cores.servers) as served,
        asyncio.TaskGroup() as tasks,
    ):
        load = served.load(tasks, connections=_CONNECTIONS, stop=stop)
        await load.run_closed(16, 2.0, Tally())
        # Connections that are opened once requests wait for them make others wait: a hundredth of
        # all requests, in the first tenth of a second.
        await load.run_closed(_CONNECTIONS, 1.0, Tally())
        _leave_to_the_collector_only_what_goes()
        capacity = Tally()
        await load.run_closed(_CALLERS, 3.0, capacity)
        rate = capacity.in_window / 3.0
        tally = Tally()
        if not stop.is_set():
            async with _wire(parsed, served.target.port) as seen:
                await load.run_open(Arrivals(rate / 2, rate / 2, parsed.duration), tally)
        load.close()
    if stop.is_set():
        return
    predict_ms = tally.stages.stages["predict"].mean_s * 1e3
    rounds.append(
        {
            "capacity_per_s": rate,
            "total_p99_ms": tally.latency.percentile(99) * 1e3,
            "p99_ms": tally.stages.added.percentile(99) * 1e3,
            "server_p99_ms": tally.stages.inside.percentile(99) * 1e3,
            "generator_late_p99_ms": tally.lateness.percentile(99) * 1e3,
            "queue_p99_ms": tally.stages.stages["queue"].percentile(99) * 1e3,
            "predict_ms": predict_ms,
            "large": 0,
            "failed": tally.sent - tally.good,
        }
        | ({"wire_p99_ms": seen.percentile(99) * 1e3 - predict_ms} if seen.total else {})
    )


async def _beside(
    parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event, result: dict[str, Any]
) -> None:
    """Send small requests in each kind of company."""
    launched = pelton("--concurrency", "2", *parsed.flags.split())
    async with (
        Served(launched, SCENARIOS["wide1"], cores.servers) as served,
        asyncio.TaskGroup() as tasks,
    ):
        target, small = served.target, served.requests[0].body
        load = served.load(tasks, connections=64, stop=stop)
        await load.run_closed(8, 2.0, Tally())
        _leave_to_the_collector_only_what_goes()
        company: dict[str, Callable[[], contextlib.AbstractContextManager[Asked]]] = {
            "alone": lambda: contextlib.nullcontext(Asked()),
            "quick": lambda: large_requests(target, small, cores.servers, is_slow=False),
            "slow": lambda: large_requests(target, small, cores.servers, is_slow=True),
            "busy": lambda: busy_core(cores.servers),
        }
        for manner, key in itertools.product(_MANNERS, _COMPANY):
            tally = Tally()
            with company[key]() as others:
                async with _wire(parsed, target.port) as seen:
                    if manner == "single":
                        await load.run_closed(1, parsed.duration, tally)
                    else:
                        arrivals = Arrivals(_SMALL_PER_S, _SMALL_PER_S, parsed.duration)
                        await load.run_open(arrivals, tally)
            if stop.is_set():
                break
            late = tally.lateness.percentile(99)
            result[f"{manner}_{key}"].append(
                {
                    "p99_ms": tally.latency.percentile(99) * 1e3,
                    "server_p99_ms": tally.stages.stages["total"].percentile(99) * 1e3,
                    "queue_p99_ms": tally.stages.stages["queue"].percentile(99) * 1e3,
                    "large": others.good,
                    "failed": tally.sent - tally.good + others.failed,
                }
                | ({"wire_p99_ms": seen.percentile(99) * 1e3} if seen.total else {})
                | ({"generator_late_p99_ms": late * 1e3} if manner == "random" else {})
            )
        load.close()


@contextlib.asynccontextmanager
async def _wire(parsed: argparse.Namespace, port: int) -> AsyncIterator[Histogram]:
    if not parsed.wire:
        yield Histogram()
        return
    async with wire.on_the_wire(port) as latencies:
        yield latencies


def _run_in_real_time() -> None:
    """Have the generator go before others; raises ``ConfigError`` if it may not."""
    if not platform.run_in_real_time(True):
        raise ConfigError("this system does not permit real time: be root, or `ulimit -r 1`")


def _leave_to_the_collector_only_what_goes() -> None:
    """A collection of all that is loaded would delay requests, by milliseconds."""
    gc.collect()
    gc.freeze()
