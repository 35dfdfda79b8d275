"""Short versions of the long measurements: what must hold however long they run."""

from __future__ import annotations

import pytest
from benchmarks import chaos, leak, reload, scaling

pytestmark = pytest.mark.xdist_group("promises")


def test_reloads_under_load_lose_nothing() -> None:
    rows = reload.run(seconds=8.0, every=3.0, rate=50.0)

    assert (rows["failed"], rows["mixed answers"], rows["old after new"]) == (0, 0, 0), rows
    assert rows["reloads"] >= 1


def test_every_request_ends_once_whatever_happens() -> None:
    rows = chaos.run(seconds=10.0, rate=50.0, pause=0.7, seed=7)

    assert chaos.violations(rows) == [], rows


def test_a_leak_fails_no_request() -> None:
    rows = leak.run(seconds=12.0, rate=5.0)

    assert rows["failed"] == 0, rows
    assert rows["peak of the budget"] <= 1.10, rows


def test_a_burst_gets_all_its_slots() -> None:
    rows = scaling.burst()

    assert rows["answered"] == rows["of"], rows


def test_a_sleeping_endpoint_is_ready_and_is_woken_once() -> None:
    rows = scaling.to_zero("model")

    assert rows["state asleep"] == "READY, Scaled to zero"
    assert (rows["answered"], rows["wake-ups"]) == (20, 1), rows
