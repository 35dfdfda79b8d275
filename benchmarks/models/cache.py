"""Where saved models and requests are kept, and how they get there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.scenario import Scenario

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "benchmarks"
# One thread a library: the measured thing is the server, and two cores are all there is.
ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
}


def _stamp() -> str:
    """Short hash of everything that a saved model depends on."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for package in ("mlflow", "scikit-learn", "lightgbm", "torch", "pandas", "numpy"):
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()[:10]


def model_path(name: str) -> Path:
    """Folder of a saved model."""
    return CACHE / "models" / f"{name}-{_stamp()}"


def bodies_path(scenario: Scenario) -> Path:
    """File of a scenario's requests and right answers."""
    return CACHE / "bodies" / f"{scenario.name}-{_stamp()}.jsonl"


def ensure(*names: str) -> None:
    """Have models (by name) and scenarios' requests made, in a process of their own.

    Raises:
        subprocess.CalledProcessError: that failed; its output has been shown.
    """
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.models.build", *names],
        check=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )
