"""Routes other than a good POST of ``/invocations``."""

from __future__ import annotations

from tests.conformance.case import Case

_BODY = b'{"inputs": [1]}'


def cases() -> dict[str, list[Case]]:
    return {"sklearn4": _routes(), "witness": _routes()}


def _routes() -> list[Case]:
    probes = ["/ping", "/health", "/version"]
    return [
        *[_bare("GET", path) for path in probes],
        *[_bare("GET", f"{path}?a=b") for path in probes],
        *[_bare("GET", f"{path}/") for path in probes],
        *[_bare("POST", path) for path in probes],
        *[_bare("HEAD", path) for path in probes],
        *[_bare("OPTIONS", path) for path in probes],
        *[
            _bare(method, "/invocations")
            for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW")
        ],
        Case("POST /invocations/", _BODY, path="/invocations/"),
        Case("POST /invocations/?a=b", _BODY, path="/invocations/?a=b"),
        Case("POST //invocations", _BODY, path="//invocations"),
        Case("POST /Invocations", _BODY, path="/Invocations"),
        Case("POST /invocations/more", _BODY, path="/invocations/more"),
        Case("POST /", _BODY, path="/"),
        Case("POST /predict", _BODY, path="/predict"),
        *[_bare("GET", path) for path in ("/", "/nothing", "/ping/more", "/favicon.ico")],
        *[_bare("GET", path) for path in ("/docs", "/redoc", "/openapi.json")],
    ]


def _bare(method: str, path: str) -> Case:
    return Case(f"{method} {path}", content_type=None, method=method, path=path)
