"""What is true of the endpoint at the moment of a scrape, for ``/metrics``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pelton import platform
from pelton.batching.dispatch import Dispatcher
from pelton.channel.bodies import SharedBodies
from pelton.deadline import Clock
from pelton.supervisor.handle import WorkerHandle
from pelton.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Gauges:
    """Adds the queue, the slots and what workers use to the metrics. Owned by one event loop.

    Args:
        supervisor: knows the workers.
        dispatcher: knows the queue.
        clock: monotonic seconds.
        bodies: the memory of large bodies, if they are not sent to workers.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        dispatcher: Dispatcher,
        clock: Clock,
        bodies: SharedBodies | None = None,
    ) -> None:
        self._bodies = bodies
        self._supervisor = supervisor
        self._dispatcher = dispatcher
        self._clock = clock
        self._cpu_s: Mapping[int, float] = {}
        self._scraped_at = clock()

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges of this moment; the processor's use is since the last scrape."""
        from prometheus_client.core import GaugeMetricFamily

        queue = self._dispatcher.statistics()
        workers = self._supervisor.workers()
        usage = self._supervisor.memory.usage.values()
        used, budget = sum(u.bytes for u in usage), sum(u.budget for u in usage)
        shared = self._bodies.memory_bytes if self._bodies is not None else 0
        for name, help, value in (
            ("provisioned_concurrent_requests_total", "Slots", queue.lanes),
            ("cpu_usage_percentage", "Workers' processor time", self._cpu_percent(workers)),
            ("mem_usage_percentage", "Of workers' memory budget", 100 * used / (budget or 1)),
            ("pelton_queue_requests", "Requests that wait for a slot", queue.queued),
            ("pelton_queue_bytes", "Their bodies", queue.queued_bytes),
            ("pelton_busy_slots", "Slots that run something", queue.running),
            ("pelton_worker_memory_bytes", "What workers use", used),
            ("pelton_shared_bodies_bytes", "Memory where workers read large bodies", shared),
        ):
            yield GaugeMetricFamily(name, help, value=value)
        by_state = GaugeMetricFamily("pelton_workers", "Workers by state", labels=("state",))
        for state, many in Counter(worker.state.value for worker in workers).items():
            by_state.add_metric((state,), many)
        yield by_state

    def _cpu_percent(self, workers: Iterable[WorkerHandle]) -> float:
        """Processor time of all workers, in percent of all usable cores."""
        now = self._clock()
        before, elapsed_s = self._cpu_s, max(now - self._scraped_at, 1e-6)
        pids = [worker.process.pid for worker in workers]
        self._cpu_s = {pid: s for pid in pids if (s := platform.cpu_seconds(pid)) is not None}
        self._scraped_at = now
        spent_s = sum(seconds - before.get(pid, 0.0) for pid, seconds in self._cpu_s.items())
        return 100 * max(0.0, spent_s) / elapsed_s / platform.usable_cores()
