from __future__ import annotations

import pytest
from tests.unit.puppet import OK

from pelton.batching.entry import Entry, Stage
from pelton.errors import InternalError, QueueFull


def test_ending_tells_the_owner_and_lets_go_of_the_body() -> None:
    told: list[Entry] = []
    entry = Entry(7, b"x" * 100, "text/csv", 5.0, told.append)
    assert entry.stage is Stage.QUEUED
    entry.finish(3.0, OK)
    assert told == [entry]
    assert entry.is_done
    assert (entry.answer, entry.error, entry.done_at, entry.body) == (OK, None, 3.0, b"")


def test_ending_twice_is_a_bug() -> None:
    told: list[Entry] = []
    entry = Entry(7, b"", None, 5.0, told.append)
    entry.finish(3.0, None, QueueFull("full"))
    with pytest.raises(InternalError, match="Entry 7 was ended twice"):
        entry.finish(4.0, OK)
    assert told == [entry]
    assert entry.answer is None
