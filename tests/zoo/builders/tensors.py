"""Models with tensor signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import Schema, TensorSpec
from tests.zoo.builders.saving import save_code
from tests.zoo.model import Model


def tensor_unnamed(model: Model, path: Path) -> None:
    _save(model, path, [_spec("float32", (-1, 3))], input_example=np.ones((2, 3), "float32"))


def tensor_integer(model: Model, path: Path) -> None:
    _save(model, path, [_spec("int64", (-1,))], input_example=np.arange(3))


def tensor_bytes(model: Model, path: Path) -> None:
    _save(model, path, [_spec("uint8", (-1, 2, 2))])


def tensor_any_shape(model: Model, path: Path) -> None:
    _save(model, path, [_spec("float64", (-1, -1, -1))])


def tensor_boolean(model: Model, path: Path) -> None:
    _save(model, path, [_spec("bool", (-1, 2))])


def tensor_object(model: Model, path: Path) -> None:
    _save(model, path, [_spec("object", (-1,))], input_example=np.array(["a", "b"], object))


def tensor_text(model: Model, path: Path) -> None:
    _save(model, path, [_spec("str", (-1,))])


def tensor_named(model: Model, path: Path) -> None:
    _save(model, path, [_spec("float64", (-1, 2), "x")], input_example={"x": np.ones((1, 2))})


def tensors_named(model: Model, path: Path) -> None:
    _save(
        model,
        path,
        [
            _spec("float32", (-1, 2, 2), "image"),
            _spec("int64", (-1,), "ids"),
            _spec("bool", (-1, 1), "mask"),
        ],
        input_example={
            "image": np.ones((2, 2, 2), "float32"),
            "ids": np.arange(2),
            "mask": np.array([[True], [False]]),
        },
    )


def _spec(dtype: str, shape: tuple[int, ...], name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, name)


def _save(model: Model, path: Path, specs: list[TensorSpec], **options: Any) -> None:
    save_code(model, path, signature=ModelSignature(inputs=Schema(specs)), **options)
