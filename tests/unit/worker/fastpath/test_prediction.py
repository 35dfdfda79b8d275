"""The model is called as MLflow calls it, and its failures are answered in MLflow's words."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED, RESOURCE_DOES_NOT_EXIST
from mlflow.pyfunc.context import get_prediction_context
from mlflow.types.schema import Schema
from tests.unit.worker.fastpath.models import (
    JSON,
    Calls,
    Echo,
    columns,
    compiled,
    mlflow_answer,
    params,
    pyfunc,
    tensor,
)

from pelton.worker.fastpath.self_check import answer

BODY = b'{"dataframe_split": {"columns": ["a"], "data": [[1.5], [2.5]]}}'


def test_the_prediction_context_is_mlflows() -> None:
    seen = []

    def predict(data: Any) -> str:
        context = get_prediction_context()
        seen.append((vars(context), context.dependencies_schemas))
        return repr(seen[-1])

    schemas = {"dependencies_schemas": {"retrievers": [{"name": "r"}]}}
    model = pyfunc(Calls(predict), columns(a="double"), metadata=schemas, model_id="m-1")

    assert tuple(answer(compiled(model), BODY, JSON) or ()) == mlflow_answer(model, BODY)
    assert seen[0] == seen[1]
    assert seen[0][1] is not None


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"params": None},
        {"params": {}},
        {"params": {"b": 2, "a": 0.5}},
        {"params": {"a": 1}},
        {"params": {"a": None}},
        {"params": {"b": 2, "unknown": [1]}},
    ],
)
def test_params_are_enforced_as_by_mlflow(sent: dict[str, Any]) -> None:
    for schema in (params(a=1.5, b=3, c="x"), None):
        model = pyfunc(Echo(), columns(a="double"), schema)
        body = json.dumps({**json.loads(BODY), **sent}).encode()
        ours = answer(compiled(model), body, JSON)

        assert ours is not None
        assert tuple(ours) == mlflow_answer(model, body)


@pytest.mark.parametrize(
    "sent", [{"a": "x"}, {"b": 1.5}, {"b": True}, [1], "x", {"a": 1e300, "b": 1e30}]
)
def test_params_that_mlflow_refuses_are_declined(sent: Any) -> None:
    fast = compiled(pyfunc(Echo(), columns(a="double"), params(a=1.5, b=3)))
    body = json.dumps({**json.loads(BODY), "params": sent}).encode()

    assert fast.decode(body, JSON) is None


def test_a_predict_without_params_is_called_without(caplog: pytest.LogCaptureFixture) -> None:
    class Plain:
        def predict(self, data: pd.DataFrame) -> Any:
            return data["a"].to_numpy()

    model = pyfunc(Plain(), columns(a="double"), params(p=1))
    with caplog.at_level(logging.ERROR):
        assert tuple(answer(compiled(model), BODY, JSON) or ()) == mlflow_answer(model, BODY)


def test_the_signature_of_mlflows_own_predict_is_worked_out_once() -> None:
    class Model(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
            return [params["p"]] * len(model_input)

    theirs = mlflow.pyfunc.model._PythonModelPyfuncWrapper(Model(), None, None)
    model = pyfunc(theirs, columns(a="double"), params(p=1))
    function = type(theirs).predict
    vars(function).pop("__signature__", None)
    expected = inspect.signature(theirs.predict)

    fast = compiled(model)

    assert vars(function)["__signature__"] == inspect.signature(function)
    assert inspect.signature(theirs.predict) == expected
    assert "__signature__" not in vars(Model.predict)
    assert tuple(answer(fast, BODY, JSON) or ()) == mlflow_answer(model, BODY)


def _value_error(data: Any) -> Any:
    raise ValueError("no é\n")


def _key_error(data: Any) -> Any:
    return data["no such column"]


def _caused(data: Any) -> Any:
    try:
        _value_error(data)
    except ValueError as error:
        raise RuntimeError("outer") from error


def _in_context(data: Any) -> Any:
    try:
        _value_error(data)
    except ValueError:
        return {}["inner"]


def _deep(data: Any) -> Any:
    return list(map(lambda row: 1 / row, [1, 0]))  # noqa: C417  a frame of its own


class _Custom(Exception):
    def __str__(self) -> str:
        return "custom"


def _custom(data: Any) -> Any:
    raise _Custom(1, 2)


def _mlflow_default(data: Any) -> Any:
    raise MlflowException("mine")


def _mlflow_coded(data: Any) -> Any:
    raise MlflowException("mine", error_code=NOT_IMPLEMENTED)


def _mlflow_extra(data: Any) -> Any:
    raise MlflowException.invalid_parameter_value("mine", detail="é")


def _mlflow_unserialisable(data: Any) -> Any:
    raise MlflowException("mine", detail=object())


def _mlflow_enforce(data: Any) -> Any:
    raise MlflowException("Failed to enforce schema of nothing", RESOURCE_DOES_NOT_EXIST)


def _rest(data: Any) -> Any:
    raise RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})


def _import_error(data: Any) -> Any:
    import no_such_module_anywhere  # noqa: F401


_FAILURES = [
    _value_error, _key_error, _caused, _in_context, _deep, _custom, _mlflow_default, _mlflow_coded,
    _mlflow_extra, _mlflow_unserialisable, _mlflow_enforce, _rest, _import_error,
]  # fmt: skip

_INPUTS = [
    (columns(a="double"), BODY),
    (columns(a="double"), b'{"inputs": {"a": [1, 2]}}'),
    (columns(a="double", s="string"), b'{"dataframe_records": [{"a": 1, "x": 0, "s": "\\n"}]}'),
    (Schema([tensor("float32", (-1, 2))]), b'{"inputs": [[1, 2.5]]}'),
    (Schema([tensor("float32", (-1,), "t")]), b'{"instances": [{"t": 2.5}]}'),
    (None, b'{"inputs": [[1.5]], "params": {"p": 1}}'),
    (None, b'{"messages": [{"role": "user"}], "x": [1e40]}'),
]


@pytest.mark.parametrize("failure", _FAILURES)
@pytest.mark.parametrize(("schema", "body"), _INPUTS, ids=[repr(body[:24]) for _, body in _INPUTS])
def test_a_failure_is_answered_in_mlflows_words(failure: Any, schema: Any, body: bytes) -> None:
    """The stack trace included, to the line and the caret."""
    model = pyfunc(Calls(failure), schema)
    fast = compiled(model)
    ours = answer(fast, body, JSON)

    assert ours is not None
    assert tuple(ours) == mlflow_answer(model, body)
    assert ours[0] != 200


def test_a_failure_does_not_call_the_model_again() -> None:
    calls = []

    def predict(data: Any) -> Any:
        calls.append(1)
        raise ValueError

    fast = compiled(pyfunc(Calls(predict), columns(a="double")))
    assert answer(fast, BODY, JSON) is not None

    assert calls == [1]


def test_a_failure_whose_data_cannot_be_shown_is_500() -> None:
    class Unprintable(str):
        def __str__(self) -> str:
            raise ValueError

    def predict(data: Any) -> Any:
        error = MlflowException("x")
        error.message = Unprintable("x")
        raise error

    model = pyfunc(Calls(predict), columns(a="double"))

    assert tuple(answer(compiled(model), BODY, JSON) or ()) == mlflow_answer(model, BODY)


def test_exits_of_the_model_are_not_caught() -> None:
    def predict(data: Any) -> Any:
        raise SystemExit(3)

    fast = compiled(pyfunc(Calls(predict), columns(a="double")))
    request = fast.decode(BODY, JSON)
    assert request is not None

    with pytest.raises(SystemExit):
        fast.predict(request)


def test_mlflow_is_the_version_in_the_models_environment() -> None:
    assert mlflow.pyfunc.PyFuncModel is type(compiled(pyfunc(Echo())).model)
