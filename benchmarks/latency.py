"""One caller on the 4-column scikit-learn model: `mlflow models serve` and pelton side by side.

pelton with and without a core of its own for the front end. Of its latency, what is not the model's
predict is shown apart: each request's own, sampled.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cores import Cores
from benchmarks.models.cache import ensure
from benchmarks.run import PACKAGES
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served
from benchmarks.server import servers
from pelton.bench import machine
from pelton.bench.interruption import loop_run
from pelton.bench.tally import Tally

_NAMES = ("mlflow", "pelton", "pelton-apart")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--scenario", default="tiny", choices=list(SCENARIOS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds of each round")
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args(argv)
    ensure(parsed.scenario)
    known, scenario = servers(), SCENARIOS[parsed.scenario]
    names = [name for name in _NAMES if known[name].serves(scenario)]
    cores = Cores.divide("shared")
    cores.pin_generator()
    rounds, _ = loop_run(lambda stop: _measure(parsed, names, cores, stop))
    result = {"machine": machine.describe(PACKAGES), "cores": str(cores), "rounds": rounds}
    if parsed.out:
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{scenario.about}, one caller, {parsed.rounds} alternating rounds; {cores}")
    print(f"{'':<12} {'p50 ms':>18} {'p99 ms':>18} {'requests/s':>11} {'wrong or failed':>16}")
    for name in names:
        mine = [r for r in rounds if r["server"] == name]
        if not mine:
            continue
        print(
            f"{name:<12} {_spread(mine, 'p50_ms'):>18} {_spread(mine, 'p99_ms'):>18} "
            f"{median(r['per_s'] for r in mine):>11,.0f} {sum(r['failed'] for r in mine):>16}"
        )
        stages = mine[-1]["stages_ms"]
        if stages:
            print(
                f"  all but predict {_spread(mine, 'added_p50_ms')} {_spread(mine, 'added_p99_ms')}"
            )
            print("  means: " + ", ".join(f"{n} {v:.3f}" for n, v in stages.items()) + " ms")
    return 0 if all(r["failed"] == 0 for r in rounds) else 1


async def _measure(
    parsed: argparse.Namespace, names: list[str], cores: Cores, stop: asyncio.Event
) -> list[dict[str, Any]]:
    """Keep the servers running and take them in turn: an idle one costs nothing."""
    scenario = SCENARIOS[parsed.scenario]
    known = servers()
    rounds: list[dict[str, Any]] = []
    async with contextlib.AsyncExitStack() as running:
        started = {
            name: await running.enter_async_context(
                Served(known[name].launch, scenario, cores.servers)
            )
            for name in names
        }
        async with asyncio.TaskGroup() as tasks:
            loads = {
                name: served.load(tasks, connections=1, stop=stop)
                for name, served in started.items()
            }
            for load in loads.values():
                await load.run_closed(1, 2.0, Tally())
            for number in range(parsed.rounds):
                for name in names if number % 2 else reversed(names):
                    if stop.is_set():
                        break
                    calibration_ms = machine.calibrate_ms()
                    tally = Tally()
                    await loads[name].run_closed(1, parsed.duration, tally)
                    rounds.append(
                        {
                            "server": name,
                            "round": number,
                            "calibration_ms": calibration_ms,
                            "per_s": round(tally.in_window / parsed.duration, 1),
                            "p50_ms": round(tally.latency.percentile(50) * 1e3, 3),
                            "p99_ms": round(tally.latency.percentile(99) * 1e3, 3),
                            "added_p50_ms": round(tally.stages.added.percentile(50) * 1e3, 3),
                            "added_p99_ms": round(tally.stages.added.percentile(99) * 1e3, 3),
                            "failed": tally.sent - tally.good,
                            "stages_ms": {
                                stage: round(h.mean_s * 1e3, 4)
                                for stage, h in tally.stages.stages.items()
                            },
                        }
                    )
            for load in loads.values():
                load.close()
    return rounds


def _spread(rounds: list[dict[str, Any]], key: str) -> str:
    values = [r[key] for r in rounds]
    return f"{median(values):.2f} [{min(values):.2f}–{max(values):.2f}]"
