"""Every state machine of pelton, as tables; nothing about states stands anywhere else.

``docs/lifecycle.md`` is generated from these tables by ``python -m pelton.lifecycle``. A missing
entry of a table *is* the error: ``Lifecycle.fire`` raises ``IllegalTransition``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Generic, TypeVar

from pelton.errors import IllegalTransition


class WorkerState(Enum):
    """Where a worker is. READY is warm but not pulling; SERVING pulls."""

    SPAWNING = "spawning"
    LOADING = "loading"
    WARMING = "warming"
    READY = "ready"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class WorkerEvent(Enum):
    """What can happen to a worker."""

    CONNECTED = "connected"
    LOADED = "loaded"
    WARMED = "warmed"
    ADMITTED = "admitted"
    DRAIN = "drain"
    DRAINED = "drained"
    TIMED_OUT = "timed_out"
    EXITED = "exited"


class RevisionState(Enum):
    """Where a revision is. Exactly one revision is ACTIVE once the first one has been."""

    PENDING = "pending"
    PREPARING = "preparing"
    STARTING = "starting"
    ACTIVE = "active"
    DRAINING = "draining"
    RETIRED = "retired"
    REJECTED = "rejected"


class RevisionEvent(Enum):
    """What can happen to a revision."""

    PREPARE = "prepare"
    PREPARED = "prepared"
    ACTIVATED = "activated"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    DRAINED = "drained"


W, WE = WorkerState, WorkerEvent
R, RE = RevisionState, RevisionEvent

_NOT_YET_SERVING: Final = {WE.DRAIN: W.STOPPING, WE.TIMED_OUT: W.FAILED, WE.EXITED: W.FAILED}

WORKER_TRANSITIONS: Final[Mapping[WorkerState, Mapping[WorkerEvent, WorkerState]]] = {
    W.SPAWNING: {WE.CONNECTED: W.LOADING, **_NOT_YET_SERVING},
    W.LOADING: {WE.LOADED: W.WARMING, **_NOT_YET_SERVING},
    W.WARMING: {WE.WARMED: W.READY, **_NOT_YET_SERVING},
    W.READY: {WE.ADMITTED: W.SERVING, **_NOT_YET_SERVING},
    # A worker that serves and stops answering is killed: its requests are rejected, once each.
    W.SERVING: {WE.DRAIN: W.DRAINING, WE.TIMED_OUT: W.FAILED, WE.EXITED: W.FAILED},
    W.DRAINING: {WE.DRAINED: W.STOPPING, WE.TIMED_OUT: W.STOPPING, WE.EXITED: W.FAILED},
    W.STOPPING: {WE.EXITED: W.STOPPED, WE.TIMED_OUT: W.STOPPING},
    W.STOPPED: {},
    # The process of a failed worker may still have to be reaped.
    W.FAILED: {WE.EXITED: W.FAILED, WE.TIMED_OUT: W.FAILED, WE.DRAIN: W.FAILED},
}

REVISION_TRANSITIONS: Final[Mapping[RevisionState, Mapping[RevisionEvent, RevisionState]]] = {
    R.PENDING: {RE.PREPARE: R.PREPARING, RE.REJECTED: R.REJECTED},
    R.PREPARING: {RE.PREPARED: R.STARTING, RE.REJECTED: R.REJECTED},
    R.STARTING: {RE.ACTIVATED: R.ACTIVE, RE.REJECTED: R.REJECTED},
    R.ACTIVE: {RE.SUPERSEDED: R.DRAINING},
    R.DRAINING: {RE.DRAINED: R.RETIRED},
    # A rollback makes a new revision of the same model, so retired revisions stay retired.
    R.RETIRED: {},
    R.REJECTED: {},
}

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class Lifecycle(Generic[S, E]):
    """The present state of one thing. Owned by one event loop; not thread-safe.

    Args:
        name: what the state belongs to, for logs (``worker-3``).
        table: state -> event -> next state.
        state: the first state.
        on_change: called after each change with ``(name, before, event, after)``; the one place
            where states are logged, counted and timestamped.
    """

    def __init__(
        self,
        name: str,
        table: Mapping[S, Mapping[E, S]],
        state: S,
        on_change: Callable[[str, S, E, S], None],
    ) -> None:
        self.name = name
        self.state = state
        self._table = table
        self._on_change = on_change

    def fire(self, event: E) -> S:
        """Take one step and return the new state.

        Raises:
            IllegalTransition: the table has no such step.
        """
        before = self.state
        after = self._table[before].get(event)
        if after is None:
            raise IllegalTransition(
                f"{self.name}: {event.value} is not possible in state {before.value}. This is a bug."
            )
        self.state = after
        if after is not before:
            self._on_change(self.name, before, event, after)
        return after

    def can(self, event: E) -> bool:
        """Whether ``event`` is possible now."""
        return event in self._table[self.state]


def endpoint_ready(*, serving: bool, asleep: bool) -> str:
    """Return Databricks' ``state.ready``; an endpoint scaled to zero is READY."""
    return "READY" if serving or asleep else "NOT_READY"


def endpoint_config_update(*, updating: bool, last_failed: bool, last_cancelled: bool) -> str:
    """Return Databricks' ``state.config_update``."""
    if updating:
        return "IN_PROGRESS"
    if last_cancelled:
        return "UPDATE_CANCELED"
    return "UPDATE_FAILED" if last_failed else "NOT_UPDATING"
