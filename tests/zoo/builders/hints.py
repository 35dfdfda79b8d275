"""Models whose signature mlflow infers from the type hint of predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from tests.zoo.builders.saving import columns, save_code
from tests.zoo.model import Model


def hint_ints(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[1, 2])


def hint_floats(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[0.5, 2.0])


def hint_bools(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[True, False])


def hint_strings(model: Model, path: Path) -> None:
    save_code(model, path, input_example=["a", "b"])


def hint_bytes(model: Model, path: Path) -> None:
    save_code(model, path)


def hint_datetimes(model: Model, path: Path) -> None:
    save_code(model, path)


def hint_dicts(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[{"a": [0.5, 1.5]}])


def hint_nested(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[["a"], ["b", "c"]])


def hint_any(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[1, "a", None])


def hint_optional(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[{"a": 1}])


def hint_pydantic(model: Model, path: Path) -> None:
    order = {"number": 1, "lines": [{"product": "pen", "price": 0.5}]}
    save_code(model, path, input_example=[order])


def hint_function(model: Model, path: Path) -> None:
    save_code(model, path, input_example=[1, 2])


def hint_dataframe(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=columns(x="double", s="string?"),
        input_example=pd.DataFrame({"x": [1.0], "s": ["a"]}),
    )


def example_list(model: Model, path: Path) -> None:
    _from_example(model, path, ["a", "b"])


def example_records(model: Model, path: Path) -> None:
    _from_example(model, path, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])


def example_dataframe(model: Model, path: Path) -> None:
    _from_example(model, path, pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


def _from_example(model: Model, path: Path, example: Any) -> None:
    save_code(model, path, input_example=example)
