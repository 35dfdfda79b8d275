"""Our own errors as HTTP answers: the only file with status codes of our own.

The codes are chosen by what Databricks' and MLflow's clients do with them: both retry 429 and
503, MLflow's retries whatever has no ``error_code`` it knows, and none retries a 504 with
DEADLINE_EXCEEDED. A worker killed from outside is worth a retry; one that a request crashed is
not, as the retry would crash the next one.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from pelton import errors

Headers = list[tuple[bytes, bytes]]


class Response(NamedTuple):
    """An HTTP answer.

    Attributes:
        status: its status.
        head: its header lines as they go out, each with its CRLF.
        body: may be a view of a larger buffer.
        close: whether the connection ends with it; a header says so already.
    """

    status: int
    head: bytes
    body: bytes | bytearray | memoryview
    close: bool = False

    @property
    def headers(self) -> Headers:
        """The header lines as (name, value)."""
        pairs = (line.partition(b": ") for line in self.head.split(b"\r\n")[:-1])
        return [(name, value) for name, _, value in pairs]


_TABLE: Final[dict[type[errors.PeltonError], tuple[int, str]]] = {
    errors.PayloadTooLarge: (413, "INVALID_PARAMETER_VALUE"),
    errors.BodyTimeout: (408, "INVALID_PARAMETER_VALUE"),
    errors.ClientDisconnected: (499, "CANCELLED"),
    errors.UnknownEndpoint: (404, "RESOURCE_DOES_NOT_EXIST"),
    errors.Unauthenticated: (401, "UNAUTHENTICATED"),
    errors.PermissionDenied: (403, "PERMISSION_DENIED"),
    errors.RequestError: (400, "INVALID_PARAMETER_VALUE"),
    errors.QueueFull: (429, "REQUEST_LIMIT_EXCEEDED"),
    errors.DeadlineUnmeetable: (429, "REQUEST_LIMIT_EXCEEDED"),
    errors.RejectedError: (503, "TEMPORARILY_UNAVAILABLE"),
    errors.NotReady: (503, "TEMPORARILY_UNAVAILABLE"),
    errors.Draining: (503, "TEMPORARILY_UNAVAILABLE"),
    errors.DeadlineExceeded: (504, "DEADLINE_EXCEEDED"),
    errors.WorkerLost: (503, "TEMPORARILY_UNAVAILABLE"),
    errors.WorkerCrashed: (500, "INTERNAL_ERROR"),
    errors.UpdateConflict: (409, "RESOURCE_CONFLICT"),
    errors.ConfigError: (400, "INVALID_PARAMETER_VALUE"),
    errors.ModelUriError: (400, "INVALID_PARAMETER_VALUE"),
    errors.PeltonError: (500, "INTERNAL_ERROR"),
}


def status_of(error: errors.PeltonError) -> tuple[int, str]:
    """Return (status, error_code) of an error, by the nearest of its classes."""
    for kind in type(error).__mro__:
        if kind in _TABLE:
            return _TABLE[kind]
    return 500, "INTERNAL_ERROR"


def problem(error: errors.PeltonError) -> Response:
    """Return the answer for an error: JSON with ``error_code`` and ``message``."""
    status, error_code = status_of(error)
    response = json_response(status, error_code, str(error))
    head = response.head
    if status in (429, 503):
        retry_s = getattr(error, "retry_after_s", None)
        head += b"retry-after: %d\r\n" % max(1, round(retry_s or 1))
    close = status in (408, 413) or isinstance(error, errors.Draining)
    if close:
        head += b"connection: close\r\n"
    return response._replace(head=head, close=close)


def json_response(status: int, error_code: str, message: str) -> Response:
    """Return an error answer in the form that Databricks' clients read."""
    body = json.dumps({"error_code": error_code, "message": message}).encode()
    return Response(status, b"content-type: application/json\r\n", body)
