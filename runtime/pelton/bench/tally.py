"""What came of a step's requests: counts, latencies, error classes, a line an interval."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pelton.bench.histogram import Histogram
from pelton.bench.servertiming import HEADER, Stages
from pelton.compiled import Account

INTERVAL_S: Final = 0.25
_SAMPLES_PER_INTERVAL: Final = 250  # answers whose Server-Timing is read; parsing each would cost
_SERVED_BY: Final = re.compile(rb"\r\nserved-model-name:[ \t]*([^\r]*)", re.IGNORECASE)


@dataclass
class Interval:
    """What ended in one interval of a step.

    Attributes:
        at_s: end of the interval, seconds after the step's start.
        seconds: its length.
        good: right answers.
        bad: everything else that ended.
        p50_s: of the right answers' latencies, like the others; ``nan`` when there were none.
        in_flight: requests on the wire at its end.
        backlog: requests that were due and had no free connection, at its end.
        server: what the server's own metrics said then (queue, workers, ...).
    """

    at_s: float
    seconds: float
    good: int
    bad: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    in_flight: int = 0
    backlog: int = 0
    server: dict[str, float] = field(default_factory=dict)


class Tally(Account):
    """The account of one step. Owned by one event loop.

    Attributes:
        unsent: requests that were due and that this process did not come round to sending.
        good: right answers.
        errors: ``connect``, ``reset``, ``timeout``, ``wrong`` or a status code -> count.
        latency: all right answers.
        failed: answers that were not right (refusals, errors), how long they took.
        lateness: how late this generator itself sent: a measure of its own health.
        served_by: values of the header ``served-model-name`` among sampled answers.
        first_errors: class -> the first such answer's beginning, to show a person.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.in_window = 0
        self.rows = 0
        self.latencies = []
        self._until_sample = 1
        self.unsent = 0
        self.good = 0
        self.errors: Counter[str] = Counter()
        self.failures: list[float] = []
        self.late: list[float] = []
        self.latency = Histogram()
        self.failed = Histogram()
        self.lateness = Histogram()
        self.stages = Stages()
        self.intervals: list[Interval] = []
        self.served_by: Counter[str] = Counter()
        self.first_errors: dict[str, str] = {}
        self._stride = 1
        self._reported = 0.0
        self._bad_before = 0

    @property
    def bad(self) -> int:
        """Requests that ended in anything but a right answer."""
        return self.errors.total()

    def succeed(self, latency_s: float, head: bytes, rows: int, in_window: bool) -> None:
        """Count a right answer."""
        self.latencies.append(latency_s)
        self.in_window += in_window
        self.rows += rows
        self._until_sample -= 1
        if self._until_sample <= 0:
            self.sample(latency_s, head)

    def sample(self, latency_s: float, head: bytes) -> None:
        """Read what a right answer's head says, and set when the next one's is."""
        self._until_sample = max(self._stride, len(self.latencies) // _SAMPLES_PER_INTERVAL)
        if timing := HEADER.search(head):
            self.stages.take(latency_s, timing[1])
        if name := _SERVED_BY.search(head):
            self.served_by[name[1].decode("latin-1")] += 1

    def fail(self, kind: str, latency_s: float | None = None, detail: bytes = b"") -> None:
        """Count a request that did not get its right answer."""
        self.errors[kind] += 1
        if latency_s is not None:
            self.failures.append(latency_s)
        if kind not in self.first_errors:
            self.first_errors[kind] = detail[:400].decode("utf-8", "replace").strip()

    def close_interval(self, at_s: float, in_flight: int, backlog: int) -> Interval:
        """Move what was gathered since the last interval into the histograms; return the line."""
        now = Histogram()
        now.record(self.latencies)
        bad = self.bad
        interval = Interval(
            at_s=at_s,
            seconds=max(at_s - self._reported, 1e-9),
            good=now.total,
            bad=bad - self._bad_before,
            p50_s=now.percentile(50),
            p90_s=now.percentile(90),
            p99_s=now.percentile(99),
            max_s=now.max_s,
            in_flight=in_flight,
            backlog=backlog,
        )
        self.good += now.total
        self.latency.add(now)
        self.failed.record(self.failures)
        self.lateness.record(self.late)
        self.stages.settle()
        self._stride = max(1, now.total // _SAMPLES_PER_INTERVAL)
        self._reported, self._bad_before = at_s, bad
        for gathered in (self.latencies, self.failures, self.late):
            gathered.clear()
        self.intervals.append(interval)
        return interval
