"""Requests made up from a model's signature: any number of rows, every type that MLflow has."""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

_UNKNOWN_DIMENSION: Final = 2  # a -1 that is not the batch's
_WORDS: Final = ("amber", "basin", "cobalt", "delta", "ember", "fjord", "garnet", "harbour")

_SCALARS: Final[Mapping[str, Callable[[random.Random], Any]]] = {
    "boolean": lambda r: r.random() < 0.5,
    "integer": lambda r: r.randint(0, 100),
    "long": lambda r: r.randint(0, 100),
    "float": lambda r: round(r.gauss(0, 1), 4),
    "double": lambda r: r.gauss(0, 1),
    "string": lambda r: r.choice(_WORDS),
    "binary": lambda r: base64.b64encode(r.randbytes(8)).decode(),
    "datetime": lambda r: f"2026-{r.randint(1, 12):02}-{r.randint(1, 28):02}T00:00:00",
}


def payload(inputs: list[dict[str, Any]], rows: int, seed: int, *, hinted: bool = False) -> Any:
    """Make a request of ``rows`` rows for a signature.

    Args:
        inputs: the signature's inputs as the MLmodel file has them.
        rows: how many rows.
        seed: equal seeds make equal requests.
        hinted: the signature was made from type hints, so only ``inputs`` is taken.
    """
    random_ = random.Random(seed)
    if inputs[0].get("type") == "tensor":
        tensors = {spec.get("name"): _tensor(spec["tensor-spec"], rows, random_) for spec in inputs}
        return {"inputs": tensors.get(None, tensors)}
    if hinted or "name" not in inputs[0]:
        if len(inputs) == 1:
            return {"inputs": [_value(inputs[0], random_) for _ in range(rows)]}
        return {"inputs": [[_value(spec, random_) for spec in inputs] for _ in range(rows)]}
    return {
        "dataframe_split": {
            "columns": [spec["name"] for spec in inputs],
            "data": [[_value(spec, random_) for spec in inputs] for _ in range(rows)],
        }
    }


def _value(spec: Mapping[str, Any], random_: random.Random) -> Any:
    kind = spec.get("type")
    if kind in ("array", "map"):
        inner = spec.get("items") or spec.get("values") or {}
        values = [_value(inner, random_) for _ in range(_UNKNOWN_DIMENSION)]
        return values if kind == "array" else dict(zip(_WORDS, values, strict=False))
    if kind == "object":
        properties = spec.get("properties") or {}
        return {name: _value(inner, random_) for name, inner in properties.items()}
    make = _SCALARS.get(str(kind))
    return make(random_) if make else None  # "any" takes null


def _tensor(spec: Mapping[str, Any], rows: int, random_: random.Random) -> Any:
    shape = [int(d) for d in spec["shape"]]
    if shape and shape[0] == -1:
        shape[0] = rows
    shape = [_UNKNOWN_DIMENSION if d == -1 else d for d in shape]
    dtype = str(spec["dtype"])
    if dtype.startswith(("float", "complex")):
        flat: list[Any] = [round(random_.gauss(0, 1), 6) for _ in range(math.prod(shape))]
    elif dtype.startswith(("int", "uint")):
        flat = [random_.randint(0, 100) for _ in range(math.prod(shape))]
    elif dtype.startswith("bool"):
        flat = [random_.random() < 0.5 for _ in range(math.prod(shape))]
    else:
        flat = [random_.choice(_WORDS) for _ in range(math.prod(shape))]
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return flat
