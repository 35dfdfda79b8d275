"""Neighbours of a measurement: real processes, and a real server that answers anything."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import time

import pytest
from benchmarks.neighbour import busy_core, large, large_requests

from pelton.bench.floor import Floor
from pelton.bench.process import tree_cpu_s
from pelton.bench.request import Body
from pelton.bench.target import Target

SMALL = Body(b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2.25]]}}')
LIMIT_BYTES = 16_000_000


@pytest.mark.parametrize("is_slow", [False, True])
def test_a_large_request_has_the_columns_of_a_small_one(is_slow: bool) -> None:
    body = large(SMALL, is_slow=is_slow)
    frame = json.loads(body.content)["dataframe_split"]

    assert 0.99 * LIMIT_BYTES < len(body.content) < LIMIT_BYTES
    assert frame["columns"] == ["a", "b"]
    assert len(frame["data"]) == body.rows
    assert frame["data"][1:] == [[1.5, 2.25]] * (body.rows - 1)
    assert math.isnan(frame["data"][0][0]) == is_slow


def test_a_client_asks_until_it_is_told_to_end() -> None:
    with (
        Floor(answer_bytes=100) as floor,
        large_requests(
            Target("127.0.0.1", floor.port), SMALL, sorted(os.sched_getaffinity(0)), is_slow=False
        ) as asked,
    ):
        pass

    assert asked.good >= 1
    assert asked.failed == 0


def test_a_client_without_a_server_fails_at_once() -> None:
    with Floor(answer_bytes=100) as floor:
        target = Target("127.0.0.1", floor.port)
    with (
        pytest.raises(EOFError),
        large_requests(target, SMALL, sorted(os.sched_getaffinity(0)), is_slow=False),
    ):
        pass


def test_a_busy_core_is_busy_and_gone_afterwards() -> None:
    with busy_core(sorted(os.sched_getaffinity(0))):
        (process,) = multiprocessing.active_children()
        assert process.pid is not None
        while tree_cpu_s(process.pid) < 0.05:
            assert process.is_alive()
            time.sleep(0.01)
    assert multiprocessing.active_children() == []
