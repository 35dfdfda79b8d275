"""``--cores``: where the processes of a server may run, as the system tells."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import until
from tests.e2e.reload_support import ROW, A
from tests.zoo import build


def threads_may_run_on(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return set().union(*(os.sched_getaffinity(int(task.name)) for task in tasks))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="nothing to take apart")
def test_front_end_has_a_core_for_itself(live_endpoint: Serve) -> None:
    every = os.sched_getaffinity(0)
    endpoint = live_endpoint(build("versioned-a"), "--cores", "apart", "--concurrency", "2")

    own = os.sched_getaffinity(endpoint.process.pid)
    assert len(own) == 1
    workers = endpoint.workers()
    assert len(workers) == 2
    for pid in (*workers.values(), endpoint.fork_server()):
        assert threads_may_run_on(pid) == every - own

    killed = endpoint.workers().popitem()
    os.kill(killed[1], signal.SIGKILL)
    until(
        lambda: (
            len(endpoint.workers().items() - workers.items()) == 1
            and endpoint.ask(ROW).status_code == 200
        ),
        "the killed worker has a successor",
    )
    for pid in endpoint.workers().values():
        assert threads_may_run_on(pid) == every - own
    assert endpoint.ask(ROW).json() == A


def test_all_share_them_by_default(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--concurrency", "1")

    for pid in (endpoint.process.pid, endpoint.fork_server(), endpoint.worker()):
        assert threads_may_run_on(pid) == os.sched_getaffinity(0)
