"""More than can be done: one answer for each request, no run for what nobody waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e.endpoint import until
from tests.faults.faulty import Faulty, assert_problem
from tests.faults.wire import Wire, request

pytestmark = pytest.mark.xdist_group("overload")

LIMIT = 4


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Faulty]:
    with Faulty("--concurrency", "1", "--queue-limit", str(LIMIT)) as endpoint:
        yield endpoint


def test_full_queue_refuses(endpoint: Faulty) -> None:
    running = endpoint.hold(1)
    queued = [endpoint.queue("none", i) for i in range(1, LIMIT + 1)]

    refused = endpoint.do("none", LIMIT + 1)

    endpoint.release(1)
    assert_problem(refused, 429, "REQUEST_LIMIT_EXCEEDED", "Too many concurrent", "--concurrency")
    assert [answer.result().status_code for answer in (running, *queued)] == [200] * (LIMIT + 1)
    assert endpoint.times_begun("none", LIMIT + 1) == 0
    endpoint.assert_well()


def test_every_request_of_a_flood_is_answered_once(endpoint: Faulty) -> None:
    many = 300
    with ThreadPoolExecutor(32) as clients:
        answers = list(clients.map(lambda _: endpoint.do("sleep", 0.011), range(many)))

    by_status = Counter(answer.status_code for answer in answers)
    assert set(by_status) == {200, 429}
    assert endpoint.times_begun("sleep", 0.011) == by_status[200]
    for answer in answers:
        if answer.status_code == 429:
            assert_problem(answer, 429, "REQUEST_LIMIT_EXCEEDED")
    assert len({answer.headers["x-request-id"] for answer in answers}) == many
    endpoint.assert_well()


def test_deadline_that_passes_in_the_queue(endpoint: Faulty) -> None:
    running = endpoint.hold(2)

    late = endpoint.do("none", 21, headers={"X-Request-Timeout-Seconds": "0.5"})

    endpoint.release(2)
    if late.status_code == 429:  # refused at once: this backlog takes longer than it has time
        assert_problem(late, 429, "REQUEST_LIMIT_EXCEEDED", "before its deadline")
    else:
        assert_problem(late, 504, "DEADLINE_EXCEEDED", "while waiting for a slot")
    assert running.result().status_code == 200
    endpoint.assert_well()
    assert endpoint.times_begun("none", 21) == 0


def test_client_that_leaves_the_queue_is_not_served(endpoint: Faulty) -> None:
    running = endpoint.hold(3)
    with Wire(endpoint.port) as client:
        client.send(request("none", 31))
        endpoint.until_queued(1)
    endpoint.until_queued(0)
    endpoint.release(3)

    assert running.result().status_code == 200
    endpoint.assert_well()
    assert endpoint.times_begun("none", 31) == 0


def test_client_that_leaves_what_was_sent_ahead_is_not_served(endpoint: Faulty) -> None:
    """Once the model's pace is known, the next request waits in the worker."""
    for _ in range(10):
        assert endpoint.do("sleep", 0.1).status_code == 200
    with Wire(endpoint.port) as first:
        with Wire(endpoint.port) as second:
            first.send(request("hold", 7))
            second.send(request("none", 71))  # before the first one is late
            endpoint.until_queued(1)
        endpoint.until_queued(0)
        waiting = endpoint.queue("none", 72)
        endpoint.release(7)
        assert first.answer().status == 200
    assert waiting.result().status_code == 200
    endpoint.assert_well()
    assert endpoint.times_begun("none", 71) == 0


def test_client_that_leaves_while_it_is_served(endpoint: Faulty) -> None:
    """It is not run again, and the slot is free once the model has finished with it."""
    with Wire(endpoint.port) as client:
        client.send(request("hold", 4))
        until(lambda: endpoint.times_begun("hold", 4), "it runs")
    until(lambda: endpoint.metric("pelton_requests_total", status="499"), "it is recorded")
    waiting = endpoint.queue("none", 41)  # the slot is not free yet
    endpoint.release(4)

    assert waiting.result().status_code == 200
    assert endpoint.times_begun("hold", 4) == 1


def test_slow_body_holds_no_slot(endpoint: Faulty) -> None:
    whole = request("none", 51)
    with Wire(endpoint.port) as client:
        client.send(whole[:-5])
        for _ in range(3):
            endpoint.assert_well()
        client.send(whole[-5:])

        assert client.answer().status == 200
    assert endpoint.times_begun("none", 51) == 1


def test_probes_answer_while_every_slot_is_busy(endpoint: Faulty) -> None:
    running = endpoint.hold(6)
    queued = [endpoint.queue("none", 61) for _ in range(LIMIT)]

    probes = ["/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready", "/metrics"]
    assert {endpoint.get(path).status_code for path in probes} == {200}

    endpoint.release(6)
    assert [answer.result().status_code for answer in (running, *queued)] == [200] * (LIMIT + 1)
