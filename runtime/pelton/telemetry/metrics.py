"""What happened, counted: noted in a few list operations, added up now and then and for a scrape.

Names: those of Databricks' metrics export where they exist (its ``_count_total`` gauges are
counts of the last minute), and ``pelton_*`` counters and histograms beside them. Label sets are
closed: nothing a caller or a model says becomes a label.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120,
)  # fmt: skip
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_WINDOW_S: Final = 60
_MAX_NOTES: Final = 256


Prediction = tuple[float, float, int]
_Note = tuple[float, int, str, str, float, Prediction | None]


class Histogram:
    """Counts per bucket. ``bounds`` are upper bounds, inclusive; +Inf is implied."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, values: list[float]) -> None:
        """Count values; they are sorted in place."""
        values.sort()
        self.sum += sum(values)
        before = 0
        for bucket, bound in enumerate(self.bounds):
            upto = bisect_right(values, bound, before)
            self.counts[bucket] += upto - before
            before = upto
        self.counts[-1] += len(values) - before

    def buckets(self, scale: float = 1.0) -> list[tuple[str, float]]:
        """Return cumulative (upper bound, count) pairs, bounds times ``scale``."""
        pairs, total = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            text = "+Inf" if bound == float("inf") else f"{bound * scale:g}"
            pairs.append((text, float(total)))
        return pairs


class LastMinute:
    """Counts of the last minute, by second of the clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: deque[list[int]] = deque()  # [second, all, 4xx, 5xx]

    def count(self, second: int, status: int, many: int) -> None:
        """Count answers of one second, the last one or a later one."""
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0, 0])
            self._forget(second)
        slot = self._seconds[-1]
        slot[1] += many
        if status >= 500:
            slot[3] += many
        elif status >= 400:
            slot[2] += many

    def totals(self) -> tuple[int, int, int]:
        """Return (all, 4xx, 5xx) of the last 60 s."""
        self._forget(int(self._clock()))
        return (
            sum(s[1] for s in self._seconds),
            sum(s[2] for s in self._seconds),
            sum(s[3] for s in self._seconds),
        )

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] <= now - _WINDOW_S:
            self._seconds.popleft()


class Metrics:
    """All counters of a server. Owned by one event loop.

    What is counted for each request is noted in a list, which is added up when it is long, and for
    a scrape.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.last_minute = LastMinute(clock)
        self.answers: Counter[tuple[int, str, str]] = Counter()
        self.request_s = Histogram(SECONDS)
        self.queue_s = Histogram(SECONDS)
        self.predict_s = Histogram(SECONDS)
        self.batch_requests = Histogram(BATCH_SIZES)
        self._notes: list[_Note] = []
        self.events: dict[tuple[str, str], int] = {}
        self._collectors: list[Callable[[], Iterable[Metric]]] = []

    def answered(
        self,
        now: float,
        status: int,
        outcome: str,
        path: str,
        total_s: float,
        prediction: Prediction | None = None,
        many: int = 1,
    ) -> None:
        """Count an answer that went to a caller.

        Args:
            now: instant of the answer, in seconds on the clock.
            status: HTTP status; 499 where the client had gone.
            outcome: the error's code, or "ok" or "model_error".
            path: "fast", "oracle" or "none".
            total_s: from the request's headers to its answer, in seconds.
            prediction: how long it waited for a slot and was predicted, in seconds, and with how
                many, itself among them; ``None`` if it was not.
            many: so many answers of which all of this is true.
        """
        self._notes += [(now, status, outcome, path, total_s, prediction)] * many
        if len(self._notes) >= _MAX_NOTES:
            self._add_up()

    def _add_up(self) -> None:
        notes, self._notes = self._notes, []
        self.answers += Counter([note[1:4] for note in notes])
        by_second = Counter([(int(note[0]), note[1]) for note in notes])
        for (second, status), many in sorted(by_second.items()):
            self.last_minute.count(second, status, many)
        self.request_s.observe([note[4] for note in notes])
        predictions = [note[5] for note in notes if note[5] is not None]
        self.queue_s.observe([queue_s for queue_s, _, _ in predictions])
        self.predict_s.observe([predict_s for _, predict_s, _ in predictions])
        self.batch_requests.observe([requests for _, _, requests in predictions])

    def event(self, kind: str, name: str) -> None:
        """Count a life-cycle event, such as ("worker", "failed")."""
        key = (kind, name)
        self.events[key] = self.events.get(key, 0) + 1

    def add_collector(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Have ``collect`` add metrics at each scrape."""
        self._collectors.append(collect)

    def render(self) -> bytes:
        """Return the Prometheus text exposition."""
        from prometheus_client import CollectorRegistry, generate_latest

        self._add_up()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._collect()))
        return generate_latest(registry)

    def _collect(self) -> Iterable[Metric]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        total, client_errors, server_errors = self.last_minute.totals()
        for name, help, value in (
            ("request_count_total", "Requests of the last minute", total),
            ("request_4xx_count_total", "4xx answers of the last minute", client_errors),
            ("request_5xx_count_total", "5xx answers of the last minute", server_errors),
        ):
            yield GaugeMetricFamily(name, help, value=value)
        for name, help, histogram, scale in (
            ("request_latency_ms", "From headers to answer", self.request_s, 1000.0),
            ("model_queue_time_ms", "Wait for a slot", self.queue_s, 1000.0),
            ("model_prediction_latency_ms", "Prediction", self.predict_s, 1000.0),
            ("pelton_request_seconds", "From headers to answer", self.request_s, 1.0),
            ("pelton_queue_seconds", "Wait for a slot", self.queue_s, 1.0),
            (
                "pelton_predict_seconds",
                "Prediction, parsing and encoding apart",
                self.predict_s,
                1.0,
            ),
            ("pelton_batch_requests", "Requests predicted together", self.batch_requests, 1.0),
        ):
            yield HistogramMetricFamily(
                name, help, buckets=histogram.buckets(scale), sum_value=histogram.sum * scale
            )
        answers = CounterMetricFamily(
            "pelton_requests", "Answers", labels=("status", "outcome", "path")
        )
        for (status, outcome, path), count in self.answers.items():
            answers.add_metric((str(status), outcome, path), count)
        yield answers
        events = CounterMetricFamily(
            "pelton_lifecycle_events", "Changes of state", labels=("kind", "state")
        )
        for (kind, state), count in self.events.items():
            events.add_metric((kind, state), count)
        yield events
        for collect in self._collectors:
            yield from collect()


class _Collected:
    """What prometheus_client wants of a collector."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
