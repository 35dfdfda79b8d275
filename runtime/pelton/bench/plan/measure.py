"""Runs a model at the few loads that a plan needs, and then the plan's own choice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from pelton.bench.arrival import Arrivals
from pelton.bench.child import Server, free_port, pelton_command
from pelton.bench.interruption import unless
from pelton.bench.load import Load
from pelton.bench.machine import memory_bytes, usable_cores
from pelton.bench.memory import role
from pelton.bench.plan.profile import Profile
from pelton.bench.process import Process, tree, tree_cpu_s
from pelton.bench.request import Mix, Request
from pelton.bench.slo import Objective
from pelton.bench.source import Bodies
from pelton.bench.tally import Tally

_WARM_UP_S: Final = 1.0
_TIMEOUT_S: Final = 30.0
_FILLING: Final = 64  # callers that fill batches
_DISTURBED_S: Final = 0.010
_SHARE_OF_MEMORY: Final = 0.8


@dataclass(frozen=True)
class Trial:
    """What came of running a choice at its rate.

    Attributes:
        slots: how many.
        batching: ``on`` (pelton's own choice, auto) or ``off``.
        offered: requests per second that were due.
        throughput: right answers per second.
        value_s: the objective's percentile, ``inf`` when it fell among the missed.
        missed: requests without a right answer.
        is_met: whether the objective was.
        late_s: how late this process itself sent (p99); when it waits for a core, so does a model.
    """

    slots: int
    batching: bool
    offered: float
    throughput: float
    value_s: float
    missed: int
    is_met: bool
    late_s: float = 0.0

    @property
    def is_disturbed(self) -> bool:
        """Whether something else used the machine, so that a miss proves nothing."""
        return self.late_s > _DISTURBED_S


class Bench:
    """Starts pelton on one model again and again, each time for one question.

    Args:
        model: its URI or folder.
        bodies: requests to send.
        serve_arguments: more arguments for ``pelton serve``.
        probe_s: length of a measurement.
        stop: set to end early.
    """

    def __init__(
        self,
        model: str,
        bodies: Bodies,
        serve_arguments: Sequence[str],
        *,
        probe_s: float,
        stop: asyncio.Event,
    ) -> None:
        self._model = model
        self._bodies = bodies
        self._serve_arguments = list(serve_arguments)
        self._probe_s = probe_s
        self._stop = stop

    async def profile(self) -> Profile:
        """Measure one slot alone, one slot batched, and two slots.

        Raises:
            ModelError: the model cannot be served.
            Interrupted: stopped.
        """
        async with self._served(1, batching=False) as (server, load):
            alone = Tally()
            await load.run_closed(1, self._probe_s, alone)
            cpu_before = tree_cpu_s(server.pid)
            full = Tally()
            await load.run_closed(4, self._probe_s, full)
            cpu_s = tree_cpu_s(server.pid) - cpu_before
            slot_per_s = full.in_window / self._probe_s
            load_s = server.start_s
            workers, front = _parted(tree(server.pid), 1)
        async with self._served(1, batching=True) as (server, load):
            batched = Tally()
            await load.run_closed(_FILLING, self._probe_s, batched)
            sizes = batched.stages.batch_sizes
            batched_per_s = batched.in_window / self._probe_s
            batched_workers, _ = _parted(tree(server.pid), 1)
        async with self._served(2, batching=False) as (server, load):
            two = Tally()
            await load.run_closed(8, self._probe_s, two)
            pair, _ = _parted(tree(server.pid), 2)
        latency = alone.latency
        # A batch's requests are counted once each, so its size weighs in with itself.
        batch = sum(sizes.values()) / max(1e-9, sum(c / n for n, c in sizes.items()))
        return Profile(
            alone_s=latency.mean_s,
            alone_p99_s=latency.percentile(99),
            service_s=1 / slot_per_s if slot_per_s else float("inf"),
            variability=(latency.stdev_s / latency.mean_s) ** 2,
            slot_per_s=slot_per_s,
            two_slots_per_s=two.in_window / self._probe_s,
            batched_per_s=batched_per_s,
            batch=batch if sizes else 1.0,
            cpu_share=cpu_s / self._probe_s,
            slot_bytes=max(p.rss_bytes for p in workers + batched_workers),
            shared_slot_bytes=int(median(p.pss_bytes for p in pair)),
            front_bytes=sum(p.pss_bytes for p in front),
            load_s=load_s,
            cores=len(usable_cores()),
        )

    async def trial(
        self, slots: int, *, batching: bool, rate: float, objective: Objective, duration_s: float
    ) -> Trial:
        """Run a choice at a rate, Poisson arrivals, and judge it.

        Raises:
            ModelError: the model cannot be served with so many slots.
        """
        async with self._served(slots, batching=batching) as (_, load):
            tally = Tally()
            sent_s = await load.run_open(Arrivals(rate, rate, duration_s), tally)
        missed = tally.sent - tally.good
        value_s = objective.value_s(tally.latency, missed)
        return Trial(
            slots=slots,
            batching=batching,
            offered=tally.sent / sent_s if sent_s else 0.0,
            throughput=tally.in_window / sent_s if sent_s else 0.0,
            value_s=value_s,
            missed=missed,
            is_met=value_s <= objective.limit_s,
            late_s=tally.lateness.percentile(99) if tally.lateness.total else 0.0,
        )

    @contextlib.asynccontextmanager
    async def _served(self, slots: int, *, batching: bool) -> AsyncIterator[tuple[Server, Load]]:
        """Serve the model and keep a warm load at hand."""
        port = free_port()
        per_slot = int(memory_bytes() * _SHARE_OF_MEMORY / slots)
        flags = ["--concurrency", str(slots), "--batching", "auto" if batching else "off"]
        flags += ["--memory-per-slot", str(per_slot), "--no-access-log", *self._serve_arguments]
        server = Server(pelton_command(self._model, port, flags), port)
        await unless(self._stop, server.start())
        mix = Mix(
            [Request(server.target, body) for body in self._bodies.bodies], self._bodies.shares
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                load = Load(
                    server.target,
                    mix,
                    tasks,
                    connections=256,
                    timeout_s=_TIMEOUT_S,
                    stop=self._stop,
                )
                await load.run_closed(2 * slots, _WARM_UP_S, Tally())
                yield server, load
                load.close()
        finally:
            await server.stop()


def _parted(processes: list[Process], slots: int) -> tuple[list[Process], list[Process]]:
    """Part a server's processes into its workers and the rest."""
    workers = [p for p in processes if role(p) == "worker"] or processes[-slots:]
    return workers, [p for p in processes if p not in workers]
