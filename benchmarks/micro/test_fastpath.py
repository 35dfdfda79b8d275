"""Each stage of a request through the fast path, beside MLflow's own.

``python -m pytest benchmarks/micro --benchmark-only``; the figures are CPU time of one thread, so
that a busy machine does not show. Nothing is asserted about time.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.types.schema import ColSpec, Schema, TensorSpec
from pytest_benchmark.fixture import BenchmarkFixture

from pelton.worker.fastpath import Decoded, FastPath, compile_fast_path

JSON = "application/json"

pytestmark = pytest.mark.benchmark(timer=time.thread_time, min_rounds=5, warmup=True)


class _First:
    """Answers with the first column."""

    def predict(self, data: Any, params: Any = None) -> Any:
        return data.iloc[:, 0].to_numpy() if isinstance(data, pd.DataFrame) else data[:, 0]


def _model(schema: Schema) -> PyFuncModel:
    meta = Model(signature=ModelSignature(inputs=schema))
    meta.flavors = {"python_function": {"loader_module": "mlflow.pyfunc.model"}}
    return PyFuncModel(model_meta=meta, model_impl=_First())


def _doubles(width: int) -> PyFuncModel:
    return _model(Schema([ColSpec("double", f"f{place}") for place in range(width)]))


_TYPES = ("double", "long", "string", "boolean")
_MIXED = _model(Schema([ColSpec(kind, kind) for kind in _TYPES]))
_TENSOR = _model(Schema([TensorSpec(np.dtype("float32"), (-1, 784))]))


def _split(names: list[str], rows: list[Any]) -> bytes:
    return json.dumps({"dataframe_split": {"columns": names, "data": rows}}).encode()


def _cases() -> dict[str, tuple[PyFuncModel, bytes]]:
    rng = np.random.default_rng(0)
    cases = {}
    for rows, width in ((1, 4), (1, 100), (100, 10), (1000, 100)):
        names = [f"f{place}" for place in range(width)]
        cells = rng.normal(size=(rows, width)).tolist()
        cases[f"split {rows}x{width}"] = _doubles(width), _split(names, cells)
        records = [dict(zip(names, row, strict=True)) for row in cells]
        body = json.dumps({"dataframe_records": records}).encode()
        cases[f"records {rows}x{width}"] = _doubles(width), body
    row = [1.5, 7, "text", True]
    cases["mixed 1x4"] = _MIXED, _split(list(_TYPES), [row])
    cases["mixed 1000x4"] = _MIXED, _split(list(_TYPES), [row] * 1000)
    for rows in (1, 64):
        cells = np.round(rng.random((rows, 784)), 6).tolist()
        cases[f"tensor {rows}x784"] = _TENSOR, json.dumps({"inputs": cells}).encode()
    return cases


_CASES = _cases()


def _compiled(case: str) -> tuple[FastPath, bytes, Decoded]:
    model, body = _CASES[case]
    fast = compile_fast_path(model)
    assert isinstance(fast, FastPath)
    decoded = fast.decode(body, JSON)
    assert decoded is not None
    return fast, body, decoded


@pytest.mark.parametrize("case", _CASES)
def test_decode(benchmark: BenchmarkFixture, case: str) -> None:
    fast, body, _ = _compiled(case)
    benchmark(fast.decode, body, JSON)


@pytest.mark.parametrize("case", _CASES)
def test_build_input(benchmark: BenchmarkFixture, case: str) -> None:
    _, _, decoded = _compiled(case)
    benchmark(lambda: decoded.data)


@pytest.mark.parametrize("case", _CASES)
def test_mlflow_decode_and_enforce(benchmark: BenchmarkFixture, case: str) -> None:
    fast, body, _ = _compiled(case)
    benchmark(fast.witness.look, body)


@pytest.mark.parametrize("case", ["split 1x4", "tensor 1x784"])
def test_predict(benchmark: BenchmarkFixture, case: str) -> None:
    """The trivial model: what is left is MLflow's context and its look at predict's signature."""
    fast, _, decoded = _compiled(case)
    benchmark(fast.predict, decoded)


@pytest.mark.parametrize("rows", [1, 32])
@pytest.mark.parametrize("way", ["frame", "array"])
@pytest.mark.parametrize("name", ["LogisticRegression 4", "LGBMRegressor 100"])
def test_predict_estimator(benchmark: BenchmarkFixture, name: str, way: str, rows: int) -> None:
    """An estimator's whole predict: on the frame MLflow would make, and on its array."""
    from lightgbm import LGBMRegressor
    from mlflow.sklearn import _SklearnModelWrapper
    from sklearn.linear_model import LogisticRegression

    width = int(name.split()[1])
    columns = [f"f{place}" for place in range(width)]
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(200, width)), columns=columns)
    target = data["f0"] > 0
    estimator = (
        LogisticRegression()
        if width == 4
        else LGBMRegressor(n_estimators=100, n_jobs=1, verbose=-1)
    )
    model = _doubles(width)
    model = PyFuncModel(model.metadata, _SklearnModelWrapper(estimator.fit(data, target)))
    fast = compile_fast_path(model)
    assert isinstance(fast, FastPath)
    decoded = fast.decode(_split(columns, data.head(rows).to_numpy().tolist()), JSON)
    assert decoded is not None
    if way == "frame":
        fast._predictor._arrays._twin = None
    benchmark(fast.predict, decoded)


