"""The management API over HTTP, with an endpoint that only remembers what it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from pelton.errors import ConfigError, UpdateConflict
from pelton.frontend.management.access import Access
from pelton.frontend.management.logs import LogRing
from pelton.frontend.management.routes import Management
from pelton.telemetry.metrics import Metrics

ROOT = "/api/2.0/serving-endpoints"
UPDATE = {"served_entities": [{"entity_name": "fraud", "entity_version": "3"}]}


class Remembers:
    """An endpoint; ``error`` is raised by whatever would change it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.error: Exception | None = None

    def describe(self) -> dict[str, Any]:
        return {"name": "fraud", "state": {"ready": "READY"}}

    def summarize(self) -> dict[str, Any]:
        return {"name": "fraud"}

    def served_names(self) -> list[str]:
        return ["fraud-3"]

    def update(
        self,
        uri: str,
        changes: Mapping[str, Any],
        served_name: str | None,
        environment_vars: Mapping[str, str],
    ) -> None:
        self._tell("update", uri, changes, served_name, environment_vars)

    def reload(self, uri: str | None, *, same_version: bool) -> None:
        self._tell("reload", uri, same_version)

    def rollback(self) -> None:
        self._tell("rollback")

    def cancel(self) -> None:
        self._tell("cancel")

    def _tell(self, *what: Any) -> None:
        if self.error is not None:
            raise self.error
        self.told.append(what)


class Client:
    """Sends requests to an application as if from this machine."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 5))
            url = "http://localhost"
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


@pytest.fixture
def endpoint() -> Remembers:
    return Remembers()


@pytest.fixture
def client(endpoint: Remembers) -> Client:
    return client_of(endpoint)


def client_of(endpoint: Remembers | None, token: str | None = None) -> Client:
    management = Management("fraud", Access(token), Metrics(), LogRing())
    management.managed = endpoint
    app = Starlette(routes=management.routes())
    return Client(app)


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/"])
def test_list_with_and_without_a_slash(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"endpoints": [{"name": "fraud"}]})


def test_get(client: Client) -> None:
    assert client.get(f"{ROOT}/fraud").json()["name"] == "fraud"


def test_unknown_endpoint(client: Client) -> None:
    answer = client.get(f"{ROOT}/other")

    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert body["message"] == "Endpoint with name 'other' does not exist."
    assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.RequestInfo"


def test_update(client: Client, endpoint: Remembers) -> None:
    answer = client.put(f"{ROOT}/fraud/config", json=UPDATE)

    assert (answer.status_code, answer.json()["name"]) == (200, "fraud")
    assert endpoint.told == [("update", "models:/fraud/3", {}, None, {})]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpdateConflict("busy"), 409, "RESOURCE_CONFLICT"),
        (ConfigError("wrong"), 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_update_that_cannot_begin(
    client: Client, endpoint: Remembers, error: Exception, status: int, code: str
) -> None:
    endpoint.error = error

    answer = client.put(f"{ROOT}/fraud/config", json=UPDATE)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.json()["message"] == str(error)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b'"text"', b""])
def test_update_with_a_bad_body(client: Client, endpoint: Remembers, body: bytes) -> None:
    answer = client.put(f"{ROOT}/fraud/config", content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert not endpoint.told


def test_update_with_a_body_that_no_configuration_has(client: Client) -> None:
    answer = client.put(f"{ROOT}/fraud/config", content=b" " * (1024 * 1024 + 1))

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, ("reload", None, False)),
        ({}, ("reload", None, False)),
        ({"entity_name": "models:/fraud/4"}, ("reload", "models:/fraud/4", False)),
        ({"same_version": True}, ("reload", None, True)),
    ],
)
def test_reload(client: Client, endpoint: Remembers, body: Any, told: Any) -> None:
    options = {} if body is None else {"json": body}

    answer = client.post(f"{ROOT}/fraud/config:reload", **options)

    assert answer.status_code == 200
    assert endpoint.told == [told]


@pytest.mark.parametrize(
    "body", [[], {"model": "x"}, {"entity_name": 3}, {"entity_name": "x", "same_version": True}]
)
def test_reload_with_a_bad_body(client: Client, endpoint: Remembers, body: Any) -> None:
    answer = client.post(f"{ROOT}/fraud/config:reload", json=body)

    assert answer.status_code == 400
    assert not endpoint.told


@pytest.mark.parametrize("verb", ["rollback", "cancel"])
def test_rollback_and_cancel(client: Client, endpoint: Remembers, verb: str) -> None:
    assert client.post(f"{ROOT}/fraud/config:{verb}").status_code == 200
    assert endpoint.told == [(verb,)]


def test_metrics(client: Client) -> None:
    answer = client.get(f"{ROOT}/fraud/metrics")

    assert "request_count_total" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("kind", ["logs", "build-logs"])
def test_logs(client: Client, kind: str) -> None:
    assert client.get(f"{ROOT}/fraud/served-models/fraud-3/{kind}").json() == {"logs": ""}
    assert client.get(f"{ROOT}/fraud/served-models/fraud-2/{kind}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ROOT), ("POST", f"{ROOT}/"), ("DELETE", f"{ROOT}/fraud")]
)
def test_the_endpoint_comes_and_goes_with_its_server(
    client: Client, method: str, path: str
) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_other_calls_of_databricks(client: Client) -> None:
    answer = client.get("/api/2.0/preview/scim/v2/Me")

    assert (answer.status_code, answer.json()) == (
        404,
        {
            "error_code": "ENDPOINT_NOT_FOUND",
            "message": "No API found for 'GET /preview/scim/v2/Me'",
        },
    )


def test_invocations_of_another_endpoint(client: Client) -> None:
    answer = client.post("/serving-endpoints/other/invocations", json={})

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_token_is_asked_before_anything_else(endpoint: Remembers) -> None:
    client = client_of(endpoint, token="s3cret")

    assert client.put(f"{ROOT}/fraud/config", content=b"{").status_code == 401
    assert client.get(f"{ROOT}/other").json()["error_code"] == "UNAUTHENTICATED"
    denied = client.get(f"{ROOT}/fraud", headers={"authorization": "Bearer wrong"})
    assert (denied.status_code, denied.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert client.get(f"{ROOT}/fraud", auth=("token", "s3cret")).status_code == 200


def test_while_the_server_starts() -> None:
    answer = client_of(None).get(f"{ROOT}/fraud")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
