"""``--priority realtime``: which threads go before others, as the system tells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import pelton, until
from tests.e2e.reload_support import ROW, A, B, load_on
from tests.faults.faulty import Faulty, ask_for
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
    with suppress(FileNotFoundError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                found.append(os.sched_getscheduler(int(task.name)) & 0xFF)
    return found


def in_real_time(pid: int) -> int:
    """Return how many threads of a process go before others."""
    return policies(pid).count(os.SCHED_RR)


@needs_permission
def test_who_goes_before_others_leaves_it_to_nobody_and_can_go_back() -> None:
    assert _asked("self") == f"True {os.SCHED_OTHER} {os.SCHED_OTHER}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_who_may_not_is_told_so() -> None:
    assert _asked("nobody") == f"False {os.SCHED_OTHER} {os.SCHED_OTHER}"


@needs_permission
def test_front_end_and_slots_are_in_real_time_and_nothing_else(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--priority", "realtime", "--concurrency", "2")

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


@needs_permission
def test_a_slot_with_a_large_request_is_in_no_hurry_until_it_is_answered() -> None:
    small = json.dumps(ask_for("hold_each", 1)).encode()
    large = small + b" " * 300_000
    with Faulty("--priority", "realtime", "--concurrency", "1") as endpoint:
        for body, threads in ((small, 2), (large, 1), (small, 2)):
            begun = endpoint.times_begun("hold_each", 1)
            answer = endpoint.later(content=body, headers={"Content-Type": "application/json"})
            until(lambda n=begun: endpoint.times_begun("hold_each", 1) > n, "it is held")
            assert in_real_time(endpoint.worker()) == threads
            endpoint.release(1)
            assert answer.result().status_code == 200
            until(lambda: in_real_time(endpoint.worker()) == 2, "the slot waits in real time")


@needs_permission
def test_kills_and_reloads_under_load(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(
        *(build("versioned-a"), "--priority", "realtime", "--cores", "apart"),
        *("--concurrency", "2"),
    )
    with load_on(endpoint) as load:
        for model, answer in (("versioned-b", B), ("versioned-a", A)):
            load.until_answered(20)
            until(lambda: len(endpoint.workers()) == 2, "only one revision is there")
            killed = next(iter(endpoint.workers().values()))
            os.kill(killed, signal.SIGKILL)
            until(
                lambda killed=killed: (
                    killed not in endpoint.workers().values() and len(endpoint.workers()) == 2
                ),
                "another worker is there",
            )
            load.until_answered(20)
            reloaded = pelton(
                *("reload", "--wait", str(build(model)), "--url", endpoint.url),
                cwd=endpoint.folder,
            )
            assert reloaded.returncode == 0, reloaded.stderr
            assert endpoint.ask(ROW).json() == answer
    lost = load.outcomes.keys() - {"['a']", "['b']"}
    assert all("killed by SIGKILL" in text for text in lost), lost
    until(
        lambda: [in_real_time(pid) for pid in endpoint.workers().values()] == [2, 2],
        "readers and slots wait in real time, and those of the revision before are gone",
    )


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
