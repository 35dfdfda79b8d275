"""Predictions that do not end, and workers that do not move: 504 or 503, and a free slot again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from tests.e2e.endpoint import until
from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty, assert_problem

pytestmark = pytest.mark.xdist_group("stuck")

ONE_SECOND = {"X-Request-Timeout-Seconds": "1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Faulty]:
    """One slot. What ends here ends for a deadline, which no restart has to wait for."""
    with Faulty("--concurrency", "1") as endpoint:
        yield endpoint


@pytest.mark.parametrize("fault", ["sleep", "sleep_c", "spin"])
def test_what_can_be_interrupted_is(fault: str, endpoint: Faulty) -> None:
    answer = endpoint.do(fault, 600, headers=ONE_SECOND)

    assert_problem(answer, 504, "DEADLINE_EXCEEDED", "while being predicted", "--timeout")
    endpoint.assert_well()
    assert endpoint.times_begun(fault, 600) == 1


@pytest.mark.parametrize("fault", ["sleep_gil", "sleep_deaf"])
def test_what_cannot_be_interrupted_is_killed(fault: str, endpoint: Faulty) -> None:
    worker = endpoint.worker()

    answer = endpoint.do(fault, 600, headers=ONE_SECOND)

    assert_problem(answer, 504, "DEADLINE_EXCEEDED", "while being predicted")
    endpoint.assert_well()
    assert endpoint.worker() != worker


def test_deadlines_never_count_as_a_crash_loop(endpoint: Faulty) -> None:
    for _ in range(5):
        assert endpoint.do("sleep_gil", 600, headers=ONE_SECOND).status_code == 504

    assert "worker.backing_off" not in endpoint.log()
    endpoint.assert_well()


def test_the_server_s_own_limit_holds_for_all(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1", "--timeout", "2")

    assert_problem(endpoint.do("sleep_c", 600), 504, "DEADLINE_EXCEEDED")
    longer = endpoint.do("sleep_c", 600, headers={"X-Request-Timeout-Seconds": "600"})
    assert_problem(longer, 504, "DEADLINE_EXCEEDED")


def test_nobody_waits_behind_what_is_stuck(faulty_endpoint: ServeFaults) -> None:
    """Requests that were sent ahead to its slot are answered by the other one."""
    endpoint = faulty_endpoint(
        *("--concurrency", "2", "--batching", "on", "--log-level", "debug", "--timeout", "60")
    )
    for _ in range(20):  # has it learn what batches take
        assert endpoint.do("sleep", 0.2).status_code == 200
    for attempt in range(1, 21):
        stuck = endpoint.hold(attempt)
        begun = time.monotonic()
        others = [endpoint.do_later("sleep", 0.2)]
        while time.monotonic() - begun < 0.3:  # ahead late in a batch, as far as anyone knows
            others.append(endpoint.do_later("none"))
            time.sleep(0.02)

        assert {other.result(timeout=10).status_code for other in others} == {200}
        assert not stuck.done()

        endpoint.release(attempt)
        assert stuck.result().status_code == 200
        if "batch.returned" in endpoint.log():
            return
    pytest.fail("nothing was sent ahead to the slot that is stuck")


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", ""])
def test_timeout_that_is_none(text: str, endpoint: Faulty) -> None:
    answer = endpoint.do("none", headers={"X-Request-Timeout-Seconds": text})

    assert_problem(answer, 400, "INVALID_PARAMETER_VALUE", "X-Request-Timeout-Seconds")
    endpoint.assert_well()


def test_idle_worker_that_is_stopped_is_replaced(endpoint: Faulty) -> None:
    worker = endpoint.worker()

    os.kill(worker, signal.SIGSTOP)

    until(lambda: worker not in endpoint.workers().values(), "the stopped worker is gone")
    endpoint.assert_well()


def test_busy_worker_that_is_stopped_is_replaced(endpoint: Faulty) -> None:
    running = endpoint.begin("sleep", 500)
    worker = endpoint.worker()

    os.kill(worker, signal.SIGSTOP)

    assert_problem(running.result(), 503, "TEMPORARILY_UNAVAILABLE", "SIGSTOP")
    endpoint.assert_well()
    assert endpoint.worker() != worker
