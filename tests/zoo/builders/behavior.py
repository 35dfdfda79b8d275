"""Models that are interesting for what they do to the process that serves them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tests.zoo.builders.saving import columns, save_code
from tests.zoo.model import Model


def echo(model: Model, path: Path) -> None:
    save_code(model, path, input_example=pd.DataFrame({"x": [1.0, 2.0]}), signature=False)


def outputs(model: Model, path: Path) -> None:
    _save_by_kind(model, path, "list")


def unencodable(model: Model, path: Path) -> None:
    # No example: mlflow would try to write the answer to it.
    save_code(model, path, signature=columns(kind="string"))


def raises(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=columns(kind="string", text="string?"),
        input_example=pd.DataFrame({"kind": ["none"]}),
    )


def noisy(model: Model, path: Path) -> None:
    example = pd.DataFrame({"line": ["a", "b"]})
    save_code(model, path, signature=columns(line="string"), input_example=example)


def configured(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=False,
        model_config={"greeting": "hello", "repeat": 2, "nested": {"a": [1, None]}},
    )


def environment(model: Model, path: Path) -> None:
    save_code(model, path, signature=columns(x="double"))


def slow(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=columns(seconds="double", how="string?"),
        input_example=pd.DataFrame({"seconds": [0.0], "how": ["python"]}),
    )


def fixed_cost(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=columns(x="double"),
        input_example=pd.DataFrame({"x": [1.0, 2.0]}),
        model_config={"base_s": 0.02, "row_s": 0.001},
    )


def faults(model: Model, path: Path) -> None:
    save_code(
        model,
        path,
        signature=columns(fault="string", argument="double?"),
        input_example=pd.DataFrame({"fault": ["none"], "argument": [0.0]}),
    )


def versioned_a(model: Model, path: Path) -> None:
    _save_versioned(model, path, "a")


def versioned_b(model: Model, path: Path) -> None:
    _save_versioned(model, path, "b")


def loads_slowly(model: Model, path: Path) -> None:
    _save_small(model, path, model_config={"load_s": 3.0})


def load_raises(model: Model, path: Path) -> None:
    _save_small(model, path)


def load_exits(model: Model, path: Path) -> None:
    _save_small(model, path)


def predict_raises(model: Model, path: Path) -> None:
    _save_small(model, path)


def _save_by_kind(model: Model, path: Path, kind: str) -> None:
    save_code(
        model,
        path,
        signature=columns(kind="string"),
        input_example=pd.DataFrame({"kind": [kind]}),
    )


def _save_versioned(model: Model, path: Path, version: str) -> None:
    _save_small(model, path, model_config={"version": version})


def _save_small(model: Model, path: Path, **options: object) -> None:
    save_code(
        model,
        path,
        signature=columns(x="double"),
        input_example=pd.DataFrame({"x": [1.0]}),
        **options,
    )
