"""Large bodies, which lie where workers read them, while workers die and versions change."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from functools import partial

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import Endpoint, together, until
from tests.e2e.large_support import JSON, memory, pieces, rows
from tests.faults.wire import Wire
from tests.zoo import build

from pelton.channel.bodies import KEPT_BYTES

SECONDS = 30.0
SLOTS = 3
CLIENTS = 10
SIZES = (2_500, 4_000, 9_000, 25_000, 60_000)


def _leave(endpoint: Endpoint, body: bytes, sent: int) -> None:
    """Be a client that goes before it has an answer, and perhaps before its body is whole."""
    head = f"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    with Wire(endpoint.port) as wire:
        wire.send(head.encode() + b"content-type: application/json\r\n\r\n" + body[:sent])


def _ask_until(
    endpoint: Endpoint,
    end: float,
    seed: int,
    known: list[tuple[bytes, bytes]],
    seen: Counter[str],
) -> None:
    choice = random.Random(seed)
    while time.monotonic() < end:
        body, right = choice.choice(known)
        if choice.random() < 0.1:
            _leave(endpoint, body, choice.choice([len(body), len(body) // 2]))
            continue
        headers = {**JSON, "X-Request-Timeout-Seconds": "4"}
        answer = endpoint.ask(content=body, headers=headers)
        if answer.status_code == 200:
            seen["right" if answer.content == right else "wrong"] += 1
        else:
            seen[str(answer.status_code)] += 1
            time.sleep(0.05)


def _hurt_until(endpoint: Endpoint, end: float) -> None:
    choice = random.Random(0)
    while time.monotonic() < end:
        time.sleep(choice.uniform(0.5, 3.0))
        if choice.random() < 0.3:
            endpoint.send_signal(signal.SIGHUP)  # a new revision of the same model
            continue
        victims = [*endpoint.workers().values()]
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(choice.choice(victims), choice.choice([signal.SIGKILL, signal.SIGSTOP]))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux has these files")
def test_large_bodies_while_workers_die_and_versions_change(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("sklearn4"), "--concurrency", str(SLOTS))
    known = []
    for seed, many in enumerate(SIZES * 3):
        body = rows(seed, many)
        answer = endpoint.ask(content=pieces(body), headers=JSON)
        assert answer.status_code == 200
        known.append((body, answer.content))
    seen: list[Counter[str]] = [Counter() for _ in range(CLIENTS)]
    end = time.monotonic() + SECONDS

    together(
        *[partial(_ask_until, endpoint, end, i, known, seen[i]) for i in range(CLIENTS)],
        partial(_hurt_until, endpoint, end),
    )

    outcomes = sum(seen, Counter[str]())
    print(outcomes)
    assert outcomes["right"] > 100
    assert set(outcomes) <= {"right", "429", "503", "504"}
    until(lambda: memory(endpoint) <= KEPT_BYTES, "memory is given back")
    endpoint.until_ready()
    until(
        lambda: endpoint.ask(content=known[0][0], headers=JSON).content == known[0][1],
        "a large body is answered",
    )
