"""Waiting in front of several slots: M/M/c exactly, other service times by the usual corrections.

Pure. Poisson arrivals, one queue, first come first served. Sources: Erlang (M/M/c);
Allen and Cunneen (variability); Cosmetatos (constant service times in several servers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def erlang_c(slots: int, load: float) -> float:
    """Return the probability that an arrival waits in M/M/c.

    Args:
        slots: how many servers.
        load: arrival rate x mean service time (in Erlang), below ``slots``.
    """
    blocked = 1.0  # Erlang B, by its recursion: no factorials to overflow
    for n in range(1, slots + 1):
        blocked = load * blocked / (n + load * blocked)
    busy = load / slots
    return blocked / (1 - busy + busy * blocked)


@dataclass(frozen=True)
class Queue:
    """Requests at a rate, before some slots.

    Attributes:
        rate: arrivals per second.
        service_s: mean service time.
        slots: how many requests are served at a time.
        variability: squared coefficient of variation of the service time: 0 for a constant one
            (M/D/c), 1 for an exponential one (M/M/c).
    """

    rate: float
    service_s: float
    slots: int
    variability: float = 0.0

    @property
    def load(self) -> float:
        """Busy slots on average: Little's law, concurrency = rate x time."""
        return self.rate * self.service_s

    @property
    def utilisation(self) -> float:
        """Share of the time that a slot is busy; from 1 on, the queue grows without end."""
        return self.load / self.slots

    @property
    def wait_probability(self) -> float:
        """Probability that a request waits at all."""
        return 1.0 if self.utilisation >= 1 else erlang_c(self.slots, self.load)

    @property
    def mean_wait_s(self) -> float:
        """Mean wait before service, over all requests; ``inf`` without a steady state."""
        busy = self.utilisation
        if busy >= 1:
            return math.inf
        exponential = self.wait_probability * self.service_s / (self.slots * (1 - busy))
        # Cosmetatos: constant service halves the wait of one server, and less so of several.
        several = (self.slots - 1) * (math.sqrt(4 + 5 * self.slots) - 2)
        constant = exponential / 2 * (1 + (1 - busy) * several / (16 * busy * self.slots))
        weight = min(self.variability, 1.0)
        between = constant * (1 - weight) + exponential * weight
        return between * max(1.0, (1 + self.variability) / 2)

    def wait_s(self, percent: float) -> float:
        """Return the wait that ``percent`` % of requests do not exceed (exponential tail)."""
        waiting = self.wait_probability
        beyond = 1 - percent / 100
        if math.isinf(self.mean_wait_s):
            return math.inf
        if waiting <= beyond:
            return 0.0
        return self.mean_wait_s / waiting * math.log(waiting / max(beyond, 1e-9))

    def latency_s(self, percent: float) -> float:
        """Return the time in queue and slot that ``percent`` % of requests do not exceed."""
        # With exponential service the slowest are slow in the slot itself as well.
        beyond = max(1 - percent / 100, 1e-9)
        in_slot = self.service_s * (
            1 + math.sqrt(self.variability) * max(0.0, math.log(1 / beyond) - 1)
        )
        return max(in_slot, self.wait_s(percent) + self.service_s)


def least_slots(
    rate: float,
    service_s: float,
    variability: float,
    *,
    percent: float | None,
    limit_s: float | None,
    busy: float = 0.7,
    most: int = 1024,
) -> int | None:
    """Return the fewest slots that meet an objective, ``None`` if no number up to ``most`` does.

    Args:
        rate: requests per second.
        service_s: mean service time.
        variability: its squared coefficient of variation.
        percent: percentile of the objective; ``None`` = only keep slots at most ``busy``.
        limit_s: limit of the objective.
        busy: utilisation to stay below without an objective.
        most: slots at most.
    """
    for slots in range(max(1, math.ceil(rate * service_s - 1e-9)), most + 1):
        queue = Queue(rate, service_s, slots, variability)
        if queue.utilisation >= 1:
            continue
        if percent is None or limit_s is None:
            if queue.utilisation <= busy:
                return slots
        elif queue.latency_s(percent) <= limit_s:
            return slots
        elif queue.wait_s(percent) == 0.0:
            return None  # nobody waits any more, and it is still too slow
    return None
