"""A step of a run: what load, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from pelton.bench import quantity
from pelton.bench.arrival import Arrivals
from pelton.bench.floor import Ceiling
from pelton.bench.slo import Objective
from pelton.bench.tally import Tally

_BUSY: Final = 0.9  # share of a core from which the generator itself is slow
_NEAR: Final = 0.8  # share of the ceiling from which it may be
_LATE_S: Final = 0.005
_MEGABYTE: Final = 1e6


@dataclass(frozen=True)
class OpenStep:
    """Requests on a schedule."""

    arrivals: Arrivals

    @property
    def duration_s(self) -> float:
        """Length of the schedule."""
        return self.arrivals.duration_s

    @property
    def title(self) -> str:
        """Few words for tables."""
        first, last = self.arrivals.first_rate, self.arrivals.last_rate
        if first == last:
            return f"{quantity.show_rate(first)}/s"
        return f"{quantity.show_rate(first)} → {quantity.show_rate(last)}/s"


@dataclass(frozen=True)
class ClosedStep:
    """So many callers, each sending when it has its answer."""

    concurrency: int
    duration_s: float

    @property
    def title(self) -> str:
        """Few words for tables."""
        return f"c={self.concurrency}"


Step = OpenStep | ClosedStep


@dataclass
class StepResult:
    """What came of a step.

    Attributes:
        step: the load that was asked for.
        tally: the account.
        sent_s: for how long requests were sent.
        generator_cpu: share of a core that the generator used.
        memory: processes of the served model after the step, ``[{"name", "pss_mb"}]``.
    """

    step: Step
    tally: Tally
    sent_s: float
    generator_cpu: float
    memory: list[dict[str, Any]]

    @property
    def missed(self) -> int:
        """Requests without a right answer."""
        return self.tally.sent - self.tally.good

    @property
    def throughput(self) -> float:
        """Right answers per second while requests were being sent."""
        return self.tally.in_window / self.sent_s if self.sent_s > 0 else 0.0

    @property
    def offered(self) -> float:
        """Requests per second that were due."""
        return self.tally.sent / self.sent_s if self.sent_s > 0 else 0.0

    def limits(self, ceiling: Ceiling | None) -> list[str]:
        """Say in which ways the generator, and not the target, may have been the bottleneck."""
        found = []
        if self.generator_cpu > _BUSY:
            found.append(f"it used {self.generator_cpu:.0%} of a core")
        if ceiling is not None and self.throughput > _NEAR * ceiling.core_rate:
            found.append(f"this is near its own ceiling of {ceiling.core_rate:,.0f}/s")
        if self.tally.unsent:
            found.append(f"it did not come round to sending {self.tally.unsent:,} more requests")
        late = self.tally.lateness.percentile(99)
        typical = self.tally.latency.percentile(50)
        if not math.isnan(late) and late > max(_LATE_S, typical):
            found.append(f"it sent late: p99 {quantity.show_duration(late)}")
        return found

    def to_json(self, ceiling: Ceiling | None, objective: Objective | None) -> dict[str, Any]:
        """Return everything a report needs, as JSON values."""
        step, tally = self.step, self.tally
        asked: dict[str, Any] = {"kind": "closed", "title": step.title}
        if isinstance(step, ClosedStep):
            asked["concurrency"] = step.concurrency
        else:
            arrivals = step.arrivals
            asked |= {
                "kind": "open",
                "rate": arrivals.first_rate,
                "last_rate": arrivals.last_rate,
                "arrivals": "poisson" if arrivals.poisson else "constant",
            }
        result = {
            **asked,
            "duration_s": round(self.sent_s, 3),
            "sent": tally.sent,
            "unsent": tally.unsent,
            "good": tally.good,
            "errors": dict(tally.errors),
            "first_errors": tally.first_errors,
            "offered_per_s": round(self.offered, 2),
            "throughput_per_s": round(self.throughput, 2),
            "rows_per_s": round(tally.rows / self.sent_s, 1) if self.sent_s > 0 else 0.0,
            "latency": tally.latency.summary(),
            "failed_latency": tally.failed.summary(),
            "histogram": [[round(edge * 1e3, 4), n] for edge, n in tally.latency.buckets()],
            "generator": {
                "cpu": round(self.generator_cpu, 3),
                "lateness": tally.lateness.summary(),
                "limits": self.limits(ceiling),
            },
            "stages": {name: h.summary() for name, h in tally.stages.stages.items()},
            "batch_sizes": {str(n): c for n, c in sorted(tally.stages.batch_sizes.items())},
            "served_by": dict(tally.served_by),
            "memory": self.memory,
            "intervals": self._intervals(),
        }
        if objective is not None:
            value_s = objective.value_s(tally.latency, self.missed)
            result["objective_met"] = value_s <= objective.limit_s
            result["objective_ms"] = round(value_s * 1e3, 3) if math.isfinite(value_s) else None
        return result

    def _intervals(self) -> list[dict[str, Any]]:
        return [
            {
                "at_s": round(i.at_s, 2),
                "rate": round(i.good / i.seconds, 1),
                "bad": i.bad,
                "p50_ms": _milliseconds(i.p50_s),
                "p90_ms": _milliseconds(i.p90_s),
                "p99_ms": _milliseconds(i.p99_s),
                "max_ms": _milliseconds(i.max_s if i.good else float("nan")),
                "in_flight": i.in_flight,
                "backlog": i.backlog,
                **({"server": i.server} if i.server else {}),
            }
            for i in self.tally.intervals
        ]


def error_classes(errors: dict[str, int]) -> dict[str, int]:
    """Gather status codes into classes: ``429`` stays itself, others become ``4xx``, ``5xx``."""
    classes: Counter[str] = Counter()
    for kind, number in errors.items():
        is_rare = kind.isdigit() and kind not in ("429", "503", "504")
        classes[f"{kind[0]}xx" if is_rare else kind] += number
    return dict(classes)


def _milliseconds(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1e3, 3)
