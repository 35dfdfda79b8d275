"""``python -m benchmarks wake``: real processes on real cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks import wake


def children() -> set[str]:
    """Return this process's children, by their ids."""
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="it compares two cores")
def test_it_shows_three_kinds_of_round_trip_and_leaves_nothing_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    usable, before = os.sched_getaffinity(0), children()

    assert wake.main(["--count", "20", "--idle", "0.1"]) == 0

    rows = capsys.readouterr().out.splitlines()[1:4]
    for row, about in zip(rows, ("same core", "another core", "never idles"), strict=True):
        p50, p90, p99 = map(float, row.split()[-3:])
        assert about in row
        assert 0 < p50 <= p90 <= p99
    assert os.sched_getaffinity(0) == usable
    assert children() == before


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--idle", "-1"]])
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        wake.main(arguments)
    assert stopped.value.code == 2


def test_one_core_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with pytest.raises(SystemExit) as stopped:
        wake.main([])
    assert stopped.value.code == 2
    assert "two cores" in capsys.readouterr().err
