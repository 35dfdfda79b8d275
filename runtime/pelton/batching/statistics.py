"""What others see of the queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QueueStatistics:
    """An immutable snapshot of the queue, for metrics, scaling and admission.

    What was sent ahead to a worker and has not begun is counted as queued.
    """

    queued: int
    queued_bytes: int
    running: int
    lanes: int
    idle: int
    drained_per_s: float | None
