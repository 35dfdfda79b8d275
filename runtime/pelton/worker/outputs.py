"""Whether an answer has the form that the model's signature declares.

Only what is certain is judged: the names of columns, and the rank and fixed sizes of a tensor.
Types are left alone, as JSON does not keep them.
"""

from __future__ import annotations

import json
from typing import Any


def mismatch(schema: Any, body: bytes) -> str | None:
    """Return how the answer ``body`` differs from the output ``schema``, or ``None``.

    Args:
        schema: an mlflow ``Schema``, or ``None``.
        body: ``{"predictions": ...}`` as JSON; anything else is not judged.
    """
    if schema is None:
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    if predictions is None:
        return None
    if schema.is_tensor_spec():
        inputs = schema.inputs
        if len(inputs) == 1 and inputs[0].name is None:
            return _tensor_mismatch(tuple(inputs[0].shape), predictions)
        return None
    if not schema.has_input_names():
        return None
    required = {column.name for column in schema.inputs if getattr(column, "required", True)}
    names = set(schema.input_names())
    rows = predictions if isinstance(predictions, list) else [predictions]
    for row in rows:
        if isinstance(row, dict) and not required <= set(row) <= names:
            return f"columns {sorted(row)} instead of {sorted(names)}"
    return None


def _tensor_mismatch(shape: tuple[int, ...], predictions: Any) -> str | None:
    sizes: list[int] = []
    value = predictions
    while isinstance(value, list):
        sizes.append(len(value))
        if not value:
            return None
        value = value[0]
    if isinstance(value, dict):
        return None
    if len(sizes) != len(shape) or any(s not in (-1, n) for s, n in zip(shape, sizes, strict=True)):
        return f"shape {tuple(sizes)} instead of {shape}"
    return None
