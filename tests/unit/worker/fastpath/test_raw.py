"""Unified LLM requests and type-hinted models are handed on as MLflow hands them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.types.schema import Array, ColSpec, Object, Property, Schema
from tests.unit.worker.fastpath.models import (
    JSON,
    Calls,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    params,
    pyfunc,
)

from pelton.worker.fastpath import FastPath, Unsupported, compile_fast_path, prove_batching
from pelton.worker.fastpath.self_check import answer

_MESSAGES = Schema(
    [
        ColSpec(
            Array(Object([Property("role", "string"), Property("content", "string")])), "messages"
        ),
        ColSpec("double", "temperature", required=False),
    ]
)

_REQUESTS = [
    b'{"messages": [{"role": "user", "content": "h\\u00e9"}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "temperature": 1.0, "params": {"a": 1}}',
    b'{"messages": [{"role": "user", "content": "x"}], "temperature": 2, "a": 3}',
    b'{"messages": [{"role": "user"}], "inputs": [1]}',
    b'{"messages": [{"role": "user", "content": ["x"]}]}',
    b'{"messages": "x", "a": 12345678901234567890123}',
    b'{"prompt": "x", "a": 2}',
    b'{"input": ["x", 1.5], "stop": null}',
]


@pytest.mark.parametrize("body", _REQUESTS)
@pytest.mark.parametrize("schema", [None, columns(a="double"), _MESSAGES], ids=str)
def test_unified_requests_are_answered_like_mlflow(body: bytes, schema: Any) -> None:
    for param_schema in (None, params(a=1, stop="x")):
        model = pyfunc(Echo(), schema, param_schema)
        model.metadata.flavors["python_function"]["loader_module"] = (
            "mlflow.pyfunc.loaders.chat_model"
        )
        ours = answer(compiled(model), body, JSON)

        assert ours is not None
        assert tuple(ours) == mlflow_answer(model, body)


def test_unified_requests_are_answered_unwrapped_and_one_by_one() -> None:
    fast = compiled(pyfunc(Echo()))
    requests = [fast.decode(_REQUESTS[0], JSON) for _ in "ab"]

    assert requests[0] is not None
    assert requests[1] is not None
    assert requests[0].group != requests[1].group
    assert not requests[0].has_rows
    assert fast.encode("x", requests[0]) == b'"x"'


def test_the_data_in_a_message_is_as_enforcement_left_it() -> None:
    """MLflow's enforcement writes into the request, and its message shows what is there then."""

    def fails(data: Any) -> Any:
        raise MlflowException("mine")

    model = pyfunc(Calls(fails), _MESSAGES)
    model.metadata.flavors["python_function"]["loader_module"] = "mlflow.pyfunc.loaders.chat_model"
    ours = answer(compiled(model), _REQUESTS[0], JSON)

    assert ours is not None
    assert tuple(ours) == mlflow_answer(model, _REQUESTS[0])


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A saved and loaded model whose signature comes from its type hints."""
    path: Path = tmp_path_factory.mktemp("hinted")
    (path / "hinted.py").write_text(
        "import mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, model_input: list[str], params=None) -> list[str]:\n"
        "        return [text.upper() for text in model_input]\n"
        "mlflow.models.set_model(Model())\n"
    )
    mlflow.pyfunc.save_model(path / "model", python_model=str(path / "hinted.py"))
    return mlflow.pyfunc.load_model(str(path / "model"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": ["a", "\\u00e9"]}',
        b'{"inputs": ["a"], "params": {"p": 1}, "more": NaN}',
        b'{"inputs": [1]}',
        b'{"inputs": []}',
        b'{"inputs": "a"}',
        b'{"inputs": null}',
        b'{"inputs": ["a"], "dataframe_split": {}}',
        b'{"dataframe_records": [{"a": "b"}]}',
        b'{"input": ["a"]}',
    ],
)
def test_type_hinted_models_are_answered_like_mlflow(hinted: Any, body: bytes) -> None:
    ours = answer(compiled(hinted), body, JSON)

    if ours is not None:
        assert tuple(ours) == mlflow_answer(hinted, body)
    assert (ours is None) == (b'"inputs"' not in body and b'"input"' not in body)


def test_lists_of_a_type_hinted_model_are_joined(hinted: Any) -> None:
    fast = compiled(hinted)
    requests = [
        fast.decode(body, JSON) for body in (b'{"inputs": ["a"]}', b'{"inputs": ["b", "c"]}')
    ]
    known = [request for request in requests if request is not None]

    parts = fast.split(fast.predict(fast.assemble(known)), known)

    assert parts == [["A"], ["B", "C"]]
    assert prove_batching(fast, b'{"inputs": ["x", "y"]}', budget_s=120.0).safe


def test_a_signature_of_nested_columns_is_left_to_mlflow() -> None:
    schema = Schema([ColSpec(Array("double"), "a")])

    found = compile_fast_path(pyfunc(Echo(), schema))

    assert isinstance(found, Unsupported)
    assert "'a'" in found.reason


def test_an_optional_nested_column_does_not_matter_while_it_is_absent() -> None:
    schema = Schema([ColSpec("double", "a"), ColSpec(Array("double"), "b", required=False)])
    model = pyfunc(Echo(), schema)
    fast = compile_fast_path(model)
    assert isinstance(fast, FastPath)
    absent = json.dumps({"dataframe_records": [{"a": 1.5}]}).encode()
    present = json.dumps({"dataframe_records": [{"a": 1.5, "b": [1.5]}]}).encode()

    assert tuple(answer(fast, absent, JSON) or ()) == mlflow_answer(model, absent)
    assert fast.decode(present, JSON) is None
