"""Rows are put together only for models that were seen to answer row by row."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.types.schema import Schema
from tests.unit.worker.fastpath.models import (
    JSON,
    Calls,
    Returns,
    Rows,
    columns,
    compiled,
    pyfunc,
    tensor,
)

from pelton.worker.fastpath import BatchingProof, FastPath, prove_batching, recheck

_EXAMPLE = b'{"dataframe_split": {"columns": ["a", "b"], "data": [[0.25, 1.5], [3.5, -2.0]]}}'


def proven(fast: FastPath, example: bytes | None) -> BatchingProof:
    """Prove, however slow the machine."""
    return prove_batching(fast, example, budget_s=120.0)


def proof(function: Any, example: bytes | None = None) -> BatchingProof:
    model = pyfunc(Calls(function), columns(a="double", b="double"))
    return proven(compiled(model), example)


def _total(data: pd.DataFrame) -> Any:
    return data["a"] * 2 + data["b"]


@pytest.mark.parametrize("example", [None, _EXAMPLE])
@pytest.mark.parametrize(
    "function",
    [
        _total,
        lambda data: _total(data).to_numpy(),
        lambda data: _total(data).tolist(),
        lambda data: data,
        lambda data: np.where(data["a"] > 1, "high", "low"),
        lambda data: {"total": _total(data).to_numpy(), "a": data["a"].tolist()},
        lambda data: np.ones(len(data), dtype=int),
    ],
)
def test_models_that_answer_by_row(function: Any, example: bytes | None) -> None:
    found = proof(function, example)

    assert found.safe, found
    assert found.max_ulp == 0.0


_calls = itertools.count()


def _strict(data: pd.DataFrame) -> Any:
    if len(data) > 3:
        raise ValueError("too many rows")
    return data["a"].to_numpy()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda data: data["a"].rank().to_numpy(), "otherwise than apart"),
        (lambda data: (data["a"] - data["a"].mean()).to_numpy(), "otherwise than apart"),
        (lambda data: data["a"].to_numpy() / np.abs(data["a"]).max(), "otherwise than apart"),
        (lambda data: np.arange(len(data)), "otherwise than apart"),
        (lambda data: data["a"].cumsum().to_numpy(), "otherwise than apart"),
        (lambda data: [len(data)] * len(data), "otherwise than apart"),
        (lambda data: data.sort_values("a"), "otherwise than apart"),
        (lambda data: data["a"].to_numpy() + 1e-9 * len(data), "otherwise than apart"),
        (lambda data: float(data["a"].sum()), "not aligned"),
        (lambda data: data.drop_duplicates(), "not aligned"),
        (lambda data: [1.0, 2.0], "otherwise than apart"),
        (lambda data: [next(_calls)] * len(data), "different ways"),
        (_strict, "raise ValueError"),
    ],
)
def test_models_that_look_at_the_whole_input(function: Any, why: str) -> None:
    for example in (None, _EXAMPLE):
        found = proof(function, example)

        assert not found.safe
        assert why in found.reason


def test_a_difference_in_the_last_digits_is_reported() -> None:
    def predict(data: pd.DataFrame) -> Any:
        sums = data["a"].to_numpy() + data["b"].to_numpy() + 10
        return np.nextafter(sums, np.inf) if len(data) > 4 else sums

    found = proof(predict)

    assert found.safe
    assert 0.0 < found.max_ulp < 2.0


def test_nothing_is_proven_without_two_different_rows() -> None:
    def fails(data: Any) -> Any:
        raise ValueError

    assert "fewer than two" in proof(fails).reason
    assert "fewer than two" in proven(compiled(pyfunc(Rows())), None).reason


def test_rows_made_up_may_be_nothing_to_the_model() -> None:
    """A model that knows only its own labels is proven on the example's rows."""
    known = {"red": 1.5, "blue": 2.5}
    model = pyfunc(
        Calls(lambda data: np.array([known[colour] for colour in data["c"]])), columns(c="string")
    )
    example = b'{"inputs": {"c": ["red", "blue"]}}'

    assert proven(compiled(model), example).safe
    assert not proven(compiled(model), None).safe


def test_tensors_by_row() -> None:
    schema = Schema([tensor("float32", (-1, 3))])
    weights = np.arange(12, dtype=np.float32).reshape(3, 4)

    assert proven(compiled(pyfunc(Calls(lambda data: data @ weights), schema)), None).safe
    mean = compiled(pyfunc(Calls(lambda data: data - data.mean(axis=0)), schema))
    assert not proven(mean, None).safe


def test_an_example_that_is_no_request_is_no_evidence() -> None:
    for example in (b"", b"{", b"[]", b'{"inputs": "x"}'):
        assert proven(compiled(pyfunc(Rows(), columns(a="double"))), example).safe


def test_an_output_that_is_no_json_proves_nothing() -> None:
    fast = compiled(pyfunc(Returns({1, 2}), columns(a="double")))

    assert not proven(fast, None).safe


def test_what_takes_too_long_is_not_proven() -> None:
    fast = compiled(pyfunc(Calls(_total), columns(a="double", b="double")))

    found = prove_batching(fast, None, budget_s=0.0)

    assert not found.safe
    assert "within 0 s" in found.reason


def test_a_batch_is_checked_again_on_real_requests() -> None:
    """A model that looks at its neighbours only now and then is found out by what it is sent."""

    def predict(data: pd.DataFrame) -> Any:
        large = (data["a"] > 1000).any()
        return data["a"].to_numpy() * (0 if large else 1)

    fast = compiled(pyfunc(Calls(predict), columns(a="double")))
    assert proven(fast, None).safe

    def checked(*cells: float) -> BatchingProof:
        bodies = [b'{"inputs": {"a": [%a]}}' % cell for cell in cells]
        requests = [request for body in bodies if (request := fast.decode(body, JSON)) is not None]
        parts = fast.split(fast.predict(fast.assemble(requests)), requests)
        assert parts is not None
        return recheck(fast, requests, parts)

    assert checked(1.5, 2.5, 3.5).safe
    assert not checked(1.5, 2000.5, 3.5).safe
