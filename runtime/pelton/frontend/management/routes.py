"""``/api/2.0/serving-endpoints``: the calls of Databricks' clients that have a meaning here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pelton.errors import (
    ClientDisconnected,
    NotReady,
    PayloadTooLarge,
    PeltonError,
    RequestError,
    UnknownEndpoint,
)
from pelton.frontend import problems
from pelton.frontend.app import as_response
from pelton.frontend.management.access import Access
from pelton.frontend.management.configuration import read_configuration
from pelton.frontend.management.logs import LogRing
from pelton.telemetry.metrics import Metrics

_ROOT: Final = "/api/2.0/serving-endpoints"
_MOST_BYTES: Final = 1024 * 1024

Handler = Callable[[Request, "Managed"], Awaitable[Response]]


class Managed(Protocol):
    """What management wants of the endpoint; each ``Raises`` becomes its answer."""

    def describe(self) -> dict[str, Any]:
        """Return Databricks' ``ServingEndpointDetailed``."""

    def summarize(self) -> dict[str, Any]:
        """Return the endpoint as an item of a list."""

    def served_names(self) -> list[str]:
        """Return the names of the served entities."""

    def update(
        self,
        uri: str,
        changes: Mapping[str, Any],
        served_name: str | None,
        environment_vars: Mapping[str, str],
    ) -> None:
        """Begin an update to another configuration."""

    def reload(self, uri: str | None, *, same_version: bool) -> None:
        """Begin to load the model again."""

    def rollback(self) -> None:
        """Begin to go back to the last revision that was another one."""

    def cancel(self) -> None:
        """Cancel the update in progress."""


class Management:
    """The routes.

    Args:
        endpoint: name of the one endpoint.
        access: who may call.
        metrics: counts.
        logs: the last lines.

    Attributes:
        managed: the endpoint; ``None`` while the server is starting.
    """

    def __init__(self, endpoint: str, access: Access, metrics: Metrics, logs: LogRing) -> None:
        self.managed: Managed | None = None
        self._endpoint = endpoint
        self._access = access
        self._metrics = metrics
        self._logs = logs

    def routes(self) -> list[BaseRoute]:
        """Return what is to be routed here."""
        one = f"{_ROOT}/{{name}}"
        entity = f"{one}/served-models/{{served}}"
        # mlflow's client lists and creates with a slash at the end, and follows no redirect.
        lists = [self._route(path, "GET", self._list) for path in (_ROOT, f"{_ROOT}/")]
        creates = [self._route(path, "POST", self._create) for path in (_ROOT, f"{_ROOT}/")]
        return [
            *lists,
            *creates,
            self._route(one, "GET", self._get),
            self._route(one, "DELETE", self._delete),
            self._route(f"{one}/config", "PUT", self._update),
            self._route(f"{one}/config:reload", "POST", self._reload),
            self._route(f"{one}/config:rollback", "POST", self._rollback),
            self._route(f"{one}/config:cancel", "POST", self._cancel),
            self._route(f"{one}/metrics", "GET", self._metrics_page),
            self._route(f"{entity}/logs", "GET", self._service_logs),
            self._route(f"{entity}/build-logs", "GET", self._build_logs),
            Route("/api/{path:path}", _no_such_api, methods=_METHODS),
            Route("/serving-endpoints/{path:path}", _no_such_endpoint, methods=_METHODS),
        ]

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            try:
                peer = request.client.host if request.client else None
                self._access.check(peer, request.headers)
                if self.managed is None:
                    raise NotReady("The server is starting.", retry_after_s=1)
                name = request.path_params.get("name", self._endpoint)
                if name != self._endpoint:
                    raise UnknownEndpoint(f"Endpoint with name '{name}' does not exist.")
                return await handler(request, self.managed)
            except PeltonError as error:
                return _refusal(error)

        return Route(path, answer, methods=[method])

    # Databricks' calls

    async def _list(self, _: Request, managed: Managed) -> Response:
        return JSONResponse({"endpoints": [managed.summarize()]})

    async def _get(self, _: Request, managed: Managed) -> Response:
        return JSONResponse(managed.describe())

    async def _update(self, request: Request, managed: Managed) -> Response:
        wanted = read_configuration(await _read_json(request))
        managed.update(wanted.uri, wanted.changes, wanted.served_name, wanted.environment_vars)
        return JSONResponse(managed.describe())

    async def _create(self, _: Request, managed: Managed) -> Response:
        raise RequestError(
            f"This server has one endpoint, {self._endpoint}, named when it was started. Update it"
            f" with PUT {_ROOT}/{self._endpoint}/config, or start another server."
        )

    async def _delete(self, _: Request, managed: Managed) -> Response:
        raise RequestError("The endpoint ends with its server; stop that with SIGTERM.")

    async def _metrics_page(self, _: Request, managed: Managed) -> Response:
        return Response(self._metrics.render(), media_type="text/plain; version=0.0.4")

    async def _service_logs(self, request: Request, managed: Managed) -> Response:
        _check_served(request, managed)
        return JSONResponse({"logs": self._logs.service()})

    async def _build_logs(self, request: Request, managed: Managed) -> Response:
        _check_served(request, managed)
        return JSONResponse({"logs": self._logs.build()})

    # Our own

    async def _reload(self, request: Request, managed: Managed) -> Response:
        """``{"entity_name": URI}`` for another model, ``{"same_version": true}``, or nothing."""
        wanted = await _read_json(request)
        if not isinstance(wanted, dict) or wanted.keys() - {"entity_name", "same_version"}:
            raise RequestError(
                'A reload takes nothing, {"entity_name": "models:/..."} or {"same_version": true}.'
            )
        uri, same = wanted.get("entity_name"), wanted.get("same_version", False)
        if not isinstance(same, bool) or not (uri is None or isinstance(uri, str)):
            raise RequestError("entity_name must be a string, and same_version true or false.")
        if uri is not None and same:
            raise RequestError("A reload takes entity_name or same_version, not both.")
        managed.reload(uri, same_version=same)
        return JSONResponse(managed.describe())

    async def _rollback(self, _: Request, managed: Managed) -> Response:
        managed.rollback()
        return JSONResponse(managed.describe())

    async def _cancel(self, _: Request, managed: Managed) -> Response:
        managed.cancel()
        return JSONResponse(managed.describe())


