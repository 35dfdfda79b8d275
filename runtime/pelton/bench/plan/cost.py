"""What a batch costs, T(n) = a + b n, and what that makes of a load.

Pure. A slot that batches what has arrived while it was busy settles where a batch takes as long as
its requests took to arrive: n = rate x T(n). So the fixed part a is paid once a batch, and only b
limits the rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Time of a batch of n requests: ``fixed_s + each_s * n`` seconds."""

    fixed_s: float
    each_s: float

    @classmethod
    def fit(cls, alone_s: float, batched_per_s: float, batch: float) -> Cost:
        """Fit to what was measured.

        Args:
            alone_s: time of a batch of one.
            batched_per_s: requests per second of one slot under a load that fills batches.
            batch: mean size of those batches; up to 1 means that nothing was batched.
        """
        if batch <= 1.05 or batched_per_s <= 0:
            return cls(0.0, alone_s)
        each_s = (batch / batched_per_s - alone_s) / (batch - 1)
        each_s = min(max(each_s, 0.0), alone_s)
        return cls(alone_s - each_s, each_s)

    def time_s(self, batch: float) -> float:
        """Return the time of a batch."""
        return self.fixed_s + self.each_s * batch

    def batch_at(self, rate: float) -> float:
        """Return the mean batch size at a rate; ``inf`` where no size keeps up."""
        if rate * self.each_s >= 1:
            return math.inf
        return max(1.0, rate * self.fixed_s / (1 - rate * self.each_s))

    def utilisation(self, rate: float) -> float:
        """Share of the time that cannot be saved by larger batches."""
        return rate * self.each_s

    def latency_s(self, rate: float, percent: float) -> float:
        """Estimate a percentile: the batch before, and then one's own, larger than most.

        Args:
            rate: requests per second on this slot.
            percent: 0 to 100.
        """
        batch = self.batch_at(rate)
        if math.isinf(batch):
            return math.inf
        # Arrivals during a batch are Poisson: sizes in the tail are some deviations above the mean.
        deviations = math.sqrt(2 * math.log(1 / max(1e-9, 1 - percent / 100)))
        large = self.time_s(batch + deviations * math.sqrt(batch))
        return large + self.time_s(batch)
