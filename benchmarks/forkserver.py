"""What forking saves: ``python -m benchmarks.forkserver [--workers 8] [--kills 20]``.

A scikit-learn model of about 200 MB: memory of all workers against one, and the time from the
death of a worker to the first answer of its successor, forked and spawned.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.e2e.endpoint import Endpoint, until

from benchmarks.supervision import median, show

_FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks" / "large-kd-tree"
BODY = {"inputs": [[0.5, 0.5, 0.5, 0.5]]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20, help="workers killed, one by one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    model = large_model()
    show("fork server", measure(model, "auto", args.workers, args.kills), as_json=args.json)
    show("spawning", measure(model, "off", min(2, args.workers), 3), as_json=args.json)
    return 0


def measure(model: Path, fork: str, workers: int, kills: int) -> dict[str, Any]:
    """Return memory and times of one way to start workers."""
    flags = ("--fork", fork, "--memory-per-slot", "1GB")
    with Endpoint(model, *flags, "--concurrency", "1", "--no-access-log") as endpoint:
        endpoint.ask(BODY).raise_for_status()
        one = sum(_pss(p.pid) for p in endpoint.processes() if _is_model_side(p.name))
        answered = [_replace(endpoint) for _ in range(kills)]
    with Endpoint(model, *flags, "--concurrency", str(workers)) as endpoint:
        for _ in range(workers * 4):
            endpoint.ask(BODY).raise_for_status()
        every = sum(_pss(p.pid) for p in endpoint.processes() if _is_model_side(p.name))
    return {
        "model, MB on disk": sum(f.stat().st_size for f in model.rglob("*") if f.is_file()) / 2**20,
        "one worker and its fork server, PSS MB": one / 2**20,
        f"{workers} workers and all, PSS MB": every / 2**20,
        "ratio": every / one,
        "killed to answered, median ms": median(answered) * 1000,
        "killed to answered, max ms": max(answered) * 1000,
    }


def _replace(endpoint: Endpoint) -> float:
    """Kill the only worker; return the seconds until a request is answered again."""
    pid = endpoint.worker()
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    # The request that finds the worker dying is an error of its own; the next one waits.
    while endpoint.ask(BODY).status_code != 200:
        pass
    taken = time.monotonic() - began
    until(lambda: endpoint.workers() and pid not in endpoint.workers().values(), "replaced")
    return taken


def _is_model_side(name: str) -> bool:
    return name.startswith(("worker-", "pelton-libs"))


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def large_model() -> Path:
    """Return a saved k-nearest-neighbours model of about 200 MB, made once."""
    if not (_FOLDER / "MLmodel").is_file():
        import mlflow
        import numpy as np
        from sklearn.neighbors import KNeighborsRegressor

        points = np.random.default_rng(1).random((4_000_000, 4))
        model = KNeighborsRegressor(1, algorithm="kd_tree").fit(points, points[:, 0])
        _FOLDER.parent.mkdir(parents=True, exist_ok=True)
        mlflow.sklearn.save_model(
            model,
            _FOLDER,
            signature=mlflow.models.infer_signature(points[:2], points[:2, 0]),
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    return _FOLDER


if __name__ == "__main__":
    raise SystemExit(main())
