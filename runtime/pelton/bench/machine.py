"""What a figure was measured on: without it, a figure says nothing."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, Final

_PACKAGES: Final = ("pelton", "mlflow", "numpy", "uvloop", "httptools", "uvicorn", "starlette")
_CALIBRATION_LOOPS: Final = 60_000


def usable_cores() -> list[int]:
    """Cores that this process may run on (all of them where that cannot be asked)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def calibrate_ms(rounds: int = 5) -> float:
    """Time a fixed loop of pure Python: two runs compare only where this is alike.

    Returns:
        Median of ``rounds``, milliseconds.
    """
    times = []
    for _ in range(rounds):
        start = perf_counter()
        total, seen = 0, {}
        for i in range(_CALIBRATION_LOOPS):
            seen[i & 1023] = total
            total += i
        times.append(perf_counter() - start)
    return round(sorted(times)[rounds // 2] * 1e3, 2)


def describe(packages: tuple[str, ...] = _PACKAGES) -> dict[str, Any]:
    """Return the machine, the versions and the hour, as a report keeps them."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "generator_cores": usable_cores(),
        "memory_gb": round(memory_bytes() / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "calibration_ms": calibrate_ms(),
        "versions": {name: metadata.version(name) for name in packages if find_spec(name)},
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_bytes() -> int:
    """Return the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
