"""``--priority realtime``: which threads go before others, as the system tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import until
from tests.e2e.reload_support import ROW, A
from tests.zoo import build

# In a process of its own: another user's with no right to it, or this one's.
_ASK = """
import os, sys
from pelton import platform
if sys.argv[1] == "nobody":
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
may = platform.run_in_real_time(True)
child = os.fork()
if child == 0:
    os._exit(os.sched_getscheduler(0) & 0xff)
inherited = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
back = platform.run_in_real_time(False) and os.sched_getscheduler(0) & 0xff
print(may, inherited, back)
"""


def _asked(who: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", _ASK, who], check=True, capture_output=True, text=True
    ).stdout.strip()


def _permitted() -> bool:
    return _asked("self").startswith("True")


needs_permission = pytest.mark.skipif(not _permitted(), reason="real time needs CAP_SYS_NICE")


def policies(pid: int) -> list[int]:
    """Return how the threads of a process are scheduled, without the flag for their children."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.append(os.sched_getscheduler(int(task.name)) & 0xFF)
        except ProcessLookupError:
            continue
    return found


@needs_permission
def test_who_goes_before_others_leaves_it_to_nobody_and_can_go_back() -> None:
    assert _asked("self") == f"True {os.SCHED_OTHER} {os.SCHED_OTHER}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_who_may_not_is_told_so() -> None:
    assert _asked("nobody") == f"False {os.SCHED_OTHER} {os.SCHED_OTHER}"


@needs_permission
def test_front_end_and_slots_are_in_real_time_and_nothing_else(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--priority", "realtime", "--concurrency", "2")

    def in_real_time(pid: int) -> int:
        return policies(pid).count(os.SCHED_RR)

    assert endpoint.ask(ROW).json() == A
    assert in_real_time(endpoint.process.pid) == 1
    assert in_real_time(endpoint.fork_server()) == 0
    for pid in endpoint.workers().values():
        until(lambda pid=pid: in_real_time(pid) == 2, "reader and slot wait in real time")

    killed = endpoint.workers()
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: (
            len(endpoint.workers()) == 2
            and not set(endpoint.workers().values()) & set(killed.values())
            and all(in_real_time(pid) == 2 for pid in endpoint.workers().values())
        ),
        "so are their successors'",
    )
    assert endpoint.ask(ROW).json() == A


def test_nothing_is_by_default(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--concurrency", "1")
    for pid in (endpoint.process.pid, endpoint.fork_server(), endpoint.worker()):
        assert set(policies(pid)) == {os.SCHED_OTHER}


def test_on_one_core_it_says_that_it_stays_as_it_was(live_endpoint: Serve) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        endpoint = live_endpoint(
            build("versioned-a"), "--priority", "realtime", "--concurrency", "1"
        )
    finally:
        os.sched_setaffinity(0, cores)
    endpoint.until_log("server.priority_usual .*one core")
    for pid in (endpoint.process.pid, endpoint.worker()):
        assert set(policies(pid)) == {os.SCHED_OTHER}
