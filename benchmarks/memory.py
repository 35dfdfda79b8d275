"""Memory of a whole server under load: pelton with several slots, `mlflow models serve` with one.

The proportional set size, so that what processes share counts once, of all processes of a server
together; its peak, read while callers ask.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cores import Cores
from benchmarks.models.cache import ensure
from benchmarks.run import PACKAGES
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served
from benchmarks.server import mlflow, pelton
from pelton.bench import machine
from pelton.bench.child import Server as Child
from pelton.bench.interruption import loop_run
from pelton.bench.load import Load
from pelton.bench.memory import slots_memory
from pelton.bench.tally import Tally

_CALLERS: Final = 16
_LOOK_S: Final = 0.25


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory", description=__doc__)
    parser.add_argument("--scenario", default="tiny", choices=list(SCENARIOS))
    parser.add_argument("--slots", type=int, default=4, help="of pelton")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=5.0, help="seconds of load in a round")
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args(argv)
    ensure(parsed.scenario)
    cores = Cores.divide("shared")
    cores.pin_generator()
    rounds, interrupted = loop_run(lambda stop: _measure(parsed, cores, stop))
    if interrupted:
        print("interrupted: no medians", file=sys.stderr)
        return 128 + signal.SIGINT
    if parsed.out:
        result = {"machine": machine.describe(PACKAGES), "rounds": rounds}
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{SCENARIOS[parsed.scenario].about}, {_CALLERS} callers, {parsed.rounds} rounds")
    for name in dict.fromkeys(r["server"] for r in rounds):
        mine = [r for r in rounds if r["server"] == name]
        peaks = [r["peak_mb"] for r in mine]
        print(
            f"{name:<18} peak PSS {median(peaks):,.0f} MB "
            f"({min(peaks):,.0f} to {max(peaks):,.0f}), "
            f"{mine[-1]['processes']} processes, {sum(r['failed'] for r in mine)} failed"
        )
    return 0 if all(r["failed"] == 0 for r in rounds) else 1


async def _measure(
    parsed: argparse.Namespace, cores: Cores, stop: asyncio.Event
) -> list[dict[str, Any]]:
    """Start each server afresh in each round: it has no memory of a round before."""
    scenario = SCENARIOS[parsed.scenario]
    launches = {
        f"pelton, {parsed.slots} slots": pelton("--concurrency", str(parsed.slots)),
        "mlflow, 1 worker": mlflow(1),
    }
    rounds: list[dict[str, Any]] = []
    for number in range(parsed.rounds):
        for name, launched in launches.items():
            if stop.is_set():
                break
            async with (
                Served(launched, scenario, cores.servers) as served,
                asyncio.TaskGroup() as tasks,
            ):
                load = served.load(tasks, connections=_CALLERS, stop=stop)
                peak = await _under(load, served.child, parsed.duration)
                load.close()
            rounds.append({"server": name, "round": number, **peak})
    return rounds


async def _under(load: Load, child: Child, duration_s: float) -> dict[str, Any]:
    """Load a server, and look at its memory meanwhile."""
    tally = Tally()
    running = asyncio.ensure_future(load.run_closed(_CALLERS, duration_s, tally))
    peak_mb, processes = 0.0, 0
    while not running.done():
        await asyncio.wait([running], timeout=_LOOK_S)
        found = slots_memory(child.pid)
        peak_mb, processes = max(peak_mb, sum(p["pss_mb"] for p in found)), len(found)
    await running
    return {
        "peak_mb": round(peak_mb, 1),
        "processes": processes,
        "failed": tally.sent - tally.good,
    }
