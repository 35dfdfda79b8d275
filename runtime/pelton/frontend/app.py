"""The front end's routes: everything but /invocations is Starlette's."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pelton.errors import NotReady
from pelton.frontend import problems
from pelton.frontend.exchange import Served
from pelton.frontend.invocations import Invocations, Receive, Scope, Send
from pelton.telemetry.metrics import Metrics


def build_app(
    invocations: Invocations,
    served: Served,
    metrics: Metrics,
    endpoint: str,
    more_routes: Sequence[BaseRoute] = (),
) -> App:
    """Return the ASGI application.

    Args:
        invocations: the hot route.
        served: the endpoint.
        metrics: counts.
        endpoint: its name, for the routes that Databricks' clients call.
        more_routes: management.
    """

    def ready_or_503(body: str) -> Response:
        if not served.is_ready:
            return as_response(problems.problem(NotReady(served.not_ready_reason)))
        return Response(body, media_type="application/json")

    async def ping(_: Request) -> Response:
        return ready_or_503("\n")

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        if served.is_ready:
            return JSONResponse({"ready": True})
        return JSONResponse({"ready": False, "reason": served.not_ready_reason}, 503)

    async def version(_: Request) -> Response:
        return ready_or_503(served.mlflow_version or "")

    async def metrics_page(_: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def discovery(_: Request) -> Response:
        # Databricks' clients ask this before every call; it is no part of the endpoint.
        return JSONResponse({})

    routes: list[BaseRoute] = [
        _get("/ping", ping),
        _get("/health", ping),
        _get("/version", version),
        _get("/v2/health/live", live),
        _get("/v2/health/ready", ready),
        _get("/metrics", metrics_page),
        _get("/.well-known/databricks-config", discovery),
        Route("/invocations", _unreachable, methods=["POST"]),
        *more_routes,
    ]
    starlette = Starlette(routes=routes, exception_handlers={HTTPException: _http_exception})
    return App(invocations, starlette, endpoint, served)


class App:
    """Sends POSTs of invocations down the short way and the rest to Starlette."""

    def __init__(
        self, invocations: Invocations, starlette: Starlette, endpoint: str, served: Served
    ) -> None:
        self._served = served
        self._invocations = invocations
        self._starlette = starlette
        self._entity_prefix = f"/serving-endpoints/{endpoint}/served-models/"
        self._paths = {"/invocations", f"/serving-endpoints/{endpoint}/invocations"}

    def is_invocation(self, method: str, path: str) -> bool:
        """Whether a request is a call of the model."""
        if method != "POST" or not path.endswith("/invocations"):
            return False
        if path in self._paths:
            return True
        name = path[len(self._entity_prefix) : -len("/invocations")]
        return path.startswith(self._entity_prefix) and name == self._served.served_entity_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self.is_invocation(scope["method"], scope["path"]):
            await self._invocations(scope, receive, send)
        else:
            await self._starlette(scope, receive, send)


def as_response(ours: problems.Response) -> Response:
    """Turn one of our answers into Starlette's."""
    answer = Response(bytes(ours.body), ours.status)
    answer.raw_headers = [(b"content-length", str(len(ours.body)).encode()), *ours.headers]
    return answer


def _get(path: str, endpoint: object) -> Route:
    route = Route(path, endpoint, methods=["GET"])  # type: ignore[arg-type]
    route.methods = {"GET"}  # FastAPI, and so MLflow's server, answers HEAD with 405
    return route


async def _unreachable(_: Request) -> Response:
    """POST /invocations never comes here; the route makes other methods a 405."""
    return JSONResponse({"detail": "Not Found"}, 404)


async def _http_exception(_: Request, error: Exception) -> Response:
    """Answer like FastAPI: ``{"detail": ...}``."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return JSONResponse({"detail": "Not Found"}, 404)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
