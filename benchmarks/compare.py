"""What the results say: ratios of medians, with their spread, as a table and in the README."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.models.cache import ROOT
from benchmarks.scenario import SCENARIOS
from benchmarks.server import BASELINES, OURS

BEGIN: Final = "<!-- benchmark:begin -->"
END: Final = "<!-- benchmark:end -->"
DISTURBED: Final = 0.12  # cores used by neither the server nor the generator
STAGES_BEGIN: Final = "<!-- stages:begin -->"
STAGES_END: Final = "<!-- stages:end -->"
PERFORMANCE: Final = ROOT / "docs" / "performance.md"
README: Final = ROOT / "README.md"
RESULTS: Final = ROOT / "benchmarks" / "results.json"


@dataclass(frozen=True)
class Best:
    """A server's best concurrency in a scenario.

    Attributes:
        server: which.
        concurrency: where its median was highest.
        per_s: requests per second of each round there.
        p50_ms: median of the rounds' p50 there; ``p99_ms`` likewise.
        failed: requests without a right answer, all rounds and concurrencies.
    """

    server: str
    concurrency: int
    per_s: tuple[float, ...]
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def median(self) -> float:
        return median(self.per_s)

    def __str__(self) -> str:
        low, high = min(self.per_s), max(self.per_s)
        return f"{_digits(self.median)} [{_digits(low)}–{_digits(high)}]"


def best_of(results: dict[str, Any], scenario: str, server: str) -> Best | None:
    """Find the concurrency at which a server did best, ``None`` if it was not measured."""
    by_concurrency: dict[int, list[dict[str, Any]]] = {}
    for cell in results["cells"]:
        if cell["scenario"] == scenario and cell["server"] == server:
            by_concurrency.setdefault(cell["concurrency"], []).append(cell)
    failed = sum(c["sent"] - c["good"] for cells in by_concurrency.values() for c in cells)
    bests = [
        Best(
            server,
            concurrency,
            tuple(cell["per_s"] for cell in cells),
            median(cell["p50_ms"] or 0.0 for cell in cells),
            median(cell["p99_ms"] or 0.0 for cell in cells),
            failed,
        )
        for concurrency, cells in by_concurrency.items()
    ]
    return max(bests, key=lambda best: best.median, default=None)


def best_among(results: dict[str, Any], scenario: str, servers: Iterable[str]) -> Best | None:
    """Find the best of several servers, or of several settings of one."""
    return _best([best_of(results, scenario, server) for server in servers])


def ratio(ours: Best | None, theirs: Best | None) -> str:
    """Write ours over theirs; in brackets where the rounds' ranges overlap (no winner there)."""
    if ours is None or theirs is None or theirs.median == 0:
        return "–"
    text = f"{ours.median / theirs.median:.3g}×"
    overlap = min(ours.per_s) <= max(theirs.per_s) and min(theirs.per_s) <= max(ours.per_s)
    return f"({text})" if overlap else text


