"""What has a fast path, and which requests it looks at."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.pyfunc import PyFuncModel
from tests.unit.worker.fastpath.models import (
    JSON,
    Echo,
    Rows,
    columns,
    compiled,
    mlflow_answer,
    pyfunc,
)

from pelton.worker.fastpath import Unsupported, compile_fast_path
from pelton.worker.fastpath.self_check import answer

BODY = b'{"dataframe_split": {"columns": ["a"], "data": [[1.5]]}}'


@pytest.mark.parametrize(
    ("content_type", "is_taken"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/json;charset=UTF-8", True),
        (" application/json ;  charset=Utf-8 ", True),
        ("application/json;", False),
        ('application/json; charset="utf-8"', False),
        ("application/json; charset=latin-1", False),
        ("application/json; Charset=utf-8", False),
        ("application/json; charset=utf-8; charset=utf-8", False),
        ("application/json; boundary=x", False),
        ("Application/JSON", False),
        ("text/csv", False),
        ("application/vnd.apache.parquet", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_json_type_is_looked_at(content_type: Any, is_taken: bool) -> None:
    model = pyfunc(Echo(), columns(a="double"))
    ours = answer(compiled(model), BODY, content_type)

    assert (ours is not None) == is_taken
    if ours is not None:
        assert tuple(ours) == mlflow_answer(model, BODY, content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"inputs": {}}',
        b'{"inputs": [[]]}',
        b'{"instances": [{}]}',
        b'{"dataframe_split": []}',
        b'{"dataframe_split": {"columns": [1], "data": [[1]]}}',
        b'{"dataframe_split": {"columns": ["a"], "data": [1]}}',
        b'{"dataframe_split": {"columns": "a", "data": [[1]]}}',
        b'{"dataframe_records": []}',
        b'{"dataframe_records": [[1]]}',
        b'{"unknown": 1}',
        b'{"inputs": {"a": [1]}, "deep": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_what_cannot_be_decoded_is_declined_and_never_raises(body: bytes) -> None:
    assert compiled(pyfunc(Echo(), columns(a="double"))).decode(body, JSON) is None


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_a_body_may_be_any_buffer(wrap: Any) -> None:
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    for body in (BODY, b'{"inputs": {"a": [1.5]}}', b'{"messages": []}'):
        request = fast.decode(wrap(body), JSON)
        assert request is not None
        assert request.rows == 1


def test_a_subclass_of_pyfuncmodel_may_do_anything_and_is_left_alone() -> None:
    class Special(PyFuncModel):
        pass

    model = pyfunc(Echo(), columns(a="double"))

    found = compile_fast_path(Special(model_meta=model.metadata, model_impl=Echo()))

    assert isinstance(found, Unsupported)
    assert "Special" in found.reason


def test_an_mlflow_that_does_more_before_it_predicts_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = PyFuncModel._predict
    monkeypatch.setattr(
        PyFuncModel, "_predict", lambda self, data, params=None: before(self, [data], params)
    )

    assert isinstance(compile_fast_path(pyfunc(Echo())), Unsupported)


def test_compiling_runs_no_code_of_the_model() -> None:
    class Untouched:
        def predict(self, data: Any, params: Any = None) -> Any:
            raise AssertionError

    fast = compiled(pyfunc(Untouched(), columns(a="double", b="double")))

    assert all(fast.decode(body, JSON) for body in fast.samples())


def test_the_number_of_compiled_tables_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pelton.worker.fastpath.tabular._MAX_PLANS", 3)
    fast = compiled(pyfunc(Rows(), columns(a="double")))
    bodies = [
        b'{"dataframe_split": {"columns": ["a", "x%d"], "data": [[1.5, 2]]}}' % number
        for number in range(5)
    ]

    assert [fast.decode(body, JSON) is not None for body in bodies] == [True] * 3 + [False] * 2
    assert fast.decode(bodies[0], JSON) is not None