_RNG = np.random.default_rng(0)
_OUTPUTS: dict[str, Any] = {
    "1 float": _RNG.random(1),
    "1 int": np.array([1]),
    "10 float32": _RNG.random((1, 10)).astype(np.float32),
    "1000 floats": _RNG.random(1000),
    "1000 tiny floats": _RNG.random(1000) * 1e-6,
    "1000x100 floats": _RNG.random((1000, 100)),
    "1000 ints": np.arange(1000),
    "1000 labels": np.array(["setosa", "virginica"] * 500),
    "list of 1000 floats": _RNG.random(1000).tolist(),
    "frame 1x4": pd.DataFrame(_RNG.random((1, 4)), columns=list("abcd")),
    "frame 1000x4": pd.DataFrame(_RNG.random((1000, 4)), columns=list("abcd")),
}


@pytest.mark.parametrize("case", _OUTPUTS)
def test_encode(benchmark: BenchmarkFixture, case: str) -> None:
    fast, _, decoded = _compiled("split 1x4")
    benchmark(fast.encode, _OUTPUTS[case], decoded)


@pytest.mark.parametrize("case", _OUTPUTS)
def test_mlflow_encode(benchmark: BenchmarkFixture, case: str) -> None:
    from io import StringIO

    benchmark(lambda: scoring_server.predictions_to_json(_OUTPUTS[case], StringIO()))


_BATCHED = ["split 1x4", "split 1x100", "mixed 1x4", "tensor 1x784"]


@pytest.mark.parametrize("case", _BATCHED)
def test_assemble_64(benchmark: BenchmarkFixture, case: str) -> None:
    """64 requests to the input of one predict."""
    fast, body, _ = _compiled(case)
    requests = [request for _ in range(64) if (request := fast.decode(body, JSON)) is not None]
    benchmark(lambda: fast.assemble(requests).data)


@pytest.mark.parametrize("output", ["array", "frame"])
def test_split_and_encode_64(benchmark: BenchmarkFixture, output: str) -> None:
    """The output of one predict to 64 answers."""
    fast, body, _ = _compiled("split 1x4")
    requests = [request for _ in range(64) if (request := fast.decode(body, JSON)) is not None]
    frame = fast.assemble(requests).data
    whole = frame if output == "frame" else frame.iloc[:, 0].to_numpy()

    def answers() -> list[Any]:
        parts = fast.split(whole, requests)
        assert parts is not None
        return [fast.encode(part, request) for part, request in zip(parts, requests, strict=True)]

    benchmark(answers)