_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def _no_such_api(request: Request) -> Response:
    message = f"No API found for '{request.method} {request.url.path.removeprefix('/api/2.0')}'"
    return as_response(problems.json_response(404, "ENDPOINT_NOT_FOUND", message))


async def _no_such_endpoint(_: Request) -> Response:
    message = (
        "The given endpoint does not exist, please retry after checking the specified model and"
        " version deployment exists."
    )
    return as_response(problems.json_response(404, "ENDPOINT_NOT_FOUND", message))


def _check_served(request: Request, managed: Managed) -> None:
    served = request.path_params["served"]
    names = managed.served_names()
    if served not in names:
        raise UnknownEndpoint(
            f"Served entity with name '{served}' does not exist; there is {', '.join(names)}."
        )


async def _read_json(request: Request) -> Any:
    """Return the body's JSON; an empty body is an empty object.

    Raises:
        PayloadTooLarge: no configuration is that large.
        ClientDisconnected: the client left in the middle of it.
        RequestError: it is no JSON.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise PayloadTooLarge(f"The body is larger than {_MOST_BYTES} bytes.")
    except ClientDisconnect:
        raise ClientDisconnected("The client left before its request was complete.") from None
    if not body.strip():
        return {}
    try:
        return json.loads(body)
    except ValueError as error:
        raise RequestError(f"The body is not JSON: {error}.") from None


def _refusal(error: PeltonError) -> Response:
    """Return the answer for an error, as Databricks' management API words it."""
    ours = problems.problem(error)
    content: dict[str, Any] = json.loads(bytes(ours.body))
    request_info = "type.googleapis.com/google.rpc.RequestInfo"
    content["details"] = [
        {"@type": request_info, "request_id": str(uuid.uuid4()), "serving_data": ""}
    ]
    return as_response(ours._replace(body=json.dumps(content).encode()))
