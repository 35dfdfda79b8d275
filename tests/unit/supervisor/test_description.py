"""The endpoint in Databricks' shapes, state by state."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from databricks.sdk.service.serving import ServingEndpoint, ServingEndpointDetailed
from tests.unit.supervisor.doubles import model, registered, revision

from pelton.errors import LoadFailed, UpdateRejected
from pelton.lifecycle import RevisionEvent
from pelton.settings import Entity
from pelton.supervisor.description import Snapshot, WorkerFacts, describe, summarize

ACTIVE = registered(3, "models:/main.risk.fraud@champion", "main.risk.fraud", "12")
SERVING = Snapshot(name="fraud", created_ms=500, active=ACTIVE, serving=True)


def state_of(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["state"]["ready"], answer["state"]["config_update"]


def deployment(config: dict[str, Any]) -> tuple[str, str]:
    (entity,), (mirrored,) = config["served_entities"], config["served_models"]
    assert entity["state"] == mirrored["state"]
    return entity["state"]["deployment"], entity["state"]["deployment_state_message"]


def test_serving() -> None:
    answer = describe(SERVING)

    assert state_of(answer) == ("READY", "NOT_UPDATING")
    assert answer["state"]["suspend"] == "NOT_SUSPENDED"
    assert "pending_config" not in answer
    assert deployment(answer["config"]) == ("DEPLOYMENT_READY", "")
    assert re.fullmatch("[0-9a-f]{32}", answer["id"])
    assert (answer["name"], answer["tags"], answer["permission_level"]) == (
        "fraud",
        [],
        "CAN_MANAGE",
    )
    assert answer["creation_timestamp"] == 500
    assert answer["last_updated_timestamp"] == 3000


def test_served_entity_and_its_mirror() -> None:
    config = describe(SERVING)["config"]

    (entity,), (mirrored,) = config["served_entities"], config["served_models"]
    assert (entity["name"], entity["entity_name"], entity["entity_version"]) == (
        "fraud-12",
        "main.risk.fraud",
        "12",
    )
    assert (mirrored["name"], mirrored["model_name"], mirrored["model_version"]) == (
        "fraud-12",
        "main.risk.fraud",
        "12",
    )
    assert not {"entity_name", "entity_version"} & mirrored.keys()
    assert config["config_version"] == 3
    assert config["traffic_config"] == {
        "routes": [
            {
                "served_model_name": "fraud-12",
                "served_entity_name": "fraud-12",
                "traffic_percentage": 100,
            }
        ]
    }


def test_settings_of_the_entity() -> None:
    entity = Entity(workload_type="CPU_MEDIUM", workload_size="Small", scale_to_zero=True)
    active = revision(1, "./m", entity, served_name="x", environment_vars={"A": "b"})

    (found,) = describe(Snapshot("m", 0, active, serving=True))["config"]["served_entities"]

    assert (found["workload_type"], found["workload_size"]) == ("CPU_MEDIUM", "Small")
    assert found["scale_to_zero_enabled"] is True
    assert (found["name"], found["environment_vars"]) == ("x", {"A": "b"})
    assert "min_provisioned_concurrency" not in found


def test_concurrency_where_there_is_no_size() -> None:
    entity = Entity(memory_per_slot=1024, max_concurrency=8, min_concurrency=2)

    active = revision(1, "./m", entity)

    (found,) = describe(Snapshot("m", 0, active, serving=True))["config"]["served_entities"]
    assert (found["min_provisioned_concurrency"], found["max_provisioned_concurrency"]) == (2, 8)
    assert "workload_size" not in found


def test_first_deployment_has_no_config_yet() -> None:
    first = revision(1, "models:/fraud/3")
    first.lifecycle.fire(RevisionEvent.PREPARE)

    answer = describe(Snapshot("fraud", 500, updating=first))

    assert state_of(answer) == ("NOT_READY", "IN_PROGRESS")
    assert "config" not in answer
    kind, message = deployment(answer["pending_config"])
    assert (kind, bool(message)) == ("DEPLOYMENT_CREATING", True)
    assert answer["pending_config"]["start_time"] == 1000
    (entity,) = answer["pending_config"]["served_entities"]
    assert (entity["name"], entity["entity_name"], entity["entity_version"]) == (
        "fraud-3",
        "fraud",
        "3",
    )


def test_update_in_progress() -> None:
    answer = describe(replace(SERVING, updating=revision(4, "models:/fraud/4")))

    assert state_of(answer) == ("READY", "IN_PROGRESS")
    assert deployment(answer["config"]) == ("DEPLOYMENT_READY", "")
    assert deployment(answer["pending_config"])[0] == "DEPLOYMENT_CREATING"
    assert answer["last_updated_timestamp"] == 4000


def test_failed_update_tells_why_and_the_old_one_serves() -> None:
    failed = revision(4, "models:/fraud/4", error=LoadFailed("no module named x"))

    answer = describe(replace(SERVING, rejected=failed))

    assert state_of(answer) == ("READY", "UPDATE_FAILED")
    assert answer["config"]["config_version"] == 3
    assert answer["pending_config"]["config_version"] == 4
    assert deployment(answer["pending_config"]) == ("DEPLOYMENT_FAILED", "no module named x")


def test_cancelled_update() -> None:
    error = UpdateRejected("The update was cancelled.")
    cancelled = revision(4, "models:/fraud/4", error=error, was_cancelled=True)

    answer = describe(replace(SERVING, rejected=cancelled))

    assert state_of(answer) == ("READY", "UPDATE_CANCELED")
    assert deployment(answer["pending_config"]) == ("DEPLOYMENT_ABORTED", str(error))


def test_next_update_takes_the_place_of_the_failed_one() -> None:
    failed = revision(4, "models:/fraud/4", error=LoadFailed("x"))

    answer = describe(replace(SERVING, rejected=failed, updating=revision(5, "models:/fraud/5")))

    assert state_of(answer) == ("READY", "IN_PROGRESS")
    assert answer["pending_config"]["config_version"] == 5


def test_scaled_to_zero() -> None:
    answer = describe(replace(SERVING, serving=False, asleep=True))

    assert state_of(answer) == ("READY", "NOT_UPDATING")
    assert deployment(answer["config"]) == ("DEPLOYMENT_READY", "Scaled to zero")


def test_workers_that_keep_failing() -> None:
    answer = describe(replace(SERVING, serving=False, trouble="The workers keep failing."))

    assert state_of(answer) == ("NOT_READY", "NOT_UPDATING")
    assert deployment(answer["config"]) == ("DEPLOYMENT_RECOVERING", "The workers keep failing.")


def test_long_reasons_are_cut() -> None:
    failed = revision(4, "models:/fraud/4", error=LoadFailed("x" * 100_000))

    message = deployment(describe(replace(SERVING, rejected=failed))["pending_config"])[1]

    assert len(message) == 4000


def test_task_of_the_model() -> None:
    files = model("./m", "/m", metadata={"task": "llm/v1/chat"})

    answer = describe(Snapshot("m", 0, revision(1, "./m", model=files), serving=True))

    assert answer["task"] == "llm/v1/chat"
    assert "task" not in describe(SERVING)


def test_what_databricks_has_no_place_for() -> None:
    earlier = registered(2, "models:/fraud@champion", "fraud", "11")
    worker = WorkerFacts("worker-5", 3, "serving", 812, 4.5)

    beyond = describe(replace(SERVING, history=[earlier], rollback=earlier, workers=[worker]))[
        "pelton"
    ]

    assert [each["revision"] for each in beyond["revisions"]] == [2, 3]
    assert beyond["rollback_to"] == 2
    assert beyond["workers"] == [
        {"name": "worker-5", "revision": 3, "state": "serving", "answered": 812, "age_s": 4.5}
    ]


def test_the_client_understands_it() -> None:
    failed = revision(4, "models:/fraud/4", error=LoadFailed("why"))

    found = ServingEndpointDetailed.from_dict(describe(replace(SERVING, rejected=failed)))

    assert found.state is not None
    assert found.state.config_update is not None
    assert found.state.config_update.value == "UPDATE_FAILED"
    assert found.pending_config is not None
    assert found.pending_config.served_entities is not None
    state = found.pending_config.served_entities[0].state
    assert state is not None
    assert state.deployment_state_message == "why"


def test_summary() -> None:
    answer = summarize(SERVING)

    assert answer["config"] == {
        "served_entities": [
            {"name": "fraud-12", "entity_name": "main.risk.fraud", "entity_version": "12"}
        ]
    }
    assert answer["state"] == describe(SERVING)["state"]
    assert ServingEndpoint.from_dict(answer).name == "fraud"
