from __future__ import annotations

import inspect
import json

import pytest

from pelton import errors
from pelton.frontend.problems import problem, status_of

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.PeltonError)
]
LEAVES = [kind for kind in CLASSES if not kind.__subclasses__()]
# What MLflow's and Databricks' clients know.
KNOWN_CODES = {
    "BAD_REQUEST",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "INTERNAL_ERROR",
    "INVALID_PARAMETER_VALUE",
    "PERMISSION_DENIED",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_CONFLICT",
    "RESOURCE_DOES_NOT_EXIST",
    "TEMPORARILY_UNAVAILABLE",
    "UNAUTHENTICATED",
}


def _make(kind: type[errors.PeltonError]) -> errors.PeltonError:
    return kind("why", stage="queue") if kind is errors.DeadlineExceeded else kind("why")  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_an_answer(kind: type[errors.PeltonError]) -> None:
    answer = problem(_make(kind))
    status, error_code = status_of(_make(kind))
    assert 400 <= answer.status == status < 600
    assert error_code in KNOWN_CODES
    assert json.loads(bytes(answer.body)) == {"error_code": error_code, "message": "why"}
    assert (b"content-type", b"application/json") in answer.headers


@pytest.mark.parametrize("kind", CLASSES)
def test_what_may_be_retried_says_so_and_when(kind: type[errors.PeltonError]) -> None:
    answer = problem(_make(kind))
    assert kind.retryable == (answer.status in (429, 503))
    assert kind.retryable == any(name == b"retry-after" for name, _ in answer.headers)


@pytest.mark.parametrize("kind", [k for k in LEAVES if issubclass(k, errors.RequestError)])
def test_the_callers_fault_is_a_4xx(kind: type[errors.PeltonError]) -> None:
    assert 400 <= problem(_make(kind)).status < 500


def test_time_to_retry_is_that_of_the_error() -> None:
    answer = problem(errors.QueueFull("full", retry_after_s=12.4))
    assert (b"retry-after", b"12") in answer.headers


def test_subclass_is_answered_as_its_nearest_class() -> None:
    class Special(errors.QueueFull):
        pass

    assert status_of(Special("x")) == status_of(errors.QueueFull("x"))


def test_codes_are_unique_and_stable_in_form() -> None:
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(code == code.upper() and code.replace("_", "").isalpha() for code in codes)
