"""Databricks' own client reads and updates a running endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    InvalidParameterValue,
    NotFound,
    OperationFailed,
    PermissionDenied,
    ResourceConflict,
)
from databricks.sdk.service.serving import (
    EndpointStateConfigUpdate,
    EndpointStateReady,
    ServedEntityInput,
    ServedModelStateDeployment,
    ServingEndpointDetailed,
)
from tests.conftest import Serve
from tests.e2e.endpoint import Endpoint, until
from tests.e2e.reload_support import ROW, A, B, gated_model
from tests.zoo import build

TOKEN = "s3cret"


def client_of(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN
) -> WorkspaceClient:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "/dev/null")
    return WorkspaceClient(host=endpoint.url, token=token)


def entity(model: Path, **options: object) -> list[ServedEntityInput]:
    return [ServedEntityInput(entity_name=str(model), **options)]  # type: ignore[arg-type]


def state_of(found: ServingEndpointDetailed) -> tuple[object, object]:
    assert found.state is not None
    return found.state.ready, found.state.config_update


def pending_state(found: ServingEndpointDetailed) -> tuple[object, str]:
    assert found.pending_config is not None
    assert found.pending_config.served_entities is not None
    state = found.pending_config.served_entities[0].state
    assert state is not None
    return state.deployment, state.deployment_state_message or ""


def test_good_and_failing_updates(live_endpoint: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = live_endpoint(
        build("versioned-a"), "--concurrency", "1", variables={"PELTON_TOKEN": TOKEN}
    )
    serving = client_of(endpoint, monkeypatch).serving_endpoints
    ready, idle = EndpointStateReady.READY, EndpointStateConfigUpdate.NOT_UPDATING

    (listed,) = serving.list()
    first = serving.get("model")
    assert (listed.name, listed.id) == (first.name, first.id)
    assert state_of(first) == (ready, idle)

    second = serving.update_config_and_wait(
        "model",
        served_entities=entity(
            build("versioned-b"),
            name="challenger",
            environment_vars={"GREETING": "hello"},
            min_provisioned_concurrency=1,
            max_provisioned_concurrency=2,
        ),
    )
    assert state_of(second) == (ready, idle)
    assert second.pending_config is None
    assert second.config is not None
    assert second.config.served_entities is not None
    assert second.config.served_entities[0].name == "challenger"
    answer = endpoint.ask(ROW)
    assert (answer.json(), answer.headers["served-model-name"]) == (B, "challenger")
    environ = Path(f"/proc/{endpoint.fork_server()}/environ").read_bytes().split(b"\0")
    assert b"GREETING=hello" in environ
    assert not any(variable.startswith(b"PELTON_TOKEN=") for variable in environ)

    with pytest.raises(OperationFailed):
        serving.update_config_and_wait("model", served_entities=entity(build("load-raises")))
    failed = serving.get("model")
    assert state_of(failed) == (ready, EndpointStateConfigUpdate.UPDATE_FAILED)
    deployment, message = pending_state(failed)
    assert deployment == ServedModelStateDeployment.DEPLOYMENT_FAILED
    assert "the weights are not where they should be" in message
    assert failed.config is not None
    assert failed.config.config_version == second.config.config_version
    assert endpoint.ask(ROW).json() == B

    assert "the weights are not" in serving.logs("model", "challenger").logs
    assert "versioned-b" in serving.build_logs("model", "challenger").logs
    metrics = serving.export_metrics("model").contents
    assert metrics is not None
    assert b"request_count_total" in metrics.read()


def test_one_update_at_a_time_and_it_can_be_cancelled(
    live_endpoint: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--token", TOKEN, "--concurrency", "1")
    serving = client_of(endpoint, monkeypatch).serving_endpoints
    stuck = entity(gated_model(tmp_path).path)

    serving.update_config("model", served_entities=stuck)
    with pytest.raises(ResourceConflict, match="is being rolled out"):
        serving.update_config("model", served_entities=stuck)
    assert state_of(serving.get("model")) == (
        EndpointStateReady.READY,
        EndpointStateConfigUpdate.IN_PROGRESS,
    )

    cancelled = endpoint.client.post(
        "/api/2.0/serving-endpoints/model/config:cancel", auth=("token", TOKEN)
    )
    assert cancelled.status_code == 200
    found = until(lambda: settled(serving.get("model")), "the update has ended")
    assert state_of(found)[1] == EndpointStateConfigUpdate.UPDATE_CANCELED
    assert pending_state(found)[0] == ServedModelStateDeployment.DEPLOYMENT_ABORTED
    assert endpoint.ask(ROW).json() == A
    until(lambda: len(endpoint.workers()) == 1, "the cancelled revision's workers are gone")


def settled(found: ServingEndpointDetailed) -> ServingEndpointDetailed | None:
    in_progress = EndpointStateConfigUpdate.IN_PROGRESS
    return found if state_of(found)[1] != in_progress else None


def test_what_the_client_is_refused(
    live_endpoint: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = gated_model(tmp_path)
    endpoint = live_endpoint(model.path, "--token", TOKEN, "--concurrency", "1", await_ready=False)
    serving = client_of(endpoint, monkeypatch).serving_endpoints

    # While the server imports its model side, the client is told to come back and does.
    first = serving.get("model")
    assert state_of(first) == (
        EndpointStateReady.NOT_READY,
        EndpointStateConfigUpdate.IN_PROGRESS,
    )
    assert first.config is None
    assert pending_state(first)[0] == ServedModelStateDeployment.DEPLOYMENT_CREATING
    with pytest.raises(ResourceConflict):
        serving.update_config("model", served_entities=entity(build("versioned-b")))
    with pytest.raises(NotFound, match="Endpoint with name 'other' does not exist"):
        serving.get("other")
    two = entity(build("versioned-a")) + entity(build("versioned-b"))
    with pytest.raises(InvalidParameterValue, match="one served entity per endpoint"):
        serving.update_config("model", served_entities=two)
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        client_of(endpoint, monkeypatch, "wrong").serving_endpoints.get("model")
    model.open()
    endpoint.until_ready()
    assert endpoint.ask(ROW).json() == B  # without a token
