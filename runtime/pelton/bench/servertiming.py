"""The ``Server-Timing`` header: where the server says that a request's time went.

Read leniently: names in any case, durations in milliseconds as the standard says, a description in
or out of quotes; what cannot be read is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pelton.bench.histogram import Histogram

HEADER: Final = re.compile(rb"\r\nserver-timing:[ \t]*([^\r]*)", re.IGNORECASE)
_BATCH_NAMES: Final = ("batch", "batch_size", "batch-size", "rows", "batch_rows", "batch-rows")


def parse(header: str) -> dict[str, tuple[float | None, str | None]]:
    """Split a header's value into name -> (duration in milliseconds, description)."""
    found: dict[str, tuple[float | None, str | None]] = {}
    for metric in header.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        if not name:
            continue
        duration: float | None = None
        description: str | None = None
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            value = value.strip().strip('"')
            if key.strip().lower() == "dur":
                try:
                    duration = float(value)
                except ValueError:
                    continue
            elif key.strip().lower() == "desc":
                description = value
        found[name.lower()] = (duration, description)
    return found


@dataclass
class Stages:
    """What a step's answers said about their time: one histogram a stage, and the batch sizes.

    Attributes:
        stages: name -> histogram of its durations.
        batch_sizes: size of the batch that a request was in -> how many requests.
        added: each latency less its own ``predict``: what everything else took.
        inside: each ``total`` less its own ``predict``: what of that the server knows about.
    """

    stages: dict[str, Histogram] = field(default_factory=dict)
    batch_sizes: dict[int, int] = field(default_factory=dict)
    added: Histogram = field(default_factory=Histogram)
    inside: Histogram = field(default_factory=Histogram)
    _added: list[float] = field(default_factory=list)
    _inside: list[float] = field(default_factory=list)
    _durations: dict[str, list[float]] = field(default_factory=dict)

    def take(self, latency_s: float, raw: bytes) -> None:
        """Note an answer's latency in seconds and its header's value; `settle` counts it.

        Read at once, one by one: hundreds at a time would be a pause of milliseconds, in which
        nothing is sent and no answer is read, and the load generator would measure that.
        """
        metrics = parse(raw.decode("latin-1"))
        total_ms, predict_ms = (metrics.get(n, (None,))[0] for n in ("total", "predict"))
        if total_ms is not None and predict_ms is not None:
            self._inside.append(max(0.0, total_ms - predict_ms) / 1e3)
        if predict_ms is not None:
            self._added.append(max(0.0, latency_s - predict_ms / 1e3))
        for name, (duration_ms, description) in metrics.items():
            if name in _BATCH_NAMES:
                self._count_batch(duration_ms, description)
            elif duration_ms is not None:
                self._durations.setdefault(name, []).append(duration_ms / 1e3)

    def settle(self) -> None:
        """Move what was taken into the histograms."""
        for name in self._durations:
            self.stages.setdefault(name, Histogram())
        gathered = [
            (self.added, self._added),
            (self.inside, self._inside),
            *((self.stages[name], values) for name, values in self._durations.items()),
        ]
        for histogram, values in gathered:
            histogram.record(values)
            values.clear()

    def _count_batch(self, duration_ms: float | None, description: str | None) -> None:
        text = description if description is not None else duration_ms
        try:
            size = int(float(text)) if text is not None else 0
        except ValueError:
            return
        if size > 0:
            self.batch_sizes[size] = self.batch_sizes.get(size, 0) + 1
