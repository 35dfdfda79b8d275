"""The display while a run goes on: lines rewritten in place, or plain ones off a terminal."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Final, TextIO

from pelton.bench.quantity import show_duration, show_rate
from pelton.bench.report.text import error_text, step_line
from pelton.bench.step import ClosedStep, Step, StepResult
from pelton.bench.tally import Interval, Tally

_PLAIN_EVERY_S: Final = 2.0
_BAR: Final = "▁▂▃▄▅▆▇█"
_BAR_WIDTH: Final = 40


class Live:
    """Writes a run's progress to a stream.

    Args:
        stream: where to, usually standard error so that standard output stays the report's.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._drawn = 0
        self._printed_at = 0.0
        self._step: Step | None = None
        self._title = ""

    def note(self, text: str) -> None:
        """Print a remark above the moving lines."""
        self._erase()
        self._write(f"  note: {text}\n")

    def begin(self, step: Step, title: str) -> None:
        """Start a step's lines."""
        self._step, self._title = step, title
        self._printed_at = perf_counter()

    def interval(self, interval: Interval, tally: Tally) -> None:
        """Show how the step goes: on a terminal each time, elsewhere every few seconds."""
        if self._step is None:
            return
        if self._is_terminal:
            self._erase()
            lines = self._lines(interval, tally)
            self._write("\n".join(lines) + "\n")
            self._drawn = len(lines)
        elif perf_counter() - self._printed_at >= _PLAIN_EVERY_S:
            self._printed_at = perf_counter()
            self._write("  " + self._plain(interval, tally) + "\n")

    def end(self, result: StepResult) -> None:
        """Replace the step's moving lines by its result."""
        self._erase()
        self._write(step_line(result, self._title) + "\n")
        self._step = None

    def _lines(self, interval: Interval, tally: Tally) -> list[str]:
        assert self._step is not None
        total = tally.latency
        share = min(1.0, interval.at_s / self._step.duration_s)
        rate = interval.good / interval.seconds
        lines = [
            f"  {self._title:<24} {'█' * int(share * 20):<20} "
            f"{interval.at_s:5.1f} of {self._step.duration_s:.0f} s",
            f"    now    {show_rate(rate):>8}/s   p50 {_show(interval.p50_s):>8}   "
            f"p99 {_show(interval.p99_s):>8}   max {_show(interval.max_s):>8}   "
            f"in flight {interval.in_flight}"
            + (f"   waiting here {interval.backlog}" if interval.backlog else ""),
            f"    so far {tally.good:>8}     p50 {_show(total.percentile(50)):>8}   "
            f"p99 {_show(total.percentile(99)):>8}   max {_show(total.max_s):>8}   "
            f"{error_text(dict(tally.errors))}",
            f"    p99    {_sparkline([i.p99_s for i in tally.intervals[-_BAR_WIDTH:]])}",
        ]
        if interval.server:
            said = "   ".join(f"{name} {value:g}" for name, value in interval.server.items())
            lines.append(f"    server {said}")
        return lines

    def _plain(self, interval: Interval, tally: Tally) -> str:
        assert self._step is not None
        kind = "callers" if isinstance(self._step, ClosedStep) else "rate"
        p50, p99 = (_show(tally.latency.percentile(percent)) for percent in (50, 99))
        return (
            f"{kind} {self._title}  {interval.at_s:.0f} s  "
            f"{show_rate(interval.good / interval.seconds)}/s  p50 {p50}  p99 {p99}  "
            f"in flight {interval.in_flight}  {error_text(dict(tally.errors))}"
        )

    def _erase(self) -> None:
        if self._drawn:
            self._write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _show(seconds: float) -> str:
    return "–" if math.isnan(seconds) else show_duration(seconds)


def _sparkline(values: list[float]) -> str:
    """Draw values on a logarithmic scale, one character each; a gap where there is none."""
    known = [math.log(v) for v in values if not math.isnan(v) and v > 0]
    if not known:
        return ""
    low, span = min(known), max(max(known) - min(known), 0.7)
    return "".join(
        " "
        if math.isnan(v) or v <= 0
        else _BAR[min(len(_BAR) - 1, int((math.log(v) - low) / span * len(_BAR)))]
        for v in values
    )
