"""The two ways most models of the zoo are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.models.signature import ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, Schema
from tests.zoo.model import Model


def save_code(model: Model, path: Path, **options: Any) -> None:
    """Save the model's code file as a model-from-code."""
    mlflow.pyfunc.save_model(
        path,
        python_model=str(model.code_path),
        pip_requirements=model.pip_requirements,
        **options,
    )


def columns(params: ParamSchema | None = None, /, **types: str) -> ModelSignature:
    """Signature of named scalar columns by mlflow's names of the types; ``double?`` is optional."""
    specs = [
        ColSpec(DataType[type_.rstrip("?")], name, required=not type_.endswith("?"))
        for name, type_ in types.items()
    ]
    return ModelSignature(inputs=Schema(specs), params=params)
