"""A slot that checks an answer again is busy, though nobody waits for it."""

from __future__ import annotations

from tests.e2e.endpoint import until
from tests.faults.conftest import ServeFaults


def test_requests_go_elsewhere_meanwhile(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", "2", "--recheck", "1")
    first = endpoint.begin("hold_each", 1)
    endpoint.release(1)
    (checks,) = first.result().json()["predictions"]
    until(lambda: endpoint.times_begun("hold_each", 1) == 2, "it is checked again")

    others = [endpoint.do("none").json()["predictions"][0] for _ in range(4)]

    assert checks not in others
    assert endpoint.metric("pelton_busy_slots") >= 1
    endpoint.release(1)
    until(lambda: endpoint.metric("pelton_busy_slots") == 0, "it is through")
    assert "fastpath.off" not in endpoint.log()
