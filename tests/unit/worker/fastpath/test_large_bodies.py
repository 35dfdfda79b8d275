"""Large bodies of floats take another way to the same input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from mlflow.types.schema import Schema
from tests.unit.worker.fastpath.models import (
    JSON,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    pyfunc,
    tensor,
    unnamed,
)

from pelton.worker.fastpath import compiler, matrix
from pelton.worker.fastpath.self_check import answer
from pelton_kernels import json_lists

_ROWS: list[list[Any]] = np.random.default_rng(0).normal(size=(200, 3)).tolist()
_DOUBLES = columns(a="double", b="double", c="double")


def changed(row: int, column: int, cell: Any) -> list[list[Any]]:
    rows = [list(cells) for cells in _ROWS]
    rows[row][column] = cell
    return rows


def split(rows: Any, names: str = "abc", **more: Any) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(names), "data": rows, **more}}


REQUESTS = [
    (_DOUBLES, split(_ROWS), True),
    (_DOUBLES, split(_ROWS, "cab"), True),
    (_DOUBLES, split(_ROWS, index=list(range(200))), True),
    (_DOUBLES, {**split(_ROWS), "params": None, "id": "x"}, True),
    (_DOUBLES, split(changed(7, 1, 3)), True),
    (_DOUBLES, split(changed(7, 1, -0.0)), True),
    (_DOUBLES, split(changed(7, 1, 1e300)), True),
    (_DOUBLES, split(changed(7, 1, 2**53)), True),
    (_DOUBLES, split(changed(7, 1, 2**53 + 1)), False),
    (_DOUBLES, split(changed(7, 1, None)), False),
    (_DOUBLES, split(changed(7, 1, True)), False),
    (_DOUBLES, split(changed(7, 1, "x")), False),
    (_DOUBLES, split(_ROWS, "abx"), False),
    (_DOUBLES, {"dataframe_records": [dict(zip("abc", row, strict=True)) for row in _ROWS]}, False),
    (columns(a="double", b="double"), split(_ROWS), True),
    (columns(a="float", b="float", c="float"), split(_ROWS), True),
    (columns(a="float", b="double", c="float"), split(_ROWS), False),
    (columns(a="long", b="long", c="long"), split([[1, 2, 3]] * 1500), False),
    (unnamed("double", "double", "double"), {"dataframe_split": {"data": _ROWS}}, True),
    (unnamed("double", "double", "double"), {"inputs": _ROWS}, True),
    (columns(a="double"), {"instances": [cell for row in _ROWS for cell in row]}, True),
    (Schema([tensor("float32", (-1, 3))]), {"inputs": _ROWS}, True),
    (Schema([tensor("float16", (-1, 3))]), {"instances": _ROWS}, True),
    (Schema([tensor("float64", (-1, 3), "t")]), {"inputs": _ROWS}, True),
    (Schema([tensor("float64", (-1, 1, 3))]), {"inputs": [[row] for row in _ROWS]}, True),
    (Schema([tensor("float64", (-1, 4))]), {"inputs": _ROWS}, False),
    (Schema([tensor("int64", (-1, 3))]), {"inputs": [[1, 2, 3]] * 1500}, False),
    (None, {"inputs": _ROWS}, False),
    (None, split(_ROWS), False),
]


@pytest.mark.parametrize(("schema", "document", "is_matrix"), REQUESTS)
def test_a_large_body_is_answered_like_mlflow(
    schema: Any, document: Any, is_matrix: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not json_lists.is_compiled():
        pytest.skip("the kernel could not be compiled")
    model = pyfunc(Echo(), schema)
    fast = compiled(model)
    body = json.dumps(document).encode()
    assert len(body) > compiler._LARGE_BYTES

    assert (fast._decode_numbers(body) is not None) == is_matrix
    for _ in range(2):  # with the kernel, and without
        for large in (body, memoryview(bytearray(body))):
            ours = answer(compiled(model), large, JSON)
            if ours is not None:
                assert tuple(ours) == mlflow_answer(model, body)
        again = answer(fast, body, JSON)  # what is around its rows is known by now
        assert again == answer(fast, body, JSON) == answer(compiled(model), body, JSON)
        monkeypatch.setattr(json_lists, "_library", None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": "[1, 2]"}',
        b'{"inputs": [1, 2], "inputs": 3}',
        b'{"inputs": [1, 2], "inputs": [3, 4]}',
        b'{"a": {"inputs": [1, 2]}, "inputs": 3}',
        b'{"a": {"inputs": [1, 2]}}',
        b'{"a": "inputs", "b": [1, 2]}',
        b'{"inputs": [1, 2]',
        b'{"inputs": [1, 2]} x',
        b'{"inputs": [1, 2], "a": NaN}',
        b'{"inputs": [1, 2], "a": "\xff"}',
        b'[[1, 2], "inputs"]',
        b'{"inputs": {"a": [1, 2]}}',
        b"[1, 2]",
        b'"inputs"',
    ],
)
def test_a_list_in_another_place_is_not_taken_for_it(body: bytes) -> None:
    try:
        found = matrix.read(body, ("inputs",))
    except (ValueError, TypeError, KeyError):
        found = None
    assert found is None or found["inputs"].tolist() == json.loads(body)["inputs"]


def test_what_is_beside_the_list_stays() -> None:
    body = b' {"a": [null, "x"], "inputs" : [[1, 2.5], [3, 4]] , "b": {"c": "inputs"}} '
    if not json_lists.is_compiled():
        pytest.skip("the kernel could not be compiled")
    found = matrix.read(body, ("inputs",))
    assert found is not None
    assert found.pop("inputs").tolist() == [[1, 2.5], [3, 4]]
    assert found == {"a": [None, "x"], "b": {"c": "inputs"}}


@pytest.mark.parametrize("body", [b"", b"[", b'"', b"{" + b" " * 9000, b'{"inputs' + b"x" * 9000])
def test_a_large_body_of_anything_is_declined(body: bytes) -> None:
    assert compiled(pyfunc(Echo(), _DOUBLES)).decode(body + b" " * 9000, JSON) is None
