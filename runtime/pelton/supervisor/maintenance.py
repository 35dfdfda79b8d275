"""Which worker is old enough to be replaced. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SPREAD: Final = 0.1


@dataclass(frozen=True)
class Service:
    """What a worker has done so far; ``age_s`` in seconds."""

    name: str
    age_s: float
    answered: int


def is_wanted(max_age_s: float, max_requests: int) -> bool:
    """Whether there is any limit."""
    return max_age_s > 0 or max_requests > 0


def due(workers: Sequence[Service], max_age_s: float, max_requests: int) -> str | None:
    """Return the worker that is furthest past a limit; one at a time is enough.

    Each worker's limits are up to a tenth lower than said, by its name, so that workers that were
    started together do not all become due together.

    Args:
        workers: those that serve.
        max_age_s: 0 is no limit.
        max_requests: 0 is no limit.
    """
    excess = {worker.name: _excess(worker, max_age_s, max_requests) for worker in workers}
    oldest = max(excess, key=excess.__getitem__, default=None)
    return oldest if oldest is not None and excess[oldest] >= 1.0 else None


def _excess(worker: Service, max_age_s: float, max_requests: int) -> float:
    """Return how much of its time a worker has had; 1.0 is all."""
    lower = 1.0 - _SPREAD * (zlib.crc32(worker.name.encode()) % 1000) / 1000
    by_age = worker.age_s / (max_age_s * lower) if max_age_s else 0.0
    by_requests = worker.answered / (max_requests * lower) if max_requests else 0.0
    return max(by_age, by_requests)
