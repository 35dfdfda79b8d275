"""The pace at which slots finish requests, measured."""

from __future__ import annotations

_HALF_LIFE = 20.0


class Pace:
    """Exponentially forgetting mean of the time a request occupies a slot.

    The mean is over requests, each with its share of the batch it ran in, so that micro-batching
    counts. Owned by one event loop.
    """

    def __init__(self) -> None:
        self._mean_s: float | None = None
        self._samples = 0

    def observe(self, slot_s: float, requests: int) -> None:
        """Record that a slot was busy for ``slot_s`` seconds with ``requests`` requests."""
        share_s = slot_s / requests
        self._samples = min(self._samples + requests, 1_000_000)
        if self._mean_s is None:
            self._mean_s = share_s
            return
        # The first samples weigh as in a plain mean; later ones as an exponential one.
        weight = max(1.0 / self._samples, 1.0 - 0.5 ** (1.0 / _HALF_LIFE))
        weight = 1.0 - (1.0 - weight) ** requests
        self._mean_s += weight * (share_s - self._mean_s)

    def drained_per_s(self, slots: int) -> float | None:
        """Return requests per second with ``slots`` busy slots; ``None`` until measured."""
        if self._mean_s is None or slots == 0:
            return None
        return slots / max(self._mean_s, 1e-6)
