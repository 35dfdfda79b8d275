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
                f"{self.name}: {event.value} is not possible in state {before.value}."
                f" This is a bug."
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


# The page that is generated from the tables.

_EVERY_STATE: Final[Mapping[Enum, str]] = {
    W.SPAWNING: "its process has been started, or forked from the fork server",
    W.LOADING: "it imports the model's libraries and loads the model",
    W.WARMING: "it answers the model's input example through the code that will serve",
    W.READY: "warm, but it does not pull from the queue yet",
    W.SERVING: "its slots pull from the queue",
    W.DRAINING: "it takes nothing new and finishes what it runs",
    W.STOPPING: "it has been told to leave; killed if it stays",
    W.STOPPED: "its process has ended as it was told to",
    W.FAILED: "it ended by itself, hung or took too long; the pool replaces it",
    R.PENDING: "asked for",
    R.PREPARING: "its model's files and environment are fetched and built",
    R.STARTING: "its workers load and warm up beside those that serve",
    R.ACTIVE: "it serves",
    R.DRAINING: "its successor serves; what it still runs is finished",
    R.RETIRED: "its last process has ended",
    R.REJECTED: "it did not prove itself; what served before goes on serving",
}


def markdown() -> str:
    """Return ``docs/lifecycle.md``."""
    return "\n".join(
        [
            "# Lifecycles",
            "",
            "<!-- Generated by `python -m pelton.lifecycle`; do not edit. -->",
            "",
            "Every state and every step between states, from the tables in",
            "`runtime/pelton/lifecycle.py`. What is not here cannot happen: an event that a state",
            "has no entry for is an `IllegalTransition`, a bug. Each change of state is logged",
            "(`worker.serving worker=worker-3 event=admitted`) and counted",
            '(`pelton_lifecycle_events_total{kind="worker",state="serving"}`).',
            "",
            *_section(
                "Worker",
                "One process with one loaded model. READY is warm and not pulling, SERVING pulls:"
                " in between, a new revision waits until all of it has proved itself.",
                WORKER_TRANSITIONS,
                W.SPAWNING,
            ),
            "",
            *_section(
                "Revision",
                "One (model, settings) pair. An update makes a new one; the old one stays active"
                " until the new one has loaded, warmed up and taken over.",
                REVISION_TRANSITIONS,
                R.PENDING,
            ),
            "",
            "## Endpoint",
            "",
            "Not a machine of its own: both words are derived, as Databricks names them.",
            "",
            "| `state.ready` | when |",
            "|---|---|",
            "| `READY` | a worker serves, or the endpoint is scaled to zero and wakes on demand |",
            "| `NOT_READY` | otherwise |",
            "",
            "| `state.config_update` | when |",
            "|---|---|",
            "| `IN_PROGRESS` | a revision is pending, preparing or starting |",
            "| `UPDATE_CANCELED` | the last update was cancelled |",
            "| `UPDATE_FAILED` | the last update was rejected |",
            "| `NOT_UPDATING` | otherwise |",
            "",
        ]
    )


def _section(title: str, text: str, table: Mapping[S, Mapping[E, S]], first: S) -> list[str]:
    """Return a heading, a state diagram, the states and the table of one machine."""
    events = list(type(next(iter(table[first]))))
    lines = [f"## {title}", "", text, "", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {first.name}")
    for state, row in table.items():
        arrows: dict[S, list[str]] = {}
        for event, after in row.items():
            if after is not state:
                arrows.setdefault(after, []).append(event.value)
        lines += [
            f"    {state.name} --> {after.name}: {', '.join(names)}"
            for after, names in arrows.items()
        ]
        if not arrows:
            lines.append(f"    {state.name} --> [*]")
    lines += ["```", "", "| state | meaning |", "|---|---|"]
    lines += [f"| {state.name} | {_EVERY_STATE[state]} |" for state in table]
    lines += ["", "| in state | " + " | ".join(event.value for event in events) + " |"]
    lines.append("|---" * (len(events) + 1) + "|")
    for state, row in table.items():
        cells = (row[event].name if event in row else "" for event in events)
        lines.append(f"| {state.name} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
