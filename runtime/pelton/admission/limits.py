"""The decision to admit a request, as a pure function of a snapshot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pelton.errors import DeadlineUnmeetable, QueueFull, RejectedError


class Refusal(Enum):
    """Why a request is not admitted."""

    QUEUE_FULL = "queue_full"
    QUEUE_BYTES_FULL = "queue_bytes_full"
    DEADLINE_UNMEETABLE = "deadline_unmeetable"


class Load(NamedTuple):
    """What the decision depends on.

    Attributes:
        queued: requests waiting for a slot.
        queued_bytes: their bodies.
        idle_slots: slots that would take a request at once.
        drained_per_s: requests the slots finish per second when busy; ``None`` until measured.
    """

    queued: int
    queued_bytes: int
    idle_slots: int
    drained_per_s: float | None

    @property
    def wait_s(self) -> float:
        """Expected wait of a request that joins the queue now, in seconds."""
        if self.idle_slots > self.queued or not self.drained_per_s:
            return 0.0
        return (self.queued + 1) / self.drained_per_s


@dataclass(frozen=True)
class Limits:
    """The bounds of the queue; every bound is a setting with a metric."""

    queue_limit: int
    queue_limit_bytes: int

    def decide(self, load: Load, remaining_s: float) -> Refusal | None:
        """Return why a request with ``remaining_s`` to its deadline is refused, or ``None``.

        With an idle slot a request is never refused: the measured pace says nothing certain
        about this one.
        """
        if load.idle_slots > load.queued:
            return None
        if load.queued >= self.queue_limit:
            return Refusal.QUEUE_FULL
        if load.queued_bytes >= self.queue_limit_bytes:
            return Refusal.QUEUE_BYTES_FULL
        if load.wait_s > remaining_s:
            return Refusal.DEADLINE_UNMEETABLE
        return None


def retry_after_s(load: Load) -> int:
    """Return when the present backlog will have drained, in whole seconds, 1 to 60.

    Databricks' clients read an integer and wait that long before they try again.
    """
    if not load.drained_per_s:
        return 1
    return max(1, min(60, math.ceil(load.queued / load.drained_per_s)))


def refused(refusal: Refusal, load: Load, slots: int) -> RejectedError:
    """Return the error that tells a caller of a refusal, and when to try again."""
    retry_s = retry_after_s(load)
    if refusal is Refusal.DEADLINE_UNMEETABLE:
        return DeadlineUnmeetable(
            f"{load.queued} requests are waiting, about {load.wait_s:.2g} s of work: the"
            f" request cannot be answered before its deadline. Retry after {retry_s} s,"
            f" or give it more time.",
            retry_after_s=retry_s,
        )
    return QueueFull(
        f"Too many concurrent requests: {load.queued} are waiting for {slots}"
        f" slots. Consider increasing the provisioned concurrency (--concurrency) of the"
        f" served entity, or retry after {retry_s} s.",
        retry_after_s=retry_s,
    )
