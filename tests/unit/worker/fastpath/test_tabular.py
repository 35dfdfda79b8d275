"""Tables are decoded into the very frame MLflow makes of them, or left to MLflow."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.worker.fastpath.models import (
    JSON,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    pyfunc,
)
from tests.unit.worker.fastpath.requests import TABLES, table_bodies

from pelton.worker.fastpath import FastPath
from pelton.worker.fastpath.self_check import answer


@cache
def echo(name: str) -> tuple[Any, FastPath]:
    model = pyfunc(Echo(), TABLES[name])
    return model, compiled(model)


def assert_same_answer(name: str, body: bytes) -> None:
    model, fast = echo(name)
    ours = answer(fast, body, JSON)
    if ours is not None:
        assert mlflow_answer(model, body) == tuple(ours), body


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=80)
@given(data=st.data())
def test_any_table_is_answered_like_mlflow_or_declined(name: str, data: st.DataObject) -> None:
    assert_same_answer(name, data.draw(table_bodies(TABLES[name])))


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=3000, derandomize=False)
@given(data=st.data())
def test_many_tables_are_answered_like_mlflow_or_declined(name: str, data: st.DataObject) -> None:
    assert_same_answer(name, data.draw(table_bodies(TABLES[name])))


TAKEN = [
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "index": [0, 1], "data": [[1.5, 2], [None, 7]]}},
    {"dataframe_split": {"columns": ["b", "x", "a"], "index": [9], "data": [[1, "y", 2.0]]}},
    {"dataframe_split": {"columns": ["a", "b"], "index": None, "data": [[1.5, 2]]}},
    {"dataframe_records": [{"a": 1.5, "b": 2}, {"b": 1, "a": 3}]},
    {"dataframe_records": [{"a": 1.5, "b": 2, "x": None}], "id": "1", "params": None},
    {"inputs": {"a": [1.5], "b": [2]}},
    {"inputs": {"b": 1.5, "a": 2}},
    {"inputs": [{"a": 1.5, "b": 2}]},
    {"instances": [{"a": 1.5, "b": 2}] * 3},
    {"instances": {"a": [1.5, 1], "b": [2.5, 2]}},
]


@pytest.mark.parametrize("document", TAKEN)
def test_what_real_traffic_is_made_of_is_taken(document: dict[str, Any]) -> None:
    model = pyfunc(Echo(), columns(a="double", b="double"))
    body = json.dumps(document).encode()

    ours = answer(compiled(model), body, JSON)

    assert ours is not None
    assert tuple(ours) == mlflow_answer(model, body)
    assert ours[0] == 200


def test_every_scalar_type_is_taken() -> None:
    fast = compiled(pyfunc(Echo(), TABLES["all"]))  # the others' has met its 256 forms perhaps

    taken = [json.loads(body) for body in fast.samples() if fast.decode(body, JSON)]

    assert {key for document in taken for key in document} == {
        "dataframe_split",
        "dataframe_records",
    }
    # base64 is decoded in tables and left alone in tensors, so binaries are for MLflow there
    rest = compiled(pyfunc(Echo(), columns(d="double", l="long", b="boolean", t="datetime")))
    assert len([body for body in rest.samples() if rest.decode(body, JSON)]) == len(rest.samples())


DECLINED = [
    {"dataframe_split": {"columns": ["a", "b"], "data": [["1.5", 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[True, 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[2**53 + 1, 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2], [1]]}},
    {"dataframe_split": {"columns": ["a", "a"], "data": [[1.5, 2]]}},
    {"dataframe_split": {"columns": ["a"], "data": [[1.5]]}},
    {"dataframe_split": {"columns": ["a", "b", "x"], "data": [[1, 2, [3]]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": []}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]], "index": ["x"]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]], "index": [1, 2]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]], "more": 1}},
    {"dataframe_records": [{"a": 1.5, "b": 2}, {"a": 1}]},
    {"dataframe_records": {"a": 1.5, "b": 2}},
    {"inputs": {"a": [1.5], "b": [2], "x": [1]}},
    {"inputs": {"a": [1.5], "b": [2, 3]}},
    {"inputs": 3},
    {"inputs": [{"a": 1, "b": 1}], "instances": []},
]


@pytest.mark.parametrize("document", DECLINED)
def test_what_mlflow_has_an_opinion_on_is_declined(document: dict[str, Any]) -> None:
    fast = compiled(pyfunc(Echo(), columns(a="double", b="double")))

    assert fast.decode(json.dumps(document).encode(), JSON) is None


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("integer", 2**31),
        ("long", 2**63),
        ("long", 1.0),
        ("long", None),
        ("boolean", 1),
        ("string", 1),
        ("string", None),
        ("datetime", "01/02/2021"),
        ("datetime", "2024-02-30"),
        ("datetime", "2262-12-01"),
        ("binary", "YQ"),
        ("double", "1"),
        ("float", 2**60),
    ],
)
def test_a_cell_that_needs_a_cast_is_declined(kind: str, cell: Any) -> None:
    fast = compiled(pyfunc(Echo(), columns(a=kind)))

    for value in ({"dataframe_records": [{"a": cell}]}, {"inputs": {"a": [cell]}}):
        assert fast.decode(json.dumps(value).encode(), JSON) is None


def test_a_model_may_write_into_its_input() -> None:
    """Neither names, nor labels, nor cells of one request are seen by the next."""

    class Vandal:
        def predict(self, data: pd.DataFrame, params: Any = None) -> str:
            seen = repr((data, data.columns.name, data.index.name))
            data.columns.name = "mine"
            data.index.name = "mine"
            data.iloc[:, 0] = 0.0
            data["b"] = "x"
            return seen

    fast = compiled(pyfunc(Vandal(), columns(a="double", b="double")))
    request = fast.decode(b'{"inputs": {"a": [1.5], "b": [2.5]}}', JSON)
    assert request is not None

    assert fast.predict(request) == fast.predict(request)


def test_the_frame_has_one_contiguous_block_per_dtype() -> None:
    fast = compiled(pyfunc(Echo(), columns(a="double", n="long", b="double")))
    request = fast.decode(b'{"inputs": {"a": [1.5, 2], "n": [1, 2], "b": [2.5, 3]}}', JSON)
    assert request is not None

    blocks = {str(block.dtype): block.values for block in request.data._mgr.blocks}

    assert {name: values.shape for name, values in blocks.items()} == {
        "float64": (2, 2),
        "int64": (1, 2),
    }
    assert all(values.flags.c_contiguous for values in blocks.values())
    np.testing.assert_array_equal(blocks["float64"], [[1.5, 2.0], [2.5, 3.0]])
