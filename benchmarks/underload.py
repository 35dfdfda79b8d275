"""Latency at half of capacity, and of small requests beside large ones of 16 MB. Open loop.

There is one large request in flight all the time: quick ones, which are dozens a second and keep
client and server busy with their transfer, and slow ones, which take a second or more of a slot
(one number is not there, so that MLflow's own way answers them). Either keeps one core busy, and on
two cores whatever does that is felt. So the small ones are measured beside another process, too,
that keeps a core busy and asks the server nothing: what that does to them is the machine's part.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cell import requests_of
from benchmarks.cores import Cores
from benchmarks.models.cache import ensure, model_path
from benchmarks.run import PACKAGES
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served
from benchmarks.server import servers
from pelton.bench import machine
from pelton.bench.arrival import Arrivals
from pelton.bench.interruption import loop_run
from pelton.bench.load import Load
from pelton.bench.request import Body, Mix, Request
from pelton.bench.tally import Tally

_CALLERS: Final = 64
_CONNECTIONS: Final = 256
_SMALL_PER_S: Final = 50.0
_LARGE_BYTES: Final = 15_900_000
_COMPANY: Final = {
    "alone": "alone",
    "quick": "beside quick ones of 16 MB",
    "slow": "beside slow ones of 16 MB",
    "busy": "beside a process that keeps a core busy",
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks underload", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=8.0, help="seconds of each measurement")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--flags", default="", help="of `pelton serve`: --flags='--cores apart'")
    parsed = parser.parse_args(argv)
    ensure("tiny", "wide1")
    cores = Cores.divide("shared")
    cores.pin_generator()
    result, _ = loop_run(lambda stop: _measure(parsed, cores, stop))
    result |= {"machine": machine.describe(PACKAGES), "cores": str(cores), "flags": parsed.flags}
    if parsed.out:
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"medians of {parsed.rounds} rounds; {cores}")
    half = result["half"]
    print(
        f"at half of {median(r['capacity_per_s'] for r in half):,.0f}/s: "
        f"p99 {median(r['p99_ms'] for r in half):.2f} ms, "
        f"all but predict {median(r['added_p99_ms'] for r in half):.2f} ms; "
        f"predict {median(r['predict_ms'] for r in half):.2f} ms on average; "
        f"by the server's own account all but predict "
        f"{median(r['server_added_p99_ms'] for r in half):.2f} ms, and the generator, which shares "
        f"a core with it, sends up to {median(r['generator_late_p99_ms'] for r in half):.2f} ms "
        f"late (p99)"
    )
    print(
        f"small requests ({_SMALL_PER_S:.0f}/s, 2 slots), p99 in ms; the generator sends both:\n"
        f"{'':<42} generator           server's account    generator late   large ones"
    )
    for key, company in _COMPANY.items():
        row, alone = result[key], result["alone"]
        print(
            f"{company:<42} {_against(row, alone, 'p99_ms'):<19} "
            f"{_against(row, alone, 'server_p99_ms'):<19} "
            f"{median(r['generator_late_p99_ms'] for r in row):<16.2f} "
            f"{sum(r['large'] for r in row)}"
        )
    return 0 if not result["failed"] else 1


def _against(rounds: list[dict[str, Any]], alone: list[dict[str, Any]], key: str) -> str:
    """Return the median of a figure, and how much more that is than alone."""
    here, there = median(r[key] for r in rounds), median(r[key] for r in alone)
    return f"{here:.2f}" if rounds is alone else f"{here:.2f} ({here / there - 1:+.0%})"


async def _measure(parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event) -> dict[str, Any]:
    result: dict[str, Any] = {"half": [], "failed": 0} | {key: [] for key in _COMPANY}
    for _ in range(parsed.rounds):
        if not stop.is_set():
            await _half(parsed, cores, stop, result)
        if not stop.is_set():
            await _neighbour(parsed, cores, stop, result)
    return result


async def _half(
    parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event, result: dict[str, Any]
) -> None:
    """Find what a closed loop reaches on the 4-column model, then send half as many."""
    scenario = SCENARIOS["tiny"]
    async with Served("tiny", cores, parsed.flags.split()) as child, asyncio.TaskGroup() as tasks:
        launch = servers()["pelton"].launch(model_path("tiny"), child.target.port, scenario)
        mix = Mix([request for request, _ in requests_of(launch, child.target, scenario)])
        load = Load(child.target, mix, tasks, connections=_CONNECTIONS, timeout_s=60.0, stop=stop)
        await load.run_closed(16, 2.0, Tally())
        # Connections that are opened once requests wait for them make others wait: a hundredth of
        # all requests, in the first tenth of a second.
        await load.run_closed(_CONNECTIONS, 1.0, Tally())
        _leave_to_the_collector_only_what_goes()
        capacity = Tally()
        await load.run_closed(_CALLERS, 3.0, capacity)
        rate = capacity.in_window / 3.0
        tally = Tally()
        await load.run_open(Arrivals(rate / 2, rate / 2, parsed.duration), tally)
        load.close()
    result["failed"] += tally.sent - tally.good
    result["half"].append(
        {
            "capacity_per_s": rate,
            "p99_ms": tally.latency.percentile(99) * 1e3,
            "added_p99_ms": tally.stages.added.percentile(99) * 1e3,
            "server_added_p99_ms": tally.stages.inside.percentile(99) * 1e3,
            "generator_late_p99_ms": tally.lateness.percentile(99) * 1e3,
            "predict_ms": tally.stages.stages["predict"].mean_s * 1e3,
        }
    )


async def _neighbour(
    parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event, result: dict[str, Any]
) -> None:
    """Send small requests in each kind of company."""
    scenario = SCENARIOS["wide1"]
    flags = ["--concurrency", "2", *parsed.flags.split()]
    duration_s = parsed.duration
    async with Served("wide", cores, flags) as child, asyncio.TaskGroup() as tasks:
        launch = servers()["pelton"].launch(model_path("wide"), child.target.port, scenario)
        small = [request for request, _ in requests_of(launch, child.target, scenario)]
        load = Load(child.target, Mix(small), tasks, connections=64, timeout_s=60.0, stop=stop)
        large = {
            kind: Load(
                child.target,
                Mix([Request(child.target, _large(small[0], is_slow=kind == "slow"))]),
                tasks,
                connections=1,
                timeout_s=60.0,
                stop=stop,
            )
            for kind in ("quick", "slow")
        }
        await load.run_closed(8, 2.0, Tally())
        for other in large.values():
            await other.run_closed(1, 1.0, Tally())
        _leave_to_the_collector_only_what_goes()
        for key in _COMPANY:
            tally, others = Tally(), Tally()
            arrivals = Arrivals(_SMALL_PER_S, _SMALL_PER_S, duration_s)
            runs = [load.run_open(arrivals, tally)]
            if key in large:
                runs.append(large[key].run_closed(1, duration_s, others))
            with _busy_core(cores) if key == "busy" else contextlib.nullcontext():
                await asyncio.gather(*runs)
            result["failed"] += tally.sent - tally.good + others.sent - others.good
            result[key].append(
                {
                    "p99_ms": tally.latency.percentile(99) * 1e3,
                    "server_p99_ms": tally.stages.stages["total"].percentile(99) * 1e3,
                    "generator_late_p99_ms": tally.lateness.percentile(99) * 1e3,
                    "large": others.good,
                }
            )
        for each in (load, *large.values()):
            each.close()


def _leave_to_the_collector_only_what_goes() -> None:
    """A collection of all that is loaded would delay requests, by milliseconds."""
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _busy_core(cores: Cores) -> Iterator[None]:
    """Run a process that computes, on the servers' cores."""
    process = multiprocessing.get_context("spawn").Process(target=_compute, args=(cores.servers,))
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _compute(cores: list[int]) -> None:
    os.sched_setaffinity(0, cores)
    while True:
        sum(range(10_000))


def _large(small: Request, *, is_slow: bool) -> Body:
    """Return a request of 16 MB with the columns of a small one.

    The fast path declines a slow one.
    """
    frame = json.loads(small.body.content)["dataframe_split"]
    row = json.dumps(frame["data"][0])
    rows = _LARGE_BYTES // (len(row) + 2)
    head = '{"dataframe_split": {"columns": ' + json.dumps(frame["columns"]) + ', "data": ['
    data = [row] * rows
    if is_slow:
        data[0] = json.dumps([float("nan"), *frame["data"][0][1:]])
    return Body((head + ", ".join(data) + "]}}").encode(), rows)
