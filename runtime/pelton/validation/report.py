"""The result of a validation, for programs and for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pelton.environment.finding import Finding, Severity
from pelton.tiers import GB
from pelton.validation.measurement import Measurements

_WIDTH: Final = 100
_INDENT: Final = " " * 11
_SHOWN_CHARACTERS: Final = 300


@dataclass(frozen=True)
class Prediction:
    """The answer to the input, or to the example: HTTP status, content type and body."""

    status: int
    media_type: str
    text: str


@dataclass(frozen=True)
class Report:
    """What was found and measured.

    Attributes:
        model: the URI as it was given.
        source: what it stood for: an absolute path, or ``models:/name/3``; ``None`` if unknown.
        findings: the worst first.
        measurements: as far as it got.
        prediction: the first answer, if anything could be asked.
        seconds: that all this took.
    """

    model: str
    source: str | None
    findings: Sequence[Finding]
    measurements: Measurements
    prediction: Prediction | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found but notes."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "model": self.model,
            "source": self.source,
            "ok": self.ok,
            "findings": [finding.as_dict() for finding in self.findings],
            "measurements": asdict(self.measurements),
            "prediction": None if self.prediction is None else asdict(self.prediction),
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        """The report for people."""
        lines = [f"{'model':<10} {self.source or self.model}"]
        environment = self.measurements.environment
        if environment is not None:
            lines.append(f"{'runs in':<10} {environment}")
        for finding in self.findings:
            lines += ["", *_finding_lines(finding)]
        rows = list(_rows(self.measurements))
        if rows:
            lines += ["", *(f"{name:<16} {value}" for name, value in rows)]
        if self.prediction is not None:
            text = textwrap.shorten(self.prediction.text, _SHOWN_CHARACTERS, placeholder=" [...]")
            lines.append(f"{'prediction':<16} {text}")
        lines += ["", self._verdict()]
        return "\n".join(lines)

    def _verdict(self) -> str:
        counts = [
            f"{many} {severity}{'s' if many > 1 else ''}"
            for severity in Severity
            if (many := sum(finding.severity is severity for finding in self.findings))
        ]
        verdict = "It will serve" if self.ok else "Not as it should be"
        return f"{verdict}: {', '.join(counts) or 'nothing found'} ({self.seconds:.1f} s)."


def _finding_lines(finding: Finding) -> Iterator[str]:
    first, *rest = finding.message.splitlines() or [""]
    yield f"{finding.severity:<10} {finding.code}"
    yield from _wrapped(first)
    yield from (_INDENT + line for line in rest)
    yield from _wrapped(f"remedy: {finding.remedy}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rows(measured: Measurements) -> Iterator[tuple[str, str]]:
    if measured.python is not None:
        yield "versions", f"Python {measured.python}, mlflow {measured.mlflow}"
    if measured.environment_s is not None:
        yield "environment", f"{measured.environment_s:.1f} s"
    if measured.load_s is not None:
        again = (
            "" if measured.reload_s is None else f"; in a fresh process {measured.reload_s:.1f} s"
        )
        yield "load", f"{measured.load_s:.1f} s{again}"
    if measured.predictions is not None:
        times = measured.predictions
        yield (
            "prediction time",
            f"{times.median_s * 1e3:.2f} ms (median of {times.count}, slowest"
            f" {times.slowest_s * 1e3:.1f} ms, by the {times.path} path)",
        )
    if measured.one_worker_bytes is not None:
        how = "forked" if measured.forked else "each loads by itself"
        two = measured.two_workers_bytes
        more = f", two workers {_megabytes(two)} ({how})" if two is not None else ""
        yield "memory", f"one worker {_megabytes(measured.one_worker_bytes)}{more}"
    if measured.fast_path is not None:
        yield "fast path", f"{'yes' if measured.fast_path else 'no'}: {measured.fast_path_reason}"
    if measured.batching is not None:
        yield (
            "micro-batching",
            f"{'yes' if measured.batching else 'no'}: {measured.batching_reason}",
        )
    if measured.budget_bytes is not None and measured.used_bytes is not None:
        fits = "fits" if measured.used_bytes <= measured.budget_bytes else "does not fit"
        yield (
            "workload type",
            f"{measured.workload_type}: {fits}, {_megabytes(measured.used_bytes)} of"
            f" {measured.budget_bytes / GB:.3g} GB a worker",
        )
    if measured.slots is not None:
        yield "slots here", f"{measured.slots} ({measured.slots_reason})"


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:,.0f} MB"
