"""Whether running batches keep cores busy, by what the kernel says of this very process."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

from pelton import platform
from pelton.supervisor.processor_watch import ProcessorWatch


def worker(busy_s: float, pid: int | None = None) -> Any:
    lane = SimpleNamespace(busy_s=busy_s)
    process = SimpleNamespace(pid=pid or os.getpid())
    return SimpleNamespace(name="worker-1", process=process, lanes=[lane, lane])


class Hours:
    """A clock that moves an hour at each look, so that this process hardly uses a core."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 3600.0
        return self.now


def compute(seconds: float) -> float:
    """Use processor time until the kernel has noted so much; returns how much it was."""
    before = now = platform.runnable_seconds(os.getpid())
    assert before is not None
    assert now is not None
    while now < before + seconds:
        sum(range(100_000))
        now = platform.runnable_seconds(os.getpid())
        assert now is not None
    return now - before


def test_nothing_is_limited_before_anything_ran() -> None:
    watch = ProcessorWatch(2, Hours())
    assert watch.look([worker(0.0)]) == 2
    assert watch.look([]) == 1


def test_batches_that_compute_share_what_the_front_end_leaves() -> None:
    watch = ProcessorWatch(2, time.monotonic)
    watch.look([worker(0.0)])
    used_s = compute(0.3)
    assert watch.look([worker(used_s / 2)]) == 1


def test_batches_that_wait_for_something_else_may_all_run() -> None:
    watch = ProcessorWatch(2, Hours())
    watch.look([worker(0.0)])
    assert watch.look([worker(1000.0)]) == 2


def test_a_worker_that_has_gone_is_left_out() -> None:
    watch = ProcessorWatch(2, Hours())
    watch.look([worker(0.0)])
    assert watch.look([worker(1.0, pid=2**22 - 1)]) == 2
