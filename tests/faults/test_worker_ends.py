"""A worker that ends with a request in it costs that request one clear error, and nobody else."""

from __future__ import annotations

import os
import resource
import signal

import psutil  # type: ignore[import-untyped]
import pytest
from tests.e2e.endpoint import until
from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty, assert_problem

CRASHED = (500, "INTERNAL_ERROR")
LOST = (503, "TEMPORARILY_UNAVAILABLE")
"""Killed by a signal that comes from outside: a retry is worth it."""


# Three a server: from the fourth failure of a minute on, a restart waits.
@pytest.mark.parametrize(
    "endings",
    [
        {
            "segfault": (CRASHED, "SIGSEGV"),
            "exit": (CRASHED, "status 9"),
            "kill": (LOST, "SIGKILL"),
        },
        {
            "abort": (CRASHED, "SIGABRT"),
            "sys_exit": (CRASHED, "status 9"),
            "terminate": (LOST, "SIGTERM"),
        },
    ],
    ids=lambda endings: "-".join(endings),
)
def test_worker_that_ends_fails_its_own_request_only(
    endings: dict[str, tuple[tuple[int, str], str]], faulty_endpoint: ServeFaults
) -> None:
    endpoint = faulty_endpoint("--concurrency", "2")

    for number, (fault, (expected, how)) in enumerate(endings.items()):
        bystander = endpoint.hold(number)
        assert_problem(endpoint.do(fault, 9), *expected, how)
        endpoint.release(number)
        assert bystander.result().status_code == 200
        endpoint.assert_well()

    until(lambda: len(endpoint.workers()) == 2, "both workers are there again")
    assert {fault: endpoint.times_begun(fault, 9) for fault in endings} == dict.fromkeys(endings, 1)


def test_killed_worker_loses_only_what_was_in_it(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    running = endpoint.hold()
    queued = [endpoint.queue("none", i) for i in (1, 2, 3)]

    os.kill(endpoint.worker(), signal.SIGKILL)

    assert_problem(running.result(), *LOST, "SIGKILL", "retry")
    assert [answer.result().status_code for answer in queued] == [200, 200, 200]
    assert [endpoint.times_begun("none", i) for i in (1, 2, 3)] == [1, 1, 1]
    endpoint.assert_well()


def test_killed_fork_server_is_replaced(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    fork_server, worker = endpoint.fork_server(), endpoint.worker()
    running = endpoint.hold()

    os.kill(fork_server, signal.SIGKILL)
    until(lambda: not _is_alive(fork_server), "it has ended")
    endpoint.release()
    assert running.result().status_code == 200  # workers do not depend on it
    # Nobody is left to say how a worker ended; that it did is seen all the same.
    assert_problem(endpoint.do("kill"), *LOST)

    endpoint.assert_well()
    assert endpoint.worker() != worker
    assert endpoint.fork_server() != fork_server


def test_stopped_fork_server_is_replaced(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    os.kill(endpoint.fork_server(), signal.SIGSTOP)
    endpoint.until_log("forkserver.stopped")

    os.kill(endpoint.worker(), signal.SIGKILL)
    endpoint.until_log("forkserver.lost")

    assert endpoint.do("none").status_code == 200


def test_workers_are_replaced_without_forking(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1", "--fork", "off")

    assert_problem(endpoint.do("segfault"), *CRASHED, "SIGSEGV")
    endpoint.assert_well()


def test_memory_that_runs_out(faulty_endpoint: ServeFaults) -> None:
    """The system refuses memory: MLflow's answer to a model that raises, and the worker lives."""
    endpoint = faulty_endpoint("--concurrency", "1")
    worker = endpoint.worker()
    limit = psutil.Process(worker).memory_info().vms + (256 << 20)
    resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))

    answer = endpoint.do("allocate_forever")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert "MemoryError" in answer.json()["stack_trace"]
    endpoint.assert_well()
    assert endpoint.worker() == worker


def test_worker_that_outgrows_its_budget(faulty_endpoint: ServeFaults) -> None:
    """The model takes memory without end: it is stopped long before the machine is out of it."""
    endpoint = faulty_endpoint("--concurrency", "1", "--memory-per-slot", "512MB")

    answer = endpoint.do("allocate_forever", 8192)

    assert_problem(answer, *CRASHED, "budget", "--workload-type")
    endpoint.assert_well()


@pytest.mark.parametrize("ending", ["raise", "recursion", "memory_error"])
def test_model_that_raises_is_mlflow_s_400(ending: str, raising: Faulty) -> None:
    worker = raising.worker()

    answer = raising.do(ending)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert answer.json()["message"].startswith("Encountered an unexpected error while evaluating")
    raising.assert_well()
    assert raising.worker() == worker


def _is_alive(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_what_a_model_forks_ends_with_its_worker(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    for fault in ("fork", "subprocess"):
        assert endpoint.do(fault, 600).status_code == 200
    assert endpoint.do("fork_returns").status_code == 200
    endpoint.assert_well()
    children = [child.pid for child in psutil.Process(endpoint.worker()).children()]
    # The one that came back out of predict ends by itself, perhaps a little later.
    until(lambda: len([pid for pid in children if _is_alive(pid)]) == 2, "two are left")

    assert_problem(endpoint.do("exit", 1), *CRASHED)

    until(lambda: not any(map(_is_alive, children)), "the model's children have ended")
    endpoint.assert_well()


def test_worker_without_descriptors(faulty_endpoint: ServeFaults) -> None:
    """The model closes what it does not own, the channel among it."""
    endpoint = faulty_endpoint("--concurrency", "1")

    answer = endpoint.do("close_all")

    # It kills itself, or is killed for having closed the channel.
    assert_problem(answer, *(LOST if answer.status_code == 503 else CRASHED))
    endpoint.assert_well()
