"""A run as text: one line a step, and the table at the end."""

from __future__ import annotations

import math
from typing import Any

from pelton.bench.quantity import show_duration, show_rate
from pelton.bench.step import StepResult, error_classes


def error_text(errors: dict[str, int]) -> str:
    """Write ``429: 12, timeout: 3``, or ``no errors``."""
    classes = error_classes(errors)
    if not classes:
        return "no errors"
    return ", ".join(f"{kind}: {number}" for kind, number in sorted(classes.items()))


def step_line(result: StepResult, title: str) -> str:
    """Write a step's result in one line."""
    latency = result.tally.latency
    middle = "no right answer"
    if latency.total:
        middle = (
            f"p50 {show_duration(latency.percentile(50))}   "
            f"p99 {show_duration(latency.percentile(99))}"
        )
    return (
        f"  {title:<24} {show_rate(result.throughput):>8}/s   {middle}   "
        f"{error_text(dict(result.tally.errors))}"
    )


def table(run: dict[str, Any]) -> str:
    """Write the whole run (the JSON form) for a terminal."""
    lines = [f"{run['target']}  ({run['requests']['origin']}, {_mix(run['requests'])})", ""]
    objective = run.get("objective")
    head = ["load", "sent", "right/s", "p50", "p90", "p99", "p99.9", "max", "errors"]
    rows = [head + ([objective["text"]] if objective else [])]
    for step in run["steps"]:
        latency = step["latency"]
        row = [
            step["title"] + (" *" if step["generator"]["limits"] else ""),
            f"{step['sent']:,}",
            show_rate(step["throughput_per_s"]),
            *(_ms(latency.get(f"{name}_ms")) for name in ("p50", "p90", "p99", "p99.9", "max")),
            error_text(step["errors"]),
        ]
        if objective:
            row.append("met" if step.get("objective_met") else "missed")
        rows.append(row)
    lines += _aligned(rows)
    if any(step["generator"]["limits"] for step in run["steps"]):
        lines += ["", "* the generator may have been the bottleneck:"]
        lines += [
            f"    {step['title']}: {'; '.join(step['generator']['limits'])}"
            for step in run["steps"]
            if step["generator"]["limits"]
        ]
    lines += _stages(run["steps"]) + _memory(run["steps"]) + _first_errors(run["steps"])
    if objective:
        best = objective["best_rate"]
        found = f"{show_rate(best)}/s" if best else "none"
        if best and not objective["confirmed"]:
            found += " (not measured twice)"
        lines += ["", f"highest rate with {objective['text']}: {found}"]
    lines += ["", *(f"note: {note}" for note in run["notes"])]
    ceiling = run["generator"].get("ceiling_per_s")
    if ceiling:
        lines.append(
            f"generator: {ceiling:,.0f} requests/s on one core against a trivial server, "
            f"{run['generator']['cpu_us']:.0f} µs CPU a request"
        )
    return "\n".join(lines)


def _mix(requests: dict[str, Any]) -> str:
    shares = requests.get("rows") or {}
    rows = ", ".join(f"{rows} rows {share:.0%}" for rows, share in shares.items())
    return f"{requests['distinct']} distinct" + (f": {rows}" if len(shares) > 1 else "")


def _stages(steps: list[dict[str, Any]]) -> list[str]:
    told = [step for step in steps if step["stages"] or step["batch_sizes"]]
    if not told:
        return []
    names = list(dict.fromkeys(name for step in told for name in step["stages"]))
    rows = [["where the time goes (mean)", *names, "batch"]]
    for step in told:
        sizes = {int(n): count for n, count in step["batch_sizes"].items()}
        mean = sum(n * c for n, c in sizes.items()) / sum(sizes.values()) if sizes else None
        rows.append(
            [
                step["title"],
                *(_ms(step["stages"].get(name, {}).get("mean_ms")) for name in names),
                f"{mean:.3g}" if mean else "–",
            ]
        )
    return ["", *_aligned(rows)]


def _memory(steps: list[dict[str, Any]]) -> list[str]:
    told = [step for step in steps if step["memory"]]
    if not told:
        return []
    memory = told[-1]["memory"]
    lines = ["", "memory after the last step (PSS)"]
    lines += [f"    {p['name']:<24} {p['pss_mb']:>8,.0f} MB" for p in memory]
    return [*lines, f"    {'together':<24} {sum(p['pss_mb'] for p in memory):>8,.0f} MB"]


def _first_errors(steps: list[dict[str, Any]]) -> list[str]:
    lines = []
    seen = set()
    for step in steps:
        for kind, text in step["first_errors"].items():
            if text and kind not in seen:
                seen.add(kind)
                lines.append(f"first {kind}: {text.splitlines()[0][:200]}")
    return ["", *lines] if lines else []


def _ms(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else show_duration(value / 1e3)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    lines.insert(1, "  " + "─" * (sum(widths) + 2 * len(widths) - 2))
    return lines
