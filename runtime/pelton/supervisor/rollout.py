"""How a new revision takes over from the old one. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rollout:
    """A plan of a roll-out.

    Attributes:
        step: new workers that are started before as many old ones are drained; the whole new set
            if it is as large as the set.
        reason: one sentence with the arithmetic.
    """

    step: int
    reason: str


def plan(workers: int, worker_bytes: int | None, free_bytes: int | None) -> Rollout:
    """Return how many workers to exchange at a time.

    With enough free memory the whole new set starts beside the old one, so that capacity never
    drops (availability preserving); else worker by worker.

    Args:
        workers: workers of the new revision.
        worker_bytes: memory one of them adds; ``None`` if not known.
        free_bytes: memory that is free now; ``None`` if not known.
    """
    if not worker_bytes or free_bytes is None:
        return Rollout(workers, "memory is not known: the whole new set at once")
    need = workers * worker_bytes
    arithmetic = (
        f"{workers} workers x {worker_bytes / 1024**2:.0f} MB = {need / 1024**2:.0f} MB"
        f" of {free_bytes / 1024**2:.0f} MB free"
    )
    if need <= free_bytes:
        return Rollout(workers, arithmetic)
    return Rollout(max(1, min(workers, free_bytes // worker_bytes)), arithmetic)
