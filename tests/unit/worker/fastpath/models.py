"""Tiny pyfunc models, and MLflow's own answer to compare with."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"  # as MLflow's server sets it

from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

from pelton.worker.fastpath import FastPath, compile_fast_path

JSON = "application/json"

INTERNAL_SERVER_ERROR = (500, "text/plain; charset=utf-8", b"Internal Server Error")


def pyfunc(
    impl: Any,
    inputs: Schema | None = None,
    params: ParamSchema | None = None,
    metadata: dict[str, Any] | None = None,
    model_id: str | None = None,
) -> PyFuncModel:
    """Return a loaded model with ``impl`` behind it, without saving one."""
    signature = ModelSignature(inputs=inputs, params=params) if inputs or params else None
    meta = Model(signature=signature, metadata=metadata)
    meta.flavors = {"python_function": {"loader_module": "mlflow.pyfunc.model"}}
    model = PyFuncModel(model_meta=meta, model_impl=impl)
    model._model_id = model_id
    return model


def columns(**types: str) -> Schema:
    """Return a column signature; a type with a ``?`` is optional."""
    return Schema(
        [
            ColSpec(kind.rstrip("?"), name, required=not kind.endswith("?"))
            for name, kind in types.items()
        ]
    )


def unnamed(*types: str) -> Schema:
    return Schema([ColSpec(kind) for kind in types])


def tensor(dtype: str, shape: tuple[int, ...], name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, name)


def params(**defaults: Any) -> ParamSchema:
    names = {float: "double", int: "long", str: "string", bool: "boolean"}
    return ParamSchema(
        [ParamSpec(name, names[type(value)], value) for name, value in defaults.items()]
    )


def compiled(model: PyFuncModel) -> FastPath:
    fast = compile_fast_path(model)
    assert isinstance(fast, FastPath), fast
    return fast


def mlflow_answer(model: PyFuncModel, body: bytes, content_type: str = JSON) -> tuple[Any, ...]:
    """Return what MLflow's server answers: (status, media type, body)."""
    try:
        try:
            result = scoring_server.invocations(
                body, content_type, model, model.metadata.get_input_schema()
            )
        except MlflowException as error:
            return error.get_http_status_code(), JSON, error.serialize_as_json().encode()
    except Exception:
        return INTERNAL_SERVER_ERROR
    return result.status, result.mimetype, result.response.encode()


class Echo:
    """Answers with all that can be seen of its input, layout included."""

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"input": describe(data), "params": repr(params)}


def describe(data: Any) -> Any:
    if isinstance(data, pd.DataFrame):
        return {
            "columns": [repr(data.columns), repr(type(data.columns)), repr(data.columns.names)],
            "index": [repr(data.index), repr(type(data.index))],
            "blocks": [
                [repr(block.mgr_locs.as_array.tolist()), _describe_values(block.values)]
                for block in data._mgr.blocks
            ],
            "flags": [repr(data.flags), repr(data.attrs)],
            "values": data.astype(object).to_numpy().tolist().__repr__(),
            "types": [[repr(type(cell)) for cell in row] for row in data.itertuples()],
        }
    if isinstance(data, np.ndarray):
        return _describe_values(data)
    if isinstance(data, dict):
        return {key: describe(value) for key, value in data.items()}
    return [repr(type(data)), repr(data)]


def _describe_values(values: Any) -> list[str]:
    described = [repr(type(values)), repr(values.dtype), repr(values.shape)]
    if isinstance(values, np.ndarray):
        flags = values.flags
        described += [
            repr([flags.c_contiguous, flags.f_contiguous, flags.writeable, flags.aligned]),
            repr(values.tolist()) if values.dtype.hasobject else values.tobytes().hex(),
        ]
    else:
        described.append(repr(values.tolist()))
    return described


class Rows:
    """Answers each row by itself, with its values and types."""

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        if isinstance(data, pd.DataFrame):
            return [
                repr([(type(cell).__name__, repr(cell)) for cell in row])
                for row in data.itertuples(index=False)
            ]
        if isinstance(data, dict):
            return [
                repr([(name, member[row].tolist()) for name, member in data.items()])
                for row in range(len(next(iter(data.values()))))
            ]
        return [repr(row.tolist() if isinstance(row, np.ndarray) else row) for row in data]


class Returns:
    """Answers with what it was made with."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        return self.output


class Calls:
    """Answers with what ``function`` makes of the input."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        return self.function(data)