def table(results: dict[str, Any]) -> str:
    """Return the ratio table, in Markdown, and under it what it was measured on."""
    peers = [name for name in results["servers"] if name not in (*OURS, *BASELINES)]
    measured = [s for s in SCENARIOS if any(c["scenario"] == s for c in results["cells"])]
    head = (
        *("requests/s", "`mlflow models serve`", "best peer", "pelton"),
        *("× mlflow, 1 worker", "× mlflow, best", "× peer", "p99 at c"),
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for scenario in measured:
        mine = best_among(results, scenario, OURS)
        baseline = best_among(results, scenario, BASELINES)
        peer = best_among(results, scenario, peers)
        lines.append(
            "| "
            + " | ".join(
                (
                    SCENARIOS[scenario].about,
                    str(baseline) if baseline else "–",
                    f"{peer} {peer.server}" if peer else "–",
                    f"**{mine}**{_unless_default(mine)}" if mine else "–",
                    ratio(mine, best_of(results, scenario, BASELINES[0])),
                    ratio(mine, baseline),
                    ratio(mine, peer),
                    f"{mine.p99_ms:.3g} ms, c={mine.concurrency}" if mine else "–",
                )
            )
            + " |"
        )
    return "\n".join([*lines, "", *_under(results)])


def _under(results: dict[str, Any]) -> list[str]:
    about, settings = results["machine"], results["settings"]
    run = {name: s for name, s in results["servers"].items() if s["why_not"] is None}
    versions = ", ".join(f"{name} {s['version']}" for name, s in run.items() if s["version"])
    failed = sum(cell["sent"] - cell["good"] for cell in results["cells"])
    sent = sum(cell["sent"] for cell in results["cells"])
    disturbed = sum(cell["foreign_cores"] > DISTURBED for cell in results["cells"])
    lines = [
        f"{about['cpu']}, {about['cores']} cores, Python {about['python']}; {versions}. "
        f"Medians of {settings['rounds']} interleaved rounds [lowest–highest], each server at its "
        f"best concurrency, closed loop, every answer checked; {settings['cores']}. "
        f"{sent - failed:,} right answers, {failed:,} failed; {disturbed} of "
        f"{len(results['cells'])} measurements had other programs on the machine. "
        + _best_of_settings("`mlflow models serve`", BASELINES, results)
        + _best_of_settings("pelton", OURS, results)
        + f"A ratio in brackets: the ranges overlap. {about['taken_at'][:10]}, `make bench`.",
    ]
    not_run = [
        f"Not run: {name} ({s['why_not']})."
        for name, s in results["servers"].items()
        if s["why_not"]
    ]
    failures = sorted({f"{f['server']} on {f['scenario']}" for f in results["failures"]})
    if failures:
        not_run.append(f"Did not start or answered wrongly: {', '.join(failures)}.")
    return [*lines, *not_run]


def _best_of_settings(what: str, settings: tuple[str, ...], results: dict[str, Any]) -> str:
    """Name the settings that a server was measured with, if there is a choice."""
    measured = {cell["server"] for cell in results["cells"]}
    abouts = [results["servers"][name]["about"] for name in settings if name in measured]
    if len(abouts) < 2:
        return ""
    word = "better" if len(abouts) == 2 else "best"
    return f"{what} is the {word} of {len(abouts)} settings: {' / '.join(abouts)}. "


def stages(results: dict[str, Any]) -> str:
    """Return where a request's time goes in pelton, with one caller and at its best."""
    names = ("queue", "decode", "predict", "encode", "total")
    head = ["scenario", "c", *(f"{name} ms" for name in names), "p50 ms", "batch", "CPU µs"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for scenario in SCENARIOS:
        best = best_among(results, scenario, OURS)
        if best is None:
            continue
        for concurrency in sorted({1, best.concurrency}):
            cells = [
                cell
                for cell in results["cells"]
                if (cell["scenario"], cell["server"], cell["concurrency"])
                == (scenario, best.server, concurrency)
            ]
            if not cells:
                continue
            row = [scenario + _unless_default(best), str(concurrency)]
            row += [_median([cell["stages_ms"].get(name) for cell in cells]) for name in names]
            row += [_median([cell[key] for cell in cells]) for key in ("p50_ms", "batch_mean")]
            row.append(_median([cell["server_cpu_us"] for cell in cells]))
            lines.append("| " + " | ".join(row) + " |")
    lines += [
        "",
        "Means of the stages as `Server-Timing` states them (a batch's `predict` is stated to each "
        "of its requests), medians over the rounds; `CPU µs` is all of the server's processor time "
        "for one request.",
    ]
    return "\n".join(lines)


def fill(page: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a page with what stands between its two markers replaced.

    Raises:
        ValueError: it has no place for it.
    """
    before, opened, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the page has no {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return pelton's best figures of two result files side by side."""
    lines = ["| requests/s | before | after | ratio |", "|---|---|---|---|"]
    for scenario in SCENARIOS:
        old, new = best_among(before, scenario, OURS), best_among(after, scenario, OURS)
        if old and new:
            lines.append(f"| {SCENARIOS[scenario].about} | {old} | {new} | {ratio(new, old)} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    parser.add_argument("--before", type=Path, help="an older file: what has changed since")
    parser.add_argument(
        "--readme", action="store_true", help="write the tables into README and docs"
    )
    parsed = parser.parse_args(argv)
    results = json.loads(parsed.results.read_text())
    if parsed.before:
        print(changes(json.loads(parsed.before.read_text()), results))
        return 0
    text = table(results)
    print(text)
    if parsed.readme:
        README.write_text(fill(README.read_text(), text))
        page = PERFORMANCE.read_text()
        PERFORMANCE.write_text(fill(page, stages(results), STAGES_BEGIN, STAGES_END))
    return 0


def _unless_default(best: Best) -> str:
    return "" if best.server == OURS[0] else f" {best.server}"


def _best(candidates: list[Best | None]) -> Best | None:
    known = [best for best in candidates if best is not None]
    return max(known, key=lambda best: best.median, default=None)


def _median(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.3g}" if known else "–"


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
