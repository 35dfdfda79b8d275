"""The end of a server: what was accepted is answered, and no process survives it."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from tests.e2e.endpoint import until
from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty, assert_problem


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered(
    number: signal.Signals, faulty_endpoint: ServeFaults
) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    running = endpoint.hold()
    queued = [endpoint.queue("none", i) for i in (1, 2, 3)]

    endpoint.send_signal(number)
    until(lambda: not endpoint.is_ready(), "readiness is off")
    assert_problem(endpoint.do("none", 4), 503, "TEMPORARILY_UNAVAILABLE", "shutting down")
    assert endpoint.get("/v2/health/live").status_code == 200
    endpoint.release()

    assert [answer.result().status_code for answer in (running, *queued)] == [200] * 4
    assert endpoint.until_ended() == 0
    assert endpoint.times_begun("none", 4) == 0


def with_one_sent_ahead(endpoint: Faulty, fault: str) -> list[Future[httpx.Response]]:
    """Have a request running and another at its worker: as far as is known one takes 0.5 s."""
    for _ in range(9):
        assert endpoint.do("sleep", 0.5).status_code == 200
    running = endpoint.hold() if fault == "hold" else endpoint.begin(fault, 600)
    return [running, endpoint.queue("none", 1)]


def test_what_was_sent_ahead_is_answered(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    answers = with_one_sent_ahead(endpoint, "hold")

    endpoint.send_signal(signal.SIGTERM)
    until(lambda: not endpoint.is_ready(), "readiness is off")
    endpoint.release()

    assert [answer.result().status_code for answer in answers] == [200, 200]
    assert endpoint.until_ended() == 0
    assert "drain_timed_out" not in endpoint.log(), "there was nothing to wait for"


def test_what_was_sent_ahead_and_cannot_be_answered_is_refused(
    faulty_endpoint: ServeFaults,
) -> None:
    endpoint = faulty_endpoint("--concurrency", "1", "--drain-timeout", "1")
    answers = with_one_sent_ahead(endpoint, "sleep_gil")

    assert endpoint.end() == 0

    for answer in answers:
        assert_problem(answer.result(), 503, "TEMPORARILY_UNAVAILABLE", "shut down")
    assert endpoint.times_begun("none", 1) == 0


def test_no_request_is_dropped_under_load(faulty_endpoint: ServeFaults) -> None:
    """Each client asks until it is refused: every answer is whole, none is missing."""
    endpoint = faulty_endpoint("--concurrency", "2")

    def ask_until_refused(_: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        while not seen[503]:
            try:
                seen[endpoint.do("sleep", 0.01).status_code] += 1
            except httpx.ConnectError:  # not accepted any more
                break
        return seen

    with ThreadPoolExecutor(16) as clients:
        running = [clients.submit(ask_until_refused, i) for i in range(16)]
        until(lambda: endpoint.times_begun("sleep", 0.01) > 100, "there is load")
        assert endpoint.end() == 0

        answers = sum((client.result() for client in running), Counter())
    assert set(answers) <= {200, 503}
    assert endpoint.times_begun("sleep", 0.01) == answers[200]


def test_what_does_not_end_in_time_is_refused(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1", "--drain-timeout", "1")
    running = endpoint.begin("sleep_gil", 600)
    queued = endpoint.queue("none", 1)

    assert endpoint.end() == 0

    for answer in (running, queued):
        assert_problem(answer.result(), 503, "TEMPORARILY_UNAVAILABLE", "shut down")
    assert endpoint.times_begun("none", 1) == 0


def test_second_signal_ends_it_at_once(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    running = endpoint.begin("sleep_gil", 600)

    endpoint.send_signal(signal.SIGTERM)
    until(lambda: not endpoint.is_ready(), "the first signal has been seen")
    assert endpoint.end() == -signal.SIGTERM

    assert isinstance(running.exception(), httpx.TransportError)
    endpoint.until_gone()


def test_signal_while_the_model_loads(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint(await_ready=False)

    assert endpoint.end() == 0
    endpoint.until_gone()


@pytest.mark.parametrize("fork", ["auto", "off"])
def test_nothing_survives_a_killed_server(fork: str, faulty_endpoint: ServeFaults) -> None:
    """Nor a worker in which no Python runs, nor one that ignores signals: the kernel ends them."""
    endpoint = faulty_endpoint("--concurrency", "2", "--fork", fork)
    assert endpoint.do("signals").status_code == 200
    endpoint.begin("sleep_gil", 600)
    assert len(endpoint.workers()) == 2

    assert endpoint.end(signal.SIGKILL) == -signal.SIGKILL

    endpoint.until_gone()


def test_nothing_survives_that_a_model_has_started(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")
    for fault in ("fork", "subprocess", "threads"):
        assert endpoint.do(fault, 600 if fault != "threads" else 3).status_code == 200

    assert endpoint.end() == 0

    endpoint.until_gone()
