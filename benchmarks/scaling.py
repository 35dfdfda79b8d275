"""Scaling: ``python -m benchmarks.scaling``.

From one slot to eight after a burst; to zero and back, with what is kept warm meanwhile.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.e2e.endpoint import Endpoint, until
from tests.zoo import build

from benchmarks.reload import NAME
from benchmarks.supervision import show

_SLOW = {"dataframe_records": [{"seconds": 0.5, "how": "python"}]}
_QUICK = {"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    show("burst", burst(), as_json=args.json)
    for warm in ("off", "libraries", "model"):
        show(f"to zero and back, --keep-warm {warm}", to_zero(warm), as_json=args.json)
    return 0


def burst() -> dict[str, Any]:
    """Return how long it takes from a burst to eight slots."""
    flags = ("--min-concurrency", "1", "--max-concurrency", "8", "--memory-per-slot", "1GB")
    with Endpoint(build("slow"), *flags, "--batching", "off", "--no-access-log") as endpoint:
        assert len(endpoint.workers()) == 1
        began = time.monotonic()
        answers = [endpoint.later(_SLOW) for _ in range(64)]
        until(lambda: endpoint.metric("provisioned_concurrent_requests_total") == 8, "8 slots")
        taken = time.monotonic() - began
        statuses = [answer.result().status_code for answer in answers]
    return {"1 to 8 slots, s": taken, "answered": statuses.count(200), "of": len(statuses)}


def to_zero(warm: str) -> dict[str, Any]:
    """Return how long the request that wakes an endpoint waits."""
    flags = ("--scale-to-zero", "--scale-to-zero-after", "2s", "--keep-warm", warm, "--name", NAME)
    with Endpoint(build("versioned-a"), *flags, "--concurrency", "2") as endpoint:
        endpoint.ask(_QUICK).raise_for_status()
        until(lambda: not endpoint.workers(), "asleep")
        state = endpoint.get(f"/api/2.0/serving-endpoints/{NAME}").json()
        entity = state["config"]["served_entities"][0]["state"]
        began = time.monotonic()
        answers = [endpoint.later(_QUICK) for _ in range(20)]
        statuses = [answer.result().status_code for answer in answers]
        taken = time.monotonic() - began
        wakes = endpoint.log().count("before=0")
    return {
        "state asleep": f"{state['state']['ready']}, {entity['deployment_state_message']}",
        "20 waking requests, all answered after s": taken,
        "answered": statuses.count(200),
        "wake-ups": wakes,
    }


if __name__ == "__main__":
    raise SystemExit(main())
