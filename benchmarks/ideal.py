"""How near pelton comes to the model itself: to predict alone, and to ideal batches.

- Predict alone: processes that do nothing but predict ready frames of 1,000 rows and 100 columns,
  one on each core and all at once, against pelton, which is sent them as 2 MB of JSON on the same
  cores. Batches may predict faster than one by one, so this is no bound, only a measure.
- Ideal batches: a batch of n takes 20 + 0.5 n ms. Slots that never wait, and share all callers
  equally, would answer n in that time each.

The load generator runs on the same cores, too, and is pelton's loss here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cores import Cores
from benchmarks.models.cache import ONE_THREAD, bodies_path, ensure, model_path
from benchmarks.run import PACKAGES
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served
from benchmarks.server import pelton
from pelton.bench import machine
from pelton.bench.interruption import loop_run
from pelton.bench.tally import Tally

_FIXED_S: Final = 0.020  # of the model `fixed`
_ROW_S: Final = 0.0005
_SLOTS: Final = (2, 5)
_MANY: Final = 128
_LARGE: Final = 32


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks ideal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=4.0, help="seconds of each measurement")
    parser.add_argument("--out", type=Path)
    parsed = parser.parse_args(argv)
    ensure("wide1000", "fixed")
    cores = Cores.divide("shared")
    cores.pin_generator()
    with _predictors(cores) as predictors:
        result, interrupted = loop_run(lambda stop: _measure(parsed, cores, predictors, stop))
    result |= {"machine": machine.describe(PACKAGES), "cores": str(cores)}
    if parsed.out:
        parsed.out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"medians of alternating rounds; {cores}")
    for name, rounds in result["measures"].items():
        shares = sorted(r["per_s"] / r["ideal_per_s"] for r in rounds)
        print(
            f"{name:<44} {median(r['per_s'] for r in rounds):>8,.0f}/s of "
            f"{median(r['ideal_per_s'] for r in rounds):>8,.0f}/s: {median(shares):.0%} "
            f"({shares[0]:.0%} to {shares[-1]:.0%} in {len(shares)} rounds)"
        )
    if interrupted:
        return 128 + signal.SIGINT
    return 0 if not result["failed"] else 1


async def _measure(
    parsed: argparse.Namespace, cores: Cores, predictors: list[Connection], stop: asyncio.Event
) -> dict[str, Any]:
    measures: dict[str, list[dict[str, float]]] = {}
    failed = 0

    async def closed(scenario: str, callers: int, flags: list[str]) -> float:
        nonlocal failed
        tally = await _closed(scenario, callers, flags, parsed.duration, cores, stop)
        failed += tally.sent - tally.good
        return tally.in_window / parsed.duration

    def note(name: str, per_s: float, ideal_per_s: float) -> None:
        if not stop.is_set():  # what was cut short counts for nothing
            measures.setdefault(name, []).append({"per_s": per_s, "ideal_per_s": ideal_per_s})

    for _ in range(parsed.rounds):
        if stop.is_set():
            break
        alone = await asyncio.to_thread(_predict, predictors, parsed.duration)
        per_s = await closed("wide1000", _LARGE, [])
        note("100 columns, 1,000 rows, of predict alone", per_s, alone)
        for slots in _SLOTS:
            if stop.is_set():
                break
            each = _MANY / slots
            ideal = slots * each / (_FIXED_S + _ROW_S * each)
            per_s = await closed("fixed", _MANY, ["--concurrency", str(slots)])
            note(f"20 ms + 0.5 ms a row, {slots} slots, of the ideal", per_s, ideal)
    return {"measures": measures, "failed": failed}


async def _closed(
    name: str,
    callers: int,
    flags: list[str],
    duration_s: float,
    cores: Cores,
    stop: asyncio.Event,
) -> Tally:
    scenario = SCENARIOS[name]
    tally = Tally()
    async with (
        Served(pelton(*flags), scenario, cores.servers) as served,
        asyncio.TaskGroup() as tasks,
    ):
        load = served.load(tasks, connections=callers, stop=stop)
        await load.run_closed(callers, 2.0, Tally())
        await load.run_closed(callers, duration_s, tally, lead_s=0.5)
        load.close()
    return tally


@contextmanager
def _predictors(cores: Cores) -> Iterator[list[Connection]]:
    """Start a process a core that predicts when it is told to; each at its end of a connection."""
    spawn = multiprocessing.get_context("spawn")
    processes, ours = [], []
    before = dict(os.environ)
    os.environ |= ONE_THREAD
    try:
        for core in cores.servers:
            own, other = spawn.Pipe()
            process = spawn.Process(target=_predictor, args=(core, other), daemon=True)
            process.start()
            processes.append(process)
            ours.append(own)
        for own in ours:
            own.recv()
        yield ours
    finally:
        for name in ONE_THREAD:
            os.environ.pop(name, None)
        os.environ.update(before)
        for process in processes:
            process.kill()
            process.join()


def _predict(predictors: list[Connection], duration_s: float) -> float:
    """Return how many frames a second all of them predict together."""
    for predictor in predictors:
        predictor.send(duration_s)
    return sum(predictor.recv() for predictor in predictors)


def _predictor(core: int, parent: Connection) -> None:
    import mlflow
    import pandas as pd

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent's to heed
    os.sched_setaffinity(0, {core})
    scenario = SCENARIOS["wide1000"]
    frames = []
    for line in bodies_path(scenario).read_text().splitlines():
        split = json.loads(line)["request"]["dataframe_split"]
        frames.append(pd.DataFrame(split["data"], columns=split["columns"]))
    model = mlflow.pyfunc.load_model(str(model_path(scenario.model)))
    predict = model._model_impl.predict  # the flavor's own, past what MLflow puts before it
    for frame in frames:
        predict(frame)
    parent.send(True)
    while True:
        duration_s = parent.recv()
        done, started = 0, time.perf_counter()
        while time.perf_counter() < started + duration_s:
            predict(frames[done % len(frames)])
            done += 1
        parent.send(done / (time.perf_counter() - started))
