"""The endpoint as it is managed, from the instant that it can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pelton.admission.limits import Limits
from pelton.batching.dispatch import Dispatcher
from pelton.errors import UpdateConflict
from pelton.settings import Settings
from pelton.supervisor.endpoint import ManagedEndpoint
from pelton.supervisor.supervisor import Supervisor
from pelton.telemetry.metrics import Metrics


def now() -> float:
    return 0.0


def never(_: Callable[[], Any]) -> None:
    raise AssertionError("nothing is queued")


async def not_begun() -> ManagedEndpoint:
    """Of a supervisor whose tasks have not had their first turn."""
    dispatcher = Dispatcher(Limits(1, 1), now, call_soon=never)
    return ManagedEndpoint(Supervisor(Settings(), "./model", dispatcher, Metrics(), now), now)


def test_first_deployment_is_in_progress_before_its_task_begins() -> None:
    answer = asyncio.run(not_begun()).describe()

    assert answer["state"]["ready"] == "NOT_READY"
    assert answer["state"]["config_update"] == "IN_PROGRESS"
    (entity,) = answer["pending_config"]["served_entities"]
    assert entity["state"]["deployment"] == "DEPLOYMENT_CREATING"


def test_no_update_goes_before_the_first_deployment() -> None:
    endpoint = asyncio.run(not_begun())

    with pytest.raises(UpdateConflict, match="Revision 1 is being rolled out"):
        endpoint.update("./other", {}, None, {})
    with pytest.raises(UpdateConflict):
        endpoint.reload(None, same_version=False)
