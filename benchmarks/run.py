"""Scenarios x servers in interleaved rounds; every figure lands in one JSON file."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.cell import measure
from benchmarks.compare import table
from benchmarks.cores import Cores
from benchmarks.models.cache import ROOT, ensure
from benchmarks.scenario import SCENARIOS, Scenario
from benchmarks.server import Server, servers
from pelton.bench import machine
from pelton.bench.interruption import loop_run
from pelton.errors import PeltonError

RESULTS: Final = ROOT / "benchmarks" / "results.json"
PACKAGES: Final = (
    *("pelton", "mlflow", "numpy", "pandas", "scikit-learn", "lightgbm", "torch"),
    *("uvloop", "httptools", "uvicorn", "starlette", "orjson"),
)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks run", description=__doc__)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="comma-separated")
    parser.add_argument("--servers", help="comma-separated (default: all that can be run)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, help="seconds each, instead of the scenario's")
    parser.add_argument("--concurrency", help="comma-separated, instead of the scenario's")
    parser.add_argument("--cores", choices=("shared", "apart"), default="shared")
    parser.add_argument(
        "--append",
        action="store_true",
        help="keep what the file has of other scenarios (all servers of a scenario run together)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser


class Results:
    """What was measured so far, on disk after every measurement."""

    def __init__(self, path: Path, settings: dict[str, Any], chosen: dict[str, Server]) -> None:
        self._path = path
        self.value: dict[str, Any] = {
            "schema": 1,
            "command": "python -m benchmarks run " + " ".join(sys.argv[2:]),
            "settings": settings,
            "machine": machine.describe(PACKAGES),
            "servers": {
                name: {"about": server.about, "version": None, "why_not": server.why_not()}
                for name, server in chosen.items()
            },
            "cells": [],
            "failures": [],
        }
        for name, server in chosen.items():
            if self.value["servers"][name]["why_not"] is None:
                self.value["servers"][name]["version"] = server.version()

    def keep(self, scenarios: set[str]) -> None:
        """Take over what an earlier run on this machine has measured of other scenarios."""
        if not self._path.is_file():
            return
        before = json.loads(self._path.read_text())
        for key in ("cells", "failures"):
            self.value[key] = [c for c in before[key] if c["scenario"] not in scenarios]
        self.value["servers"] = {**before["servers"], **self.value["servers"]}
        self.value["command"] = before["command"] + "; " + self.value["command"]

    def add(self, kind: str, entry: dict[str, Any]) -> None:
        self.value[kind].append(entry)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.value, indent=1) + "\n")


def main(argv: list[str]) -> int:
    parsed = parser().parse_args(argv)
    scenarios = [_adjusted(SCENARIOS[name], parsed) for name in parsed.scenarios.split(",")]
    known = servers()
    names = parsed.servers.split(",") if parsed.servers else list(known)
    chosen = {name: known[name] for name in names}
    cores = Cores.divide(parsed.cores)
    print("models and the answers that MLflow itself gives", flush=True)
    ensure(*(scenario.name for scenario in scenarios))
    settings = {"rounds": parsed.rounds, "cores": str(cores), "warm_up_s": 2.0}
    results = Results(parsed.out, settings, chosen)
    if parsed.append:
        results.keep({scenario.name for scenario in scenarios})
    for name, server in results.value["servers"].items():
        if server["why_not"]:
            print(f"not run: {name}: {server['why_not']}", flush=True)
    runnable = [s for s in chosen.values() if results.value["servers"][s.name]["why_not"] is None]
    cores.pin_generator()
    print(f"{cores}; {parsed.rounds} rounds", flush=True)
    _, interrupted = loop_run(
        lambda stop: _rounds(stop, parsed.rounds, scenarios, runnable, cores, results)
    )
    print(table(results.value), flush=True)
    if interrupted:
        return 128 + signal.SIGINT
    return 1 if results.value["failures"] else 0


async def _rounds(
    stop: asyncio.Event,
    rounds: int,
    scenarios: list[Scenario],
    runnable: list[Server],
    cores: Cores,
    results: Results,
) -> None:
    """Take every server in turn, so that a drift of the machine meets all of them alike."""
    for scenario in scenarios:
        for round_ in range(rounds):
            for server in turn(runnable, scenario, round_):
                if stop.is_set():
                    return
                where = {"scenario": scenario.name, "server": server.name, "round": round_}

                def report(figures: dict[str, Any], where: dict[str, Any] = where) -> None:
                    results.add("cells", {**where, **figures})
                    print(_line({**where, **figures}), flush=True)

                try:
                    await measure(server, scenario, cores.servers, report)
                except (PeltonError, OSError, TimeoutError) as error:
                    results.add("failures", {**where, "why": f"{error}"[-1500:]})
                    last = f"{error}".strip().splitlines()[-1][:300]
                    print(f"{scenario.name:<9} {server.name:<12} FAILED: {last}", flush=True)


def turn(runnable: list[Server], scenario: Scenario, round_: int) -> list[Server]:
    """Return the servers of a scenario in a round's order: each round begins with another one."""
    here = [server for server in runnable if server.serves(scenario)]
    first = round_ % len(here) if here else 0
    return here[first:] + here[:first]


def _adjusted(scenario: Scenario, parsed: argparse.Namespace) -> Scenario:
    from dataclasses import replace

    if parsed.duration:
        scenario = replace(scenario, duration_s=parsed.duration)
    if parsed.concurrency:
        callers = tuple(int(c) for c in parsed.concurrency.split(","))
        scenario = replace(scenario, concurrency=callers)
    return scenario


def _line(cell: dict[str, Any]) -> str:
    p50, p99 = cell["p50_ms"], cell["p99_ms"]
    bad = cell["sent"] - cell["good"]
    return (
        f"{cell['scenario']:<9} {cell['server']:<12} round {cell['round']} "
        f"c={cell['concurrency']:<4} {cell['per_s']:>9,.1f}/s  p50 {p50} p99 {p99} ms  "
        f"{cell['server_cpu_us']:,.0f} us CPU  {cell['pss_mb']:,.0f} MB"
        + (f"  {bad} BAD {cell['errors']}" if bad else "")
        + (f"  foreign {cell['foreign_cores']}" if cell["foreign_cores"] > 0.12 else "")
    )
