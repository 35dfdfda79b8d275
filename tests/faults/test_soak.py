"""Random faults under load, for a minute: one answer for each request, and nothing leaks."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.endpoint import together, until
from tests.faults.conftest import ServeFaults
from tests.faults.faulty import Faulty
from tests.faults.wire import Wire, request

SECONDS = 60.0
SLOTS = 4
CLIENTS = 24

# What a client sees of what it asks for, of its deadline of a second, and of whoever took its
# worker away.
GOOD = {200, 429, 503, 504}
FAULTS = {
    "none": GOOD,
    "sleep": GOOD,
    "raise": {400, 429, 503, 504},
    "segfault": {429, 500, 503, 504},
    "exit": {429, 500, 503, 504},
    "print": GOOD,
    "fork": GOOD,
    "sleep_gil": {429, 503, 504},
    "sleep_deaf": {429, 503, 504},
}
WEIGHTS = [600, 200, 80, 2, 2, 30, 20, 20, 20]


def _ask_until(endpoint: Faulty, end: float, seed: int, seen: list[tuple[str, int]]) -> None:
    choice = random.Random(seed)
    while time.monotonic() < end:
        (fault,) = choice.choices(list(FAULTS), WEIGHTS)
        argument = {"sleep": 0.02, "print": 1, "fork": 1}.get(fault, 5)
        if choice.random() < 0.03:  # a client that does not wait for its answer
            with Wire(endpoint.port) as wire:
                wire.send(request(fault, argument, "X-Request-Timeout-Seconds: 1"))
            continue
        answer = endpoint.do(fault, argument, headers={"X-Request-Timeout-Seconds": "1"})
        seen.append((fault, answer.status_code))
        if answer.status_code in (429, 503):
            time.sleep(0.1)


def _hurt_until(endpoint: Faulty, end: float) -> None:
    choice = random.Random(0)
    while time.monotonic() < end:
        victims = [*endpoint.workers().values()]
        if choice.random() < 0.1:
            victims = [p.pid for p in endpoint.processes() if p.name.endswith("-fork")]
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(choice.choice(victims), choice.choice([signal.SIGKILL, signal.SIGSTOP]))
        time.sleep(choice.uniform(1.0, 5.0))


def _descriptors(endpoint: Faulty) -> int:
    return len(list(Path(f"/proc/{endpoint.process.pid}/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_faults_under_load(faulty_endpoint: ServeFaults) -> None:
    endpoint = faulty_endpoint("--concurrency", str(SLOTS), "--queue-limit", "16")
    endpoint.assert_well()
    descriptors = _descriptors(endpoint)
    seen: list[list[tuple[str, int]]] = [[] for _ in range(CLIENTS)]
    end = time.monotonic() + SECONDS

    together(
        *[partial(_ask_until, endpoint, end, i, seen[i]) for i in range(CLIENTS)],
        partial(_hurt_until, endpoint, end),
    )

    answers = Counter(answer for client in seen for answer in client)
    print(sorted(answers.items()))
    assert sum(answers.values()) > 100
    assert {
        f"{fault} {status}" for fault, status in answers if status not in FAULTS[fault]
    } == set()
    endpoint.until_ready()
    until(lambda: len(endpoint.workers()) == SLOTS, "all workers are there again")
    until(lambda: endpoint.do("none").status_code == 200, "a good request is answered")
    recorded = sum(answers.values())
    until(
        lambda: (
            endpoint.metric("pelton_requests_total")
            - endpoint.metric("pelton_requests_total", status="499")
            >= recorded
        ),
        "every answer is recorded",
    )
    until(lambda: _descriptors(endpoint) <= descriptors + 2, "descriptors are closed")
    # What models have forked is named as the worker they were forked in.
    until(
        lambda: (
            len([p for p in endpoint.processes() if re.fullmatch(r"worker-\d+", p.name)]) == SLOTS
        ),
        "what the model left behind has ended",
    )
