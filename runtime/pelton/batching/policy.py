"""How large a batch may be. Pure; the queue asks at the moment a slot pulls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """Bounds of one batch.

    Attributes:
        requests: at most so many requests; 1 is no batching.
        body_bytes: at most so many bytes of request bodies (a single larger one still goes).
    """

    requests: int = 1
    body_bytes: int = 16 * 1024 * 1024


NO_BATCHING = BatchLimits()
