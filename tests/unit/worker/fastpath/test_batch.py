"""Joined and split again, every request is answered as it is apart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tests.unit.worker.fastpath.models import (
    JSON,
    Calls,
    Echo,
    Rows,
    columns,
    compiled,
    params,
    pyfunc,
)
from tests.unit.worker.fastpath.requests import TABLES, TENSORS, table_bodies, tensor_bodies

from pelton.worker.fastpath import Decoded, FastPath
from pelton.worker.fastpath.likeness import same_input

_FAST = {
    **{f"table {name}": compiled(pyfunc(Rows(), schema)) for name, schema in TABLES.items()},
    **{f"tensor {name}": compiled(pyfunc(Rows(), schema)) for name, schema in TENSORS.items()},
}


def decoded(fast: FastPath, document: Any) -> Decoded:
    request = fast.decode(json.dumps(document).encode(), JSON)
    assert request is not None, document
    return request


def assert_joins(fast: FastPath, requests: list[Decoded]) -> None:
    joined = fast.assemble(requests)
    parts = fast.split(fast.predict(joined), requests)

    assert joined.rows == sum(request.rows for request in requests)
    assert parts is not None
    apart = [fast.encode(fast.predict(request), request) for request in requests]
    assert fast.encode_parts(parts, requests) == apart
    assert list(map(fast.encode, parts, requests)) == apart


@pytest.mark.parametrize("name", _FAST)
@settings(max_examples=40)
@given(data=st.data())
def test_any_mix_of_requests_is_answered_as_apart(name: str, data: st.DataObject) -> None:
    """Requests of all forms are grouped as they come, a few at a time."""
    kind, _, signature = name.partition(" ")
    bodies = (
        table_bodies(TABLES[signature], odd=False)
        if kind == "table"
        else tensor_bodies(TENSORS[signature], odd=False)
    )
    groups: dict[Any, list[Decoded]] = {}
    for body in data.draw(st.lists(bodies, min_size=2, max_size=6)):
        request = _FAST[name].decode(body, JSON)
        if request is not None:
            groups.setdefault(request.group, []).append(request)
    for requests in groups.values():
        if requests[0].has_rows:
            assert_joins(_FAST[name], requests)
        else:
            assert len(requests) == 1


def test_a_joined_frame_has_the_layout_of_one_request_with_all_rows() -> None:
    fast = compiled(pyfunc(Echo(), TABLES["all"]))
    row = [1.5, 2.5, 3, 4, True, "a", "2024-01-02T03:04:05", "YWJj", 2.5, "b"]
    names = TABLES["all"].input_names()  # type: ignore[union-attr]
    table = {"columns": names, "data": [row]}
    one = decoded(fast, {"dataframe_split": table})
    two = decoded(fast, {"dataframe_records": [dict(zip(names, row, strict=True))] * 2})
    three = decoded(fast, {"dataframe_split": {**table, "data": [row] * 3}})

    assert same_input(fast.assemble([one, two]).data, three.data)
    assert same_input(three.take(1, 2).data, one.data)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"inputs": {"a": [1.5]}}, {"inputs": {"a": [1.5]}, "params": {"p": 1}}),
        (
            {"inputs": {"a": [1.5]}, "params": {"p": 1}},
            {"inputs": {"a": [1.5]}, "params": {"p": 2}},
        ),
        ({"inputs": {"a": [1.5]}}, {"inputs": {"a": [1.5], "o": [1]}}),
        (
            {"inputs": {"a": [1.5]}},
            {"dataframe_split": {"columns": ["a"], "data": [[1.5]], "index": [0]}},
        ),
    ],
)
def test_what_the_model_could_tell_apart_is_of_another_group(left: Any, right: Any) -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double", o="long?"), params(p=0)))
    requests = [decoded(fast, left), decoded(fast, right)]

    assert requests[0].group != requests[1].group
    with pytest.raises(ValueError, match="one group"):
        fast.assemble(requests)


def test_the_form_of_a_request_is_nothing_the_model_could_tell() -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double", b="double")))
    documents = [
        {"inputs": {"b": [1.5], "a": [2.5]}},
        {"inputs": {"a": 1.5, "b": 2.5}},
        {"instances": [{"a": 1, "b": 2}]},
        {"dataframe_records": [{"b": 1, "a": 2}]},
        {"dataframe_split": {"columns": ["x", "a", "b"], "data": [["y", 1, 2]]}},
    ]

    assert len({decoded(fast, document).group for document in documents}) == 1


def test_an_index_of_the_callers_own_keeps_a_request_apart() -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    table = {"columns": ["a"], "data": [[1.5], [2.5]]}
    counted = [decoded(fast, {"dataframe_split": {**table, "index": [0, 1]}}) for _ in "ab"]
    own = [decoded(fast, {"dataframe_split": {**table, "index": [4, 4]}}) for _ in "ab"]

    assert counted[0].group == counted[1].group
    assert fast.assemble(counted).data.index.tolist() == [0, 1, 2, 3]
    assert own[0].group != own[1].group
    assert not own[0].has_rows


def by_row(name: str) -> Any:
    """Return a function of a frame with columns a and b that answers by row, as ``name``."""
    functions: dict[str, Any] = {
        "frame": lambda data: data * 2,
        "frame, mixed": lambda data: data.assign(s="x", n=[*range(len(data))][:0] or 7),
        "frame with times": lambda data: data.assign(t=pd.Timestamp("2024-01-01")),
        "series": lambda data: data["a"],
        "array": lambda data: data["a"].to_numpy(),
        "matrix": lambda data: data.to_numpy(),
        "list": lambda data: data["a"].tolist(),
        "tuple": lambda data: tuple(data["a"]),
        "dict": lambda data: {"a": data["a"].to_numpy(), "b": data["b"].tolist()},
        "dict of series": lambda data: {"a": data["a"], "b": data["b"]},
    }
    return functions[name]


@pytest.mark.parametrize(
    "name",
    [
        "frame",
        "frame, mixed",
        "frame with times",
        "series",
        "array",
        "matrix",
        "list",
        "tuple",
        "dict",
        "dict of series",
    ],
)
def test_every_kind_of_output_is_split_by_rows(name: str) -> None:
    fast = compiled(pyfunc(Calls(by_row(name)), columns(a="double", b="double")))
    documents = [
        {"inputs": {"a": [1.5], "b": [1e-7]}},
        {"inputs": {"a": [1, 2, 3], "b": [4, 5, 6]}},
        {"inputs": {"a": [0.1, 1e22], "b": [0, -1]}},
    ]

    assert_joins(fast, [decoded(fast, document) for document in documents])


class Recalls:
    """Answers what it was told, for as many rows as it is asked."""

    def __init__(self) -> None:
        self.rows: Any = None

    def predict(self, data: pd.DataFrame) -> Any:
        return self.rows[data["a"].to_numpy(dtype=int)]


_RECALLS = Recalls()
_RECALLING = compiled(pyfunc(_RECALLS, columns(a="double")))


@settings(max_examples=200)
@given(data=st.data())
def test_numbers_are_written_together_as_they_are_apart(data: st.DataObject) -> None:
    """Few rows a request and many, of every type that is a number."""
    dtype = data.draw(
        st.one_of(
            npst.boolean_dtypes(), npst.integer_dtypes(), npst.floating_dtypes(sizes=(16, 32, 64))
        )
    )
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=5))
    _RECALLS.rows = data.draw(npst.arrays(dtype, sum(sizes)))
    ends = np.cumsum(sizes).tolist()
    requests = [
        decoded(_RECALLING, {"inputs": {"a": [*range(end - size, end)]}})
        for size, end in zip(sizes, ends, strict=True)
    ]
    assert_joins(_RECALLING, requests)


@pytest.mark.parametrize(
    "output",
    [
        1.5,
        "text",
        None,
        {},
        [1.5],
        np.array(1.5),
        np.zeros(4),
        pd.DataFrame({"a": [1.5]}),
        {"a": [1, 2, 3], "b": [1]},
        {"a": {"b": [1, 2, 3]}},
        {1, 2, 3},
    ],
    ids=repr,
)
def test_an_output_that_is_not_aligned_with_the_rows_is_not_split(output: Any) -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    requests = [
        decoded(fast, {"inputs": {"a": [1.5]}}),
        decoded(fast, {"inputs": {"a": [1.5, 2.5]}}),
    ]

    assert fast.split(output, requests) is None


def test_a_request_without_rows_takes_none_of_its_neighbours() -> None:
    """As many requests as rows do not make it one row each."""
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    two = decoded(fast, {"inputs": {"a": [1.5, 2.5]}})
    requests = [two, two.take(0, 0), two.take(0, 1)]
    parts = fast.split(np.array([1, 2, 3]), requests)

    assert parts is not None
    bodies = [b'{"predictions": [1, 2]}', b'{"predictions": []}', b'{"predictions": [3]}']
    assert fast.encode_parts(parts, requests) == bodies


def test_one_request_is_its_own_batch() -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    request = decoded(fast, {"inputs": {"a": [1.5]}})

    assert fast.assemble([request]) is request
    assert fast.split("anything", [request]) == ["anything"]
