"""Models with column signatures, scalar and nested, and with parameters."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
)
from tests.zoo.builders.saving import columns, save_code
from tests.zoo.model import Model

_SCALARS = {
    "boolean": True,
    "integer": np.int32(1),
    "long": 2,
    "float": np.float32(0.5),
    "double": 1.5,
    "string": "text",
    "binary": b"bytes",
    "datetime": datetime.datetime(2024, 2, 29, 12, 30),
}


def witness(model: Model, path: Path) -> None:
    save_code(model, path, signature=False)


def columns_required(model: Model, path: Path) -> None:
    signature = columns(**{f"c_{type_}": type_ for type_ in _SCALARS})
    save_code(model, path, signature=signature, input_example=_scalar_example())


def columns_optional(model: Model, path: Path) -> None:
    signature = columns(**{f"c_{type_}": f"{type_}?" for type_ in _SCALARS})
    save_code(model, path, signature=signature, input_example=_scalar_example())


def columns_unnamed(model: Model, path: Path) -> None:
    _save(model, path, [ColSpec(type_) for type_ in ("double", "long", "string")])


def column_single(model: Model, path: Path) -> None:
    save_code(model, path, signature=columns(x="double"), input_example=pd.DataFrame({"x": [1.0]}))


def column_single_string(model: Model, path: Path) -> None:
    example = pd.DataFrame({"text": ["a", "b"]})
    save_code(model, path, signature=columns(text="string"), input_example=example)


def column_unnamed_string(model: Model, path: Path) -> None:
    _save(model, path, [ColSpec("string")])


def columns_odd_names(model: Model, path: Path) -> None:
    names = ["a b", "é", "1", "predictions", "inputs", "a.b", "日本", "messages "]
    _save(
        model, path, [ColSpec("long", name, required=index < 4) for index, name in enumerate(names)]
    )


def columns_array(model: Model, path: Path) -> None:
    _save(
        model,
        path,
        [
            ColSpec(Array("double"), "doubles"),
            ColSpec(Array("string"), "strings", required=False),
            ColSpec(Array(Array("long")), "matrix", required=False),
            ColSpec(Array("boolean"), "flags", required=False),
            ColSpec(Array("datetime"), "moments", required=False),
            ColSpec("string", "label", required=False),
        ],
    )


def columns_object(model: Model, path: Path) -> None:
    person = Object(
        [
            Property("name", "string"),
            Property("age", "long", required=False),
            Property("score", "double", required=False),
            Property("address", Object([Property("city", "string")]), required=False),
            Property("tags", Array("string"), required=False),
        ]
    )
    _save(
        model,
        path,
        [
            ColSpec(person, "person"),
            ColSpec(Array(person), "people", required=False),
            ColSpec("long", "n", required=False),
        ],
    )


def columns_map(model: Model, path: Path) -> None:
    _save(
        model,
        path,
        [
            ColSpec(Map("double"), "weights"),
            ColSpec(Map(Array("string")), "groups", required=False),
            ColSpec(Map(Map("long")), "tree", required=False),
        ],
    )


def columns_any(model: Model, path: Path) -> None:
    _save(
        model,
        path,
        [
            ColSpec(AnyType(), "anything"),
            ColSpec(AnyType(), "more", required=False),
            ColSpec("double", "x", required=False),
        ],
    )


def params_all(model: Model, path: Path) -> None:
    params = ParamSchema(
        [
            ParamSpec("p_integer", "integer", np.int32(1)),
            ParamSpec("p_long", "long", 2),
            ParamSpec("p_float", "float", np.float32(0.5)),
            ParamSpec("p_double", "double", 1.5),
            ParamSpec("p_string", "string", "text"),
            ParamSpec("p_boolean", "boolean", True),
            ParamSpec("p_datetime", "datetime", np.datetime64("2024-02-29T12:30:00")),
            ParamSpec("p_none", "string", None),
            ParamSpec("p_longs", "long", [1, 2], (-1,)),
            ParamSpec("p_doubles", "double", [0.5], (-1,)),
            ParamSpec("p_strings", "string", ["a"], (-1,)),
            ParamSpec("p_booleans", "boolean", [True], (-1,)),
            ParamSpec(
                "p_object",
                Object([Property("a", DataType.long), Property("b", DataType.string, False)]),
                {"a": 1},
            ),
        ]
    )
    save_code(
        model,
        path,
        signature=columns(params, x="double"),
        input_example=(pd.DataFrame({"x": [1.0]}), {"p_long": 3}),
    )


def params_only(model: Model, path: Path) -> None:
    params = ParamSchema([ParamSpec("temperature", "double", 0.5), ParamSpec("top", "long", 1)])
    save_code(model, path, signature=ModelSignature(params=params))


def unified_llm(model: Model, path: Path) -> None:
    message = Object([Property("role", "string"), Property("content", "string", required=False)])
    signature = ModelSignature(
        inputs=Schema(
            [
                ColSpec(Array(message), "messages", required=False),
                ColSpec("string", "prompt", required=False),
                ColSpec("string", "input", required=False),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("temperature", "double", 0.5),
                ParamSpec("max_tokens", "long", None),
                ParamSpec("stop", "string", None, None),
            ]
        ),
    )
    save_code(
        model,
        path,
        signature=signature,
        input_example={"messages": [{"role": "user", "content": "Hello"}]},
    )


def _save(model: Model, path: Path, specs: list[ColSpec], **options: Any) -> None:
    save_code(model, path, signature=ModelSignature(inputs=Schema(specs)), **options)


def _scalar_example() -> pd.DataFrame:
    frame = pd.DataFrame({f"c_{type_}": [value] for type_, value in _SCALARS.items()})
    return frame.astype({"c_integer": "int32", "c_float": "float32"})
