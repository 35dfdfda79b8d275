"""Reloads under load: ``python -m benchmarks.reload [--seconds 60] [--every 3]``.

Two versions whose answers differ take turns. Every request must be answered, by one version, and
never by the old one after the new one was reported active.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.e2e.endpoint import Endpoint, until
from tests.zoo import build

from benchmarks.supervision import Steady, count_outcomes, percentile, show

NAME = "reloaded"
_BODY = b'{"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the load")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between reloads")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = run(args.seconds, args.every, args.rate)
    show("reload under load", rows, as_json=args.json)
    return int(rows["failed"] > 0 or rows["mixed answers"] > 0 or rows["old after new"] > 0)


def run(seconds: float, every: float, rate: float) -> dict[str, Any]:
    """Return the figures of one run."""
    versions = {"a": str(build("versioned-a")), "b": str(build("versioned-b"))}
    with Endpoint(versions["a"], "--name", NAME, "--log-level", "info") as endpoint:
        quiet = _baseline(endpoint, rate, min(10.0, seconds / 4))
        # (instant at which it was reported active, version)
        active = [(time.monotonic(), "a")]
        reloads: list[tuple[float, float]] = []
        with Steady(endpoint.port, _BODY, rate) as load:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                version = "b" if active[-1][1] == "a" else "a"
                _switch(endpoint, versions[version])
                active.append((time.monotonic(), version))
                reloads.append((began, time.monotonic()))
                time.sleep(max(0.0, every - (time.monotonic() - began)))
        shots = load.shots
    during = [s.latency_s for s in shots if any(b <= s.intended <= e for b, e in reloads)]
    answers = [(s, s.body.decode()) for s in shots if s.status == 200]
    known = {'{"predictions": ["a"]}': "a", '{"predictions": ["b"]}': "b"}
    late = 0
    for shot, body in answers:
        then = [version for at, version in active if at <= shot.intended]
        allowed = {then[-1]} if then else set()
        # What was asked after one was reported active, and before the next reload began.
        following = [began for began, _ in reloads if then and began > active[len(then) - 1][0]]
        if following and shot.done < following[0] and known.get(body) not in allowed:
            late += 1
    return {
        "requests": len(shots),
        "failed": sum(1 for s in shots if s.status != 200),
        "outcomes": dict(count_outcomes(shots)),
        "mixed answers": sum(1 for _, body in answers if body not in known),
        "old after new": late,
        "reloads": len(reloads),
        "reload, median s": percentile([e - b for b, e in reloads], 0.5),
        "p99 without, ms": percentile(quiet, 0.99) * 1000,
        "p99 in reloads, ms": percentile(during, 0.99) * 1000,
        "p99 ratio": percentile(during, 0.99) / max(1e-9, percentile(quiet, 0.99)),
    }


def _baseline(endpoint: Endpoint, rate: float, seconds: float) -> list[float]:
    with Steady(endpoint.port, _BODY, rate) as load:
        time.sleep(seconds)
    return [s.latency_s for s in load.shots]


def _switch(endpoint: Endpoint, model: str) -> None:
    entity = {"entity_name": model, "workload_size": "Small", "scale_to_zero_enabled": False}
    url = f"/api/2.0/serving-endpoints/{NAME}"
    config = {"served_entities": [{**entity, "name": "served"}]}
    del config["served_entities"][0]["workload_size"]
    answer = endpoint.client.put(f"{url}/config", json=config)
    assert answer.status_code == 200, answer.text
    version = answer.json()["pending_config"]["config_version"]

    def is_active() -> bool:
        state = endpoint.get(url).json()
        assert state["state"]["config_update"] != "UPDATE_FAILED", state
        return bool(state.get("config", {}).get("config_version") == version)

    until(is_active, f"revision {version} is active")


if __name__ == "__main__":
    raise SystemExit(main())
