"""One measurement: a server, a scenario, every concurrency; started, checked, loaded, stopped."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.scenario import Scenario
from benchmarks.served import Served
from benchmarks.server import Server
from pelton.bench import machine
from pelton.bench.load import Load
from pelton.bench.memory import slots_memory
from pelton.bench.process import machine_busy_s, tree_cpu_s
from pelton.bench.tally import Tally

WARM_UP_S: Final = 2.0
_WARM_UP_CONCURRENCY: Final = 16
_LEAD_S: Final = 0.5  # callers begin all at once; after it they are as spread as they will be
_QUIET_TRIES: Final = 8
_QUIET_S: Final = 0.5
_QUIET_CORES: Final = 0.25


async def measure(
    server: Server,
    scenario: Scenario,
    cores: list[int],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Start a server, check it, load it at each concurrency, stop it.

    Args:
        server: which server.
        scenario: which workload.
        cores: where the server may run.
        report: called with each concurrency's figures.

    Raises:
        ModelError: the server did not start.
        WrongAnswer: it answers something else than the model.
    """
    async with (
        Served(server.launch, scenario, cores) as served,
        asyncio.TaskGroup() as tasks,
    ):
        child = served.child
        load = served.load(tasks, connections=max(scenario.concurrency))
        gc.collect()
        gc.freeze()  # the answers that are known are many objects; collecting them takes long
        try:
            await load.run_closed(_WARM_UP_CONCURRENCY, WARM_UP_S, Tally())
            for concurrency in scenario.concurrency:
                figures = await _at(load, concurrency, scenario.duration_s, child.pid)
                report({"concurrency": concurrency, "start_s": child.start_s, **figures})
        finally:
            load.close()


async def _at(load: Load, concurrency: int, duration_s: float, pid: int) -> dict[str, Any]:
    """Measure one concurrency; everything that could make the figure doubtful stands beside it."""
    await _quiet(pid)
    calibration_ms = machine.calibrate_ms()
    tally = Tally()
    spent = Spent(pid)
    lead_s = min(_LEAD_S, duration_s)
    await load.run_closed(concurrency, duration_s, tally, lead_s=lead_s, on_counting=spent.begin)
    cores = spent.cores()
    seconds = spent.seconds()
    memory = slots_memory(pid)
    latency = tally.latency
    return {
        "per_s": round(tally.in_window / duration_s, 2),
        "rows_per_s": round(tally.rows / seconds, 1),
        "sent": tally.sent,
        "good": tally.good,
        "errors": dict(tally.errors),
        "p50_ms": round(latency.percentile(50) * 1e3, 3) if latency.total else None,
        "p99_ms": round(latency.percentile(99) * 1e3, 3) if latency.total else None,
        "server_cpu_us": round(cores["server_cores"] * seconds / max(1, tally.good) * 1e6, 1),
        **{name: round(share, 3) for name, share in cores.items()},
        "calibration_ms": calibration_ms,
        "pss_mb": round(sum(p["pss_mb"] for p in memory), 1),
        "rss_mb": round(sum(p["rss_mb"] for p in memory), 1),
        "processes": len(memory),
        "stages_ms": {name: round(h.mean_s * 1e3, 4) for name, h in tally.stages.stages.items()},
        "batch_mean": _batch_mean(tally),
    }


async def _quiet(pid: int) -> None:
    """Wait a little while others use the machine; what they use meanwhile is recorded anyway."""
    for _ in range(_QUIET_TRIES):
        spent = Spent(pid)
        await asyncio.sleep(_QUIET_S)
        if spent.cores()["foreign_cores"] < _QUIET_CORES:
            return


def _batch_mean(tally: Tally) -> float | None:
    sizes = tally.stages.batch_sizes
    total = sum(sizes.values())
    return round(sum(n * c for n, c in sizes.items()) / total, 2) if total else None


class Spent:
    """Processor time from now on: the server's, this process's, everybody else's.

    Args:
        pid: of the server; its descendants count as it.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.begin()

    def begin(self) -> None:
        """Forget what was used until now."""
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        return machine_busy_s(), process_time(), tree_cpu_s(self._pid), perf_counter()

    def seconds(self) -> float:
        """Wall-clock seconds since the start."""
        return perf_counter() - self._before[3]

    def cores(self) -> dict[str, float]:
        """Cores used on average since the start."""
        busy, mine, theirs, seconds = (
            after - before for after, before in zip(self._read(), self._before, strict=True)
        )
        return {
            "server_cores": theirs / seconds,
            "generator_cores": mine / seconds,
            "foreign_cores": max(0.0, busy - mine - theirs) / seconds,
        }
