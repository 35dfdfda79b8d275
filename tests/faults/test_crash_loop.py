"""A model that crashes again and again: readiness says so, requests are told when to come back."""

from __future__ import annotations

from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty, assert_problem


def _is_backing_off(endpoint: Faulty) -> bool:
    readiness = endpoint.get("/v2/health/ready")
    if readiness.status_code != 503 or "keep failing" not in readiness.json()["reason"]:
        return False
    answer = endpoint.do("none")
    if answer.status_code == 200:  # it has come back meanwhile
        return False
    assert_problem(answer, 503, "TEMPORARILY_UNAVAILABLE", "keep failing", "exited with status 7")
    assert endpoint.get("/ping").status_code == 503
    assert endpoint.get("/v2/health/live").status_code == 200
    return True


def test_crash_loop_shows_and_ends(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "1")

    for _ in range(12):  # each pause is twice as long as the one before
        endpoint.until_ready()
        assert_problem(endpoint.do("exit", 7), 500, "INTERNAL_ERROR", "status 7")
        if _is_backing_off(endpoint):
            break
    else:
        raise AssertionError("the crash loop never showed")

    endpoint.until_ready()
    endpoint.assert_well()
