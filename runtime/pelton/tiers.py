"""Workload types and sizes, as Databricks Model Serving documents them.

A workload type gives each slot (one unit of provisioned concurrency) its memory budget; a
workload size gives the number of slots. Source: docs/tiers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GB: Final = 1024**3


@dataclass(frozen=True)
class Tier:
    """One workload type.

    Attributes:
        name: the ``workload_type`` string of the Databricks API.
        slot_bytes: memory budget of one slot, in bytes (GPU memory on GPU types).
        gpus: GPUs per replica; 0 on CPU types.
        hardware: what Databricks runs it on.
    """

    name: str
    slot_bytes: int
    gpus: int
    hardware: str


TIERS: Final[dict[str, Tier]] = {
    tier.name: tier
    for tier in (
        Tier("CPU", 4 * GB, 0, "CPU"),
        Tier("CPU_MEDIUM", 8 * GB, 0, "CPU"),
        Tier("CPU_LARGE", 16 * GB, 0, "CPU"),
        Tier("GPU_SMALL", 16 * GB, 1, "1x T4"),
        Tier("GPU_MEDIUM", 24 * GB, 1, "1x A10G"),
        Tier("MULTIGPU_MEDIUM", 96 * GB, 4, "4x A10G"),
        Tier("GPU_MEDIUM_4", 96 * GB, 4, "4x A10G"),
        Tier("GPU_MEDIUM_8", 192 * GB, 8, "8x A10G"),
        Tier("GPU_LARGE", 80 * GB, 1, "1x A100 80 GB"),
        Tier("GPU_LARGE_2", 160 * GB, 2, "2x A100 80 GB"),
        Tier("GPU_LARGE_4", 320 * GB, 4, "4x A100 80 GB"),
        Tier("GPU_LARGE_8", 640 * GB, 8, "8x A100 80 GB"),
        Tier("GPU_XLARGE", 80 * GB, 1, "1x H100 80 GB"),
        Tier("GPU_XLARGE_8", 640 * GB, 8, "8x H100 80 GB"),
    )
}

SIZES: Final[dict[str, tuple[int, int]]] = {"Small": (4, 4), "Medium": (8, 16), "Large": (16, 64)}
"""Workload size -> (least, most) slots."""


@dataclass(frozen=True)
class SlotPlan:
    """How many slots a machine can carry.

    Attributes:
        slots: the number to start; at least 1.
        wanted: the number asked for.
        reason: one sentence that gives the arithmetic.
    """

    slots: int
    wanted: int
    reason: str

    @property
    def is_reduced(self) -> bool:
        """Whether memory allows fewer slots than were asked for."""
        return self.slots < self.wanted


def plan_slots(wanted: int, slot_bytes: int, memory_bytes: int) -> SlotPlan:
    """Return how many slots of ``slot_bytes`` fit into ``memory_bytes``, at most ``wanted``.

    One slot is always granted: a machine smaller than the budget can still serve a small model,
    and the budget itself is enforced on the worker.
    """
    fit = max(1, memory_bytes // slot_bytes)
    slots = min(wanted, fit)
    reason = (
        f"{wanted} slots x {slot_bytes / GB:.3g} GB = {wanted * slot_bytes / GB:.3g} GB"
        f" of {memory_bytes / GB:.3g} GB"
    )
    return SlotPlan(slots=slots, wanted=wanted, reason=reason)
