"""What was measured of a model: the numbers that a plan is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pelton.bench.plan.cost import Cost


@dataclass(frozen=True)
class Profile:
    """A model under pelton on this machine.

    Attributes:
        alone_s: mean latency of a lone caller, one slot.
        alone_p99_s: its 99th percentile.
        service_s: time a request keeps a slot, from one slot's throughput without batching.
        variability: squared coefficient of variation of the lone caller's latency.
        slot_per_s: requests per second of one slot without batching.
        two_slots_per_s: of two slots, without batching.
        batched_per_s: of one slot with batching, callers enough to fill batches.
        batch: mean batch size then.
        cpu_share: cores that one busy slot uses, front end included.
        slot_bytes: memory of one worker (its RSS: what it would need with nobody to share).
        shared_slot_bytes: what one more worker adds here (its PSS, pages shared by fork).
        front_bytes: everything of the server that is no worker.
        load_s: from start to ready.
        cores: of this machine.
    """

    alone_s: float
    alone_p99_s: float
    service_s: float
    variability: float
    slot_per_s: float
    two_slots_per_s: float
    batched_per_s: float
    batch: float
    cpu_share: float
    slot_bytes: int
    shared_slot_bytes: int
    front_bytes: int
    load_s: float
    cores: int

    @property
    def cost(self) -> Cost:
        """The cost model of its batches."""
        return Cost.fit(self.service_s, self.batched_per_s, self.batch)

    @property
    def scaling(self) -> float:
        """What a second slot adds here: 2 = it doubles the throughput, 1 = nothing."""
        return self.two_slots_per_s / self.slot_per_s if self.slot_per_s else 1.0

    @property
    def useful_slots(self) -> int:
        """Slots that this machine's cores can keep busy; waiting models take more."""
        return max(1, int(self.cores / max(self.cpu_share, 1e-3)))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)
