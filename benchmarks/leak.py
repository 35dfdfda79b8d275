"""Memory budgets: ``python -m benchmarks.leak [--seconds 300]``.

A model that leaks 20 MB a request under a budget of 1 GB: no request may fail, and no worker may
exceed its budget by more than 10 %.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

from tests.e2e.endpoint import Endpoint
from tests.zoo import build

from benchmarks.supervision import Steady, count_outcomes, percentile, show

_BUDGET = 1024**3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--rate", type=float, default=10.0, help="requests per second")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = run(args.seconds, args.rate)
    show("a model that leaks 20 MB a request, budget 1 GB", rows, as_json=args.json)
    return int(rows["failed"] > 0 or rows["peak of the budget"] > 1.10)


def run(seconds: float, rate: float) -> dict[str, Any]:
    """Return the figures of one run."""
    body = json.dumps({"dataframe_records": [{"fault": "leak", "argument": 20.0}]}).encode()
    flags = ("--memory-per-slot", "1GB", "--concurrency", "2", "--batching", "off")
    with Endpoint(build("faults"), *flags, "--recheck", "0") as endpoint:
        peaks: dict[int, int] = {}
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                for pid in endpoint.workers().values():
                    peaks[pid] = max(peaks.get(pid, 0), _pss(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        with Steady(endpoint.port, body, rate) as load:
            time.sleep(seconds)
        done.set()
        watcher.join()
    shots = load.shots
    return {
        "requests": len(shots),
        "leaked, GB": len(shots) * 20 / 1024,
        "failed": sum(1 for s in shots if s.status != 200),
        "outcomes": dict(count_outcomes(shots)),
        "workers used": len(peaks),
        "largest PSS, MB": max(peaks.values()) / 2**20,
        "peak of the budget": max(peaks.values()) / _BUDGET,
        "p99, ms": percentile([s.latency_s for s in shots], 0.99) * 1000,
    }


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
