"""The ratio table, and that the README's is the one that ``compare`` writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benchmarks import compare, tiers
from benchmarks.run import turn
from benchmarks.scenario import SCENARIOS
from benchmarks.server import servers

from pelton.tiers import GB


def cell(
    server: str, concurrency: int, per_s: float, round_: int = 0, bad: int = 0
) -> dict[str, Any]:
    return {
        "scenario": "tiny",
        "server": server,
        "round": round_,
        "concurrency": concurrency,
        "per_s": per_s,
        "sent": 100,
        "good": 100 - bad,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "stages_ms": {"queue": 0.5, "predict": 0.25 + round_},
        "batch_mean": None,
        "server_cpu_us": 123.0,
        "foreign_cores": 0.0 if round_ else 0.5,
    }


def results(*cells: dict[str, Any]) -> dict[str, Any]:
    names = ("pelton", "pelton-s8", "mlflow", "mlflow-w2", "triton", "absent")
    return {
        "machine": {"cpu": "X", "cores": 2, "python": "3.11", "taken_at": "2026-01-02T00:00:00"},
        "settings": {"rounds": 3, "cores": "generator pinned to core 1"},
        "servers": {
            name: {
                "about": name,
                "version": "1",
                "why_not": "does not install" if name == "absent" else None,
            }
            for name in names
        },
        "cells": list(cells),
        "failures": [{"server": "triton", "scenario": "echo", "why": "no"}],
    }


ALL = results(
    *(cell("pelton", 32, rate, round_) for round_, rate in enumerate((900, 1000, 1100))),
    *(cell("pelton", 1, rate, round_) for round_, rate in enumerate((200, 2000, 210))),
    *(cell("mlflow", 8, rate, round_) for round_, rate in enumerate((90, 100, 110))),
    *(cell("mlflow-w2", 8, rate, round_) for round_, rate in enumerate((190, 200, 210))),
    *(cell("triton", 8, rate, round_, bad=1) for round_, rate in enumerate((800, 950, 960))),
)


def test_the_best_concurrency_is_that_of_the_highest_median() -> None:
    best = compare.best_of(ALL, "tiny", "pelton")
    assert best is not None
    assert (best.concurrency, best.median) == (32, 1000)
    assert str(best) == "1,000 [900–1,100]"
    assert compare.best_of(ALL, "tiny", "absent") is None


def test_ranges_that_overlap_have_no_winner() -> None:
    ours = compare.best_of(ALL, "tiny", "pelton")
    assert compare.ratio(ours, compare.best_of(ALL, "tiny", "mlflow")) == "10×"
    assert compare.ratio(ours, compare.best_of(ALL, "tiny", "triton")) == "(1.05×)"
    assert compare.ratio(ours, None) == "–"


def test_the_table_takes_mlflow_and_the_peers_at_their_best() -> None:
    table = compare.table(ALL)
    row = next(line for line in table.splitlines() if SCENARIOS["tiny"].about in line)
    cells = [part.strip() for part in row.strip("|").split("|")]
    assert cells[1:7] == [
        "200 [190–210]",
        "950 [800–960] triton",
        "**1,000 [900–1,100]**",
        "10×",
        "5×",
        "(1.05×)",
    ]
    assert "`mlflow models serve` is the better of 2 settings: mlflow / mlflow-w2." in table
    assert "pelton is the better of" not in table
    assert "Not run: absent (does not install)." in table
    assert "triton on echo" in table
    assert "3 failed" in table
    assert "5 of 15 measurements had other programs" in table


def with_eight_slots(*rates: float) -> dict[str, Any]:
    eight = [cell("pelton-s8", 64, rate, round_) for round_, rate in enumerate(rates)]
    return {**ALL, "cells": [*ALL["cells"], *eight]}


def test_pelton_too_is_taken_at_the_better_of_its_settings() -> None:
    better = with_eight_slots(1900, 2000, 2100)
    table = compare.table(better)
    row = next(line for line in table.splitlines() if SCENARIOS["tiny"].about in line)
    assert "| 950 [800–960] triton | **2,000 [1,900–2,100]** pelton-s8 | 20× | 10× | 2.11× |" in row
    assert "pelton is the better of 2 settings: pelton / pelton-s8." in table
    stages = compare.stages(better)
    assert stages.splitlines()[2].startswith("| tiny pelton-s8 | 64 |")
    assert "| 1,000 [900–1,100] | 2,000 [1,900–2,100] | 2× |" in compare.changes(ALL, better)


def test_mlflow_with_more_workers_is_no_peer() -> None:
    eight = [cell("mlflow-w8", 64, rate, round_) for round_, rate in enumerate((990, 1000, 1010))]
    more = {**ALL["servers"], "mlflow-w8": {"about": "w8", "version": "1", "why_not": None}}
    table = compare.table({**ALL, "servers": more, "cells": [*ALL["cells"], *eight]})
    row = next(line for line in table.splitlines() if SCENARIOS["tiny"].about in line)
    assert "| 1,000 [990–1,010] | 950 [800–960] triton |" in row
    assert "| 10× | (1×) | (1.05×) |" in row
    assert "is the best of 3 settings: mlflow / mlflow-w2 / w8." in table


def test_a_setting_that_does_worse_is_only_named_under_the_table() -> None:
    table = compare.table(with_eight_slots(400, 500, 600))
    row = next(line for line in table.splitlines() if SCENARIOS["tiny"].about in line)
    assert "| 950 [800–960] triton | **1,000 [900–1,100]** | 10× | 5× |" in row
    assert "pelton is the better of 2 settings: pelton / pelton-s8." in table


def test_more_than_the_cores_carry_is_measured_where_the_model_waits_and_nowhere_else() -> None:
    known = servers()
    for more in ("pelton-s8", "mlflow-w8"):
        served = [name for name, s in SCENARIOS.items() if known[more].serves(s)]
        assert served == ["fixed", "slow"]
    chosen = [known[name] for name in ("pelton", "pelton-s8", "mlflow")]

    def names(scenario: str, round_: int) -> list[str]:
        return [server.name for server in turn(chosen, SCENARIOS[scenario], round_)]

    assert names("tiny", 1) == ["mlflow", "pelton"]
    assert names("fixed", 1) == ["pelton-s8", "mlflow", "pelton"]
    assert turn(chosen[1:2], SCENARIOS["tiny"], 1) == []


def test_stages_are_shown_alone_and_at_the_best_concurrency() -> None:
    rows = compare.stages(ALL).splitlines()[2:4]
    assert rows[0].startswith("| tiny | 1 | 0.5 | – | 1.25 | – |")
    assert rows[1].startswith("| tiny | 32 | 0.5 | – | 1.25 | – |")
    assert rows[1].endswith("| 1 | – | 123 |")


def test_two_results_are_set_side_by_side() -> None:
    before = results(*(cell("pelton", 32, rate) for rate in (400, 500, 600)))
    assert "| 500 [400–600] | 1,000 [900–1,100] | 2× |" in compare.changes(before, ALL)


def test_the_readmes_table_is_replaced_and_nothing_else() -> None:
    readme = f"a\n{compare.BEGIN}\nold\n{compare.END}\nz\n"
    assert compare.fill(readme, "new") == f"a\n{compare.BEGIN}\nnew\n{compare.END}\nz\n"
    assert compare.fill(compare.fill(readme, "new"), "old") == readme


@pytest.mark.parametrize("readme", ["", compare.BEGIN, compare.END])
def test_a_readme_without_a_place_for_it_is_left_alone(readme: str) -> None:
    with pytest.raises(ValueError, match="has no"):
        compare.fill(readme, "new")


def test_the_capacity_page_shows_the_tiers_that_are_kept() -> None:
    page = tiers.PAGE.read_text()
    kept = json.loads(tiers.RESULTS.read_text())
    assert compare.fill(page, tiers.table(kept), tiers.BEGIN, tiers.END) == page


def test_a_machine_carries_what_fits_and_says_why_not_the_rest() -> None:
    rows = {(row.tier.name, row.size): row for row in tiers.rows(24 * GB)}
    assert rows["CPU", "Small"].slots == 4
    assert rows["CPU", "Medium"].slots == 0
    assert rows["CPU", "Medium"].why_not == "8 x 4 GB = 32 GB, here are 24 GB"
    assert rows["CPU_MEDIUM", "Small"].slots == 3
    assert str(rows["CPU_MEDIUM", "Small"].why_not).startswith("reduced: 4 x 8 GB = 32 GB")
    assert rows["CPU_MEDIUM", "Large"].slots == 0
    assert rows["GPU_SMALL", "Small"].slots == 0
    assert all(row.slots * row.tier.slot_bytes <= 24 * GB for row in rows.values())


def test_the_readme_shows_the_results_that_are_kept() -> None:
    """Both or neither: a table without its file, or a file without its table, is a red test."""
    readme = compare.README.read_text()
    shown = readme.partition(compare.BEGIN)[2].partition(compare.END)[0]
    if not compare.RESULTS.is_file():
        assert "|" not in shown
        return
    kept = json.loads(compare.RESULTS.read_text())
    assert compare.fill(readme, compare.table(kept)) == readme
    page = compare.PERFORMANCE.read_text()
    begin, end = compare.STAGES_BEGIN, compare.STAGES_END
    assert compare.fill(page, compare.stages(kept), begin, end) == page
