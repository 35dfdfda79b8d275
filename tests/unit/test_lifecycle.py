from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import product
from typing import Any

import pytest

from pelton.errors import IllegalTransition
from pelton.lifecycle import (
    REVISION_TRANSITIONS,
    WORKER_TRANSITIONS,
    Lifecycle,
    RevisionEvent,
    RevisionState,
    WorkerEvent,
    WorkerState,
    endpoint_config_update,
    endpoint_ready,
    markdown,
)

Table = Mapping[Any, Mapping[Any, Any]]
MACHINES: dict[str, tuple[Table, type[Enum], type[Enum], set[Enum]]] = {
    "worker": (
        WORKER_TRANSITIONS,
        WorkerState,
        WorkerEvent,
        {WorkerState.STOPPED, WorkerState.FAILED},
    ),
    "revision": (
        REVISION_TRANSITIONS,
        RevisionState,
        RevisionEvent,
        {RevisionState.RETIRED, RevisionState.REJECTED},
    ),
}
EVERY_PAIR = [
    pytest.param(table, state, event, id=f"{name}-{state.name}-{event.name}")
    for name, (table, states, events, _) in MACHINES.items()
    for state, event in product(states, events)
]
each_machine = pytest.mark.parametrize(
    ("table", "states", "events", "ends"), list(MACHINES.values()), ids=list(MACHINES)
)


@pytest.mark.parametrize(("table", "state", "event"), EVERY_PAIR)
def test_every_pair_is_in_the_table_or_illegal(table: Table, state: Enum, event: Enum) -> None:
    changes: list[tuple[object, ...]] = []
    lifecycle: Lifecycle[Any, Any] = Lifecycle("it", table, state, lambda *a: changes.append(a))
    after = table[state].get(event)
    assert lifecycle.can(event) == (after is not None)
    if after is None:
        with pytest.raises(IllegalTransition, match=f"it: {event.value} is not possible"):
            lifecycle.fire(event)
        assert lifecycle.state is state
    else:
        assert lifecycle.fire(event) is after
        assert lifecycle.state is after
    assert changes == ([("it", state, event, after)] if after not in (None, state) else [])


@each_machine
def test_every_state_has_a_row_and_is_reached(
    table: Table, states: type[Enum], events: type[Enum], ends: set[Enum]
) -> None:
    assert set(table) == set(states)
    first = next(iter(states))
    assert _reachable(table, first) == set(states)


@each_machine
def test_every_state_reaches_an_end(
    table: Table, states: type[Enum], events: type[Enum], ends: set[Enum]
) -> None:
    for state in states:
        assert _reachable(table, state) & ends, f"{state} never ends"


@each_machine
def test_an_end_is_never_left(
    table: Table, states: type[Enum], events: type[Enum], ends: set[Enum]
) -> None:
    for end in ends:
        assert _reachable(table, end) == {end}


@each_machine
def test_every_event_is_used(
    table: Table, states: type[Enum], events: type[Enum], ends: set[Enum]
) -> None:
    assert {event for row in table.values() for event in row} == set(events)


def test_a_worker_that_exits_is_done_wherever_it_was() -> None:
    for state, row in WORKER_TRANSITIONS.items():
        if state is not WorkerState.STOPPED:
            assert row[WorkerEvent.EXITED] in (WorkerState.STOPPED, WorkerState.FAILED)


def test_a_revision_can_be_rejected_until_it_is_active() -> None:
    for state, row in REVISION_TRANSITIONS.items():
        before = state.name in ("PENDING", "PREPARING", "STARTING")
        assert (RevisionEvent.REJECTED in row) == before


def test_endpoint_states_are_databricks_words() -> None:
    assert endpoint_ready(serving=True, asleep=False) == "READY"
    assert endpoint_ready(serving=False, asleep=True) == "READY"
    assert endpoint_ready(serving=False, asleep=False) == "NOT_READY"

    def update(updating: bool = False, failed: bool = False, cancelled: bool = False) -> str:
        return endpoint_config_update(
            updating=updating, last_failed=failed, last_cancelled=cancelled
        )

    assert update() == "NOT_UPDATING"
    assert update(updating=True, failed=True, cancelled=True) == "IN_PROGRESS"
    assert update(failed=True) == "UPDATE_FAILED"
    assert update(failed=True, cancelled=True) == "UPDATE_CANCELED"


@each_machine
def test_page_draws_every_step(
    table: Table, states: type[Enum], events: type[Enum], ends: set[Enum]
) -> None:
    page = markdown()
    for state, row in table.items():
        for event, after in row.items():
            if after is not state:
                line = next(
                    line
                    for line in page.splitlines()
                    if line.strip().startswith(f"{state.name} --> {after.name}:")
                    and event.value in line
                )
                assert line
        assert f"| {state.name} | " in page


def _reachable(table: Table, start: Enum) -> set[Enum]:
    seen, waiting = {start}, [start]
    while waiting:
        for after in table[waiting.pop()].values():
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen
