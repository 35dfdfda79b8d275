"""Large bodies, which workers read where the server has put them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import LIMIT_S, until
from tests.e2e.large_support import JSON, memory, pieces, rows
from tests.zoo import build

from pelton.channel.bodies import KEPT_BYTES

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")


def request(seconds: float) -> bytes:
    """Return 4 MB that keep a slot busy for so long."""
    body = json.dumps({"dataframe_records": [{"seconds": seconds, "how": "c"}]}).encode()
    return body + b" " * 4_000_000


def shares(pid: int) -> bool:
    return "memfd:pelton-bodies" in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("fork", ["auto", "off"])
def test_they_are_answered_as_those_that_are_sent(live_endpoint: Serve, fork: str) -> None:
    endpoint = live_endpoint(build("sklearn4"), "--concurrency", "2", "--fork", fork)
    assert all(shares(pid) for pid in endpoint.workers().values())
    bodies = [rows(seed, many) for seed, many in enumerate([3_000, 40_000, 1, 12_000] * 5)]

    sent = [endpoint.ask(content=pieces(body), headers=JSON).json() for body in bodies]
    assert memory(endpoint) == 0
    placed = [endpoint.later(None, content=body, headers=JSON) for body in bodies]

    assert [answer.result().json() for answer in placed] == sent
    assert [len(answer["predictions"]) for answer in sent[:4]] == [3_000, 40_000, 1, 12_000]
    assert memory(endpoint) > 1_000_000


def test_wrong_ones_are_answered_as_those_that_are_sent(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("sklearn4"), "--concurrency", "1")
    good = rows(0, 20_000)
    for body in (
        good[:-3],
        good.replace(b"sepal_width", b"sepal_depth"),
        good.replace(b"[[", b'[["x",', 1),
        good.replace(b"[[", b"[[NaN, NaN, NaN, NaN], [", 1),
        b"\xff" + good,
    ):
        sent = endpoint.ask(content=pieces(body), headers=JSON)
        placed = endpoint.ask(content=body, headers=JSON)
        assert (placed.status_code, placed.text) == (sent.status_code, sent.text)
    assert endpoint.ask(content=good, headers=JSON).status_code == 200


def test_their_memory_is_free_again_whatever_ends_them(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("slow"), "--concurrency", "2", "--recheck", "0")

    def later(seconds: float) -> Any:
        return endpoint.later(None, content=request(seconds), headers=JSON)

    # Two that come in one turn of the server's loop would be one batch.
    crashed = [later(600.0)]
    until(lambda: endpoint.metric("pelton_busy_slots") == 1, "a slot is busy")
    crashed.append(later(600.0))
    until(lambda: endpoint.metric("pelton_busy_slots") == 2, "both slots are busy")
    waiting = [later(0.0) for _ in range(6)]
    until(lambda: endpoint.metric("pelton_queue_requests") >= 5, "the others wait")
    assert memory(endpoint) > KEPT_BYTES
    os.kill(next(iter(endpoint.workers().values())), signal.SIGKILL)
    until(lambda: any(answer.done() for answer in crashed), "one is lost")
    assert [answer.result().status_code for answer in waiting] == [200] * 6

    for pid in endpoint.workers().values():
        os.kill(pid, signal.SIGKILL)
    assert [answer.result().status_code for answer in crashed] == [503] * 2
    until(lambda: memory(endpoint) <= KEPT_BYTES, "memory is given back")

    timeout = httpx.Timeout(LIMIT_S, read=0.5)
    with httpx.Client(base_url=endpoint.url, timeout=timeout) as hasty:
        for _ in range(6):
            with pytest.raises(httpx.ReadTimeout):
                hasty.post("/invocations", content=request(600.0), headers=JSON)
    for pid in endpoint.workers().values():
        os.kill(pid, signal.SIGKILL)
    assert later(0.0).result().status_code == 200
    until(lambda: memory(endpoint) <= KEPT_BYTES, "memory is given back again")


def test_where_there_is_no_such_memory_they_are_sent(live_endpoint: Serve, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\ndel os.memfd_create\n")
    endpoint = live_endpoint(
        *(build("sklearn4"), "--concurrency", "1"), variables={"PYTHONPATH": str(tmp_path)}
    )
    endpoint.until_log("server.bodies_are_copied ")
    body = rows(0, 20_000)

    placed, sent = (endpoint.ask(content=it, headers=JSON) for it in (body, pieces(body)))

    assert (placed.status_code, placed.content) == (200, sent.content)
    assert memory(endpoint) == 0
