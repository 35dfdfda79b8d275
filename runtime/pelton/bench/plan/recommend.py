"""From a profile, a rate and an objective to a workload type, a size and what to expect.

Pure. Two answers: for pelton, which batches, and for an endpoint that runs one request a slot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pelton.bench.plan.profile import Profile
from pelton.bench.plan.queueing import Queue, least_slots
from pelton.bench.slo import Objective
from pelton.tiers import SIZES, TIERS, Tier

_HEADROOM: Final = 1.25  # of memory: requests in flight, fragmentation, the next mlflow
_BUSY: Final = 0.7  # without an objective
_PER_REPLICA: Final = 4  # Databricks provisions concurrency in fours
_LARGEST: Final = 1024


@dataclass(frozen=True)
class Choice:
    """Slots of a workload type, and what to expect of them.

    Attributes:
        slots: needed.
        provisioned: what is started: on Databricks a multiple of four.
        batching: whether requests are batched.
        tier: the workload type; ``None`` when none has memory enough.
        size: the workload size; ``None`` when none has slots enough.
        busy: utilisation expected, 0 to 1.
        latency_s: the objective's percentile (else p99), expected.
    """

    slots: int
    provisioned: int
    batching: bool
    tier: Tier | None
    size: str | None
    busy: float
    latency_s: float


def workload_type(profile: Profile, *, gpu: bool = False) -> Tier | None:
    """Return the smallest workload type with memory for a slot and some headroom."""
    wanted = profile.slot_bytes * _HEADROOM
    fitting = [t for t in TIERS.values() if t.slot_bytes >= wanted and bool(t.gpus) == gpu]
    return min(fitting, key=lambda tier: (tier.slot_bytes, tier.gpus), default=None)


def workload_size(slots: int) -> str | None:
    """Return the smallest workload size that reaches so many slots, ``None`` if none does."""
    for name, (_, most) in sorted(SIZES.items(), key=lambda size: size[1]):
        if slots <= most:
            return name
    return None


def formula_slots(profile: Profile, rate: float) -> float:
    """Return what the usual formula says: requests per second x execution time."""
    return rate * profile.service_s


def without_batching(profile: Profile, rate: float, objective: Objective | None) -> Choice | None:
    """Choose for an endpoint that runs one request a slot, ``None`` when nothing is enough."""
    slots = least_slots(
        rate,
        profile.service_s,
        profile.variability,
        percent=objective.percent if objective else None,
        limit_s=objective.limit_s if objective else None,
        busy=_BUSY,
        most=_LARGEST,
    )
    if slots is None:
        return None
    provisioned = math.ceil(slots / _PER_REPLICA) * _PER_REPLICA
    queue = Queue(rate, profile.service_s, provisioned, profile.variability)
    return Choice(
        slots,
        provisioned,
        batching=False,
        tier=workload_type(profile),
        size=workload_size(provisioned),
        busy=queue.utilisation,
        latency_s=queue.latency_s(objective.percent if objective else 99.0),
    )


def with_batching(profile: Profile, rate: float, objective: Objective | None) -> Choice | None:
    """Choose for pelton, ``None`` when nothing is enough."""
    percent = objective.percent if objective else 99.0
    cost = profile.cost
    batches = cost.fixed_s > 0
    if not batches:
        plain = without_batching(profile, rate, objective)
        if plain is None:
            return None
        queue = Queue(rate, profile.service_s, plain.slots, profile.variability)
        return Choice(
            plain.slots,
            plain.slots,
            batching=True,
            tier=plain.tier,
            size=workload_size(plain.slots),
            busy=queue.utilisation,
            latency_s=queue.latency_s(percent),
        )
    for slots in range(1, _LARGEST + 1):
        share = rate / slots
        latency_s = cost.latency_s(share, percent)
        enough = cost.utilisation(share) <= _BUSY
        if enough and (objective is None or latency_s <= objective.limit_s):
            break
        if cost.batch_at(share) <= 1.0 and share * cost.time_s(1) < 0.05:
            return None  # slots stand idle, and it is still too slow
    else:
        return None
    return Choice(
        slots,
        slots,
        batching=True,
        tier=workload_type(profile),
        size=workload_size(slots),
        busy=cost.utilisation(share),
        latency_s=latency_s,
    )
