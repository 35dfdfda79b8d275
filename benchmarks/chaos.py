"""Everything at once: ``python -m benchmarks.chaos [--seconds 120] [--seed 1]``.

Under a steady load workers and fork servers are killed and stopped, versions are reloaded, bad
versions are offered, and clients go away. Every request must end exactly once; the errors may be
at most the requests inside killed workers; nothing may be left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.endpoint import Endpoint, until
from tests.zoo import build

from benchmarks.reload import NAME
from benchmarks.supervision import Steady, count_outcomes, percentile, show

_BODY = b'{"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}'
_ANSWERS = (b'{"predictions": ["a"]}', b'{"predictions": ["b"]}')
_BAD = ("load-raises", "predict-raises", "load-exits")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=150.0, help="requests per second")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = run(args.seconds, args.rate, args.pause, args.seed)
    show("chaos", rows, as_json=args.json)
    return int(bool(violations(rows)))


def violations(rows: dict[str, Any]) -> list[str]:
    """Return which promises were broken."""
    found = []
    if rows["unanswered"]:
        found.append("requests without an answer")
    if rows["errors"] > rows["errors allowed"]:
        found.append("more errors than requests inside killed workers")
    if rows["wrong answers"]:
        found.append("wrong answers")
    if rows["leaked descriptors"]:
        found.append("descriptors leaked")
    return found


def run(seconds: float, rate: float, pause: float, seed: int) -> dict[str, Any]:
    """Return the figures of one run; that no process is left is checked when the server ends."""
    chance = random.Random(seed)
    good = [str(build("versioned-a")), str(build("versioned-b"))]
    bad = [str(build(name)) for name in _BAD]
    with Endpoint(good[0], "--name", NAME, "--concurrency", "3", *_ALONE) as endpoint:
        faults: Counter[str] = Counter()
        victims: list[int] = []
        before = _descriptors(endpoint)

        def kill() -> str:
            victims.append(_one(chance, endpoint.workers()))
            os.kill(victims[-1], signal.SIGKILL)
            return "killed"

        def stop() -> str:
            victims.append(_one(chance, endpoint.workers()))
            os.kill(victims[-1], signal.SIGSTOP)
            return "stopped"

        def kill_fork_server() -> str:
            pattern = re.compile(r"worker-\d+-fork|pelton-libs")
            pids = {p.name: p.pid for p in endpoint.processes() if pattern.fullmatch(p.name)}
            os.kill(_one(chance, pids), signal.SIGKILL)
            return "fork server killed"

        def reload() -> str:
            return f"reload {_offer(endpoint, chance.choice(good))}"

        def offer_bad() -> str:
            return f"bad revision {_offer(endpoint, chance.choice(bad))}"

        actions: list[Callable[[], str]] = [
            *([kill] * 4), *([stop] * 2), kill_fork_server, *([reload] * 3), offer_bad
        ]  # fmt: skip
        with Steady(endpoint.port, _BODY, rate, leave_share=0.05, seed=seed) as load:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(chance.expovariate(1.0 / pause))
                # A worker may be gone between the look and the blow.
                with contextlib.suppress(ProcessLookupError, IndexError):
                    faults[chance.choice(actions)()] += 1
            until(endpoint.is_ready, "ready again")
        until(lambda: _state(endpoint) != "IN_PROGRESS", "no update in progress")
        # Connections of the load and of the last faults take a moment to be closed.
        with contextlib.suppress(AssertionError):
            until(lambda: _descriptors(endpoint) <= before + 8, "descriptors closed", 20.0)
        leaked = _descriptors(endpoint) - before
        assert endpoint.ask(content=_BODY, headers=_JSON).status_code == 200
    shots = load.shots
    answers = [s for s in shots if s.status == 200]
    errors = [s for s in shots if not s.left and s.status not in (200, 0)]
    return {
        "requests": len(shots),
        "outcomes": dict(count_outcomes(shots)),
        "faults": dict(faults),
        "unanswered": sum(1 for s in shots if not s.left and s.status == 0),
        "wrong answers": sum(1 for s in answers if s.body not in _ANSWERS),
        "errors": len(errors),
        "errors allowed": len(victims),
        "p50, ms": percentile([s.latency_s for s in answers], 0.5) * 1000,
        "p99, ms": percentile([s.latency_s for s in answers], 0.99) * 1000,
        "leaked descriptors": max(0, leaked - 8),
    }


# One request in a worker at a time: then a death may cost one, and no more.
_ALONE = ("--batching", "off", "--no-access-log")
_JSON = {"content-type": "application/json"}


def _one(chance: random.Random, pids: dict[str, int]) -> int:
    return chance.choice(sorted(pids.values()))


def _offer(endpoint: Endpoint, model: str) -> str:
    config = {"served_entities": [{"entity_name": model, "scale_to_zero_enabled": False}]}
    url = f"/api/2.0/serving-endpoints/{NAME}/config"
    status = endpoint.client.put(url, json=config).status_code
    assert status in (200, 409), status
    return "begun" if status == 200 else "refused"


def _state(endpoint: Endpoint) -> str:
    state = endpoint.get(f"/api/2.0/serving-endpoints/{NAME}").json()["state"]
    return str(state["config_update"])


def _descriptors(endpoint: Endpoint) -> int:
    return len(list(Path(f"/proc/{endpoint.process.pid}/fd").iterdir()))


if __name__ == "__main__":
    raise SystemExit(main())
