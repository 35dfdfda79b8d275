"""Tensors are decoded into the very arrays MLflow makes of them, or left to MLflow."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.worker.fastpath.models import JSON, Echo, compiled, mlflow_answer, pyfunc
from tests.unit.worker.fastpath.requests import TENSORS, tensor_bodies

from pelton.worker.fastpath import FastPath
from pelton.worker.fastpath.self_check import answer


@cache
def echo(name: str) -> tuple[Any, FastPath]:
    model = pyfunc(Echo(), TENSORS[name])
    return model, compiled(model)


def assert_same_answer(name: str, body: bytes) -> None:
    model, fast = echo(name)
    ours = answer(fast, body, JSON)
    if ours is not None:
        assert mlflow_answer(model, body) == tuple(ours), body


@pytest.mark.parametrize("name", TENSORS)
@settings(max_examples=80)
@given(data=st.data())
def test_any_tensor_is_answered_like_mlflow_or_declined(name: str, data: st.DataObject) -> None:
    assert_same_answer(name, data.draw(tensor_bodies(TENSORS[name])))


@pytest.mark.slow
@pytest.mark.parametrize("name", TENSORS)
@settings(max_examples=3000, derandomize=False)
@given(data=st.data())
def test_many_tensors_are_answered_like_mlflow_or_declined(name: str, data: st.DataObject) -> None:
    assert_same_answer(name, data.draw(tensor_bodies(TENSORS[name])))


@pytest.mark.parametrize("name", [name for name in TENSORS if name != "none"])
def test_every_form_that_mlflow_takes_is_taken(name: str) -> None:
    model, fast = echo(name)

    for body in fast.samples():
        if mlflow_answer(model, body)[0] == 200:
            assert fast.decode(body, JSON) is not None, body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("matrix", [[1, 2]]),
        ("matrix", [1, 2, 3]),
        ("matrix", [[[1, 2, 3]]]),
        ("matrix", [[1, 2, None]]),
        ("matrix", [[1, 2, True]]),
        ("matrix", []),
        ("bytes", [[1, 256]]),
        ("bytes", [[1, 2.0]]),
        ("flags", [[0, 1]]),
        ("free", [[1, 2], [3]]),
        ("fixed", [[1, 2]]),
        ("named", {"a": [[1, 2, 3]]}),
        ("named", {"a": [[1, 2, 3]], "b": [1], "c": [2]}),
        ("none", [1, 2.5, "x"]),
        ("none", [2**63, 1.0]),
        ("none", ["text"]),
        ("none", {"a": {"b": [1]}}),
    ],
)
def test_what_mlflow_has_an_opinion_on_is_declined(name: str, value: Any) -> None:
    assert echo(name)[1].decode(json.dumps({"inputs": value}).encode(), JSON) is None


@pytest.mark.parametrize("name", ["named", "none"])
def test_instances_of_different_lengths_are_declined(name: str) -> None:
    """As ``inputs`` they are fine, and cannot be joined with others."""
    value = {"a": [[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]], "b": [1]}
    fast = echo(name)[1]

    alone = fast.decode(json.dumps({"inputs": value}).encode(), JSON)

    assert fast.decode(json.dumps({"instances": value}).encode(), JSON) is None
    assert alone is not None
    assert not alone.has_rows


def test_an_array_owns_its_memory() -> None:
    """Torch and in-place resizing want that; a view of the request would also keep it alive."""
    request = echo("matrix")[1].decode(b'{"inputs": [[1, 2, 3], [4, 5, 6]]}', JSON)
    assert request is not None

    assert request.data.flags.owndata
    assert request.data is not request.data
