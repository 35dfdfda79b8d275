"""Estimators are given arrays only where nobody can tell: same bytes, same errors, same objects."""

from __future__ import annotations

import functools
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PyFuncModel
from mlflow.types.schema import ColSpec, Schema
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from tests.unit.worker.fastpath.models import JSON, compiled, mlflow_answer

from pelton.worker.fastpath import FastPath
from pelton.worker.fastpath.estimator import PREDICTORS, TRANSFORMERS
from pelton.worker.fastpath.self_check import answer

NAMES = ["a", "b", "c"]
_RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(_RANDOM.normal(size=(60, 3)), columns=NAMES)
LABELS = np.array(["red", "green", "blue"])[_RANDOM.integers(0, 3, 60)]
TARGET = ROWS.to_numpy() @ [1.0, -2.0, 0.5]

ARRAYS: dict[str, Callable[[], Any]] = {
    "linear": lambda: LinearRegression().fit(ROWS, TARGET),
    "logistic": lambda: LogisticRegression().fit(ROWS, LABELS),
    "sgd": lambda: SGDClassifier(random_state=0).fit(ROWS, LABELS),
    "forest": lambda: RandomForestClassifier(5, random_state=0).fit(ROWS, LABELS),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3).fit(ROWS, LABELS),
    "histogram": lambda: HistGradientBoostingRegressor(max_iter=5).fit(ROWS, TARGET),
    "svc": lambda: SVC().fit(ROWS, LABELS),
    "bayes": lambda: GaussianNB().fit(ROWS, LABELS),
    "neighbours": lambda: KNeighborsRegressor().fit(ROWS, TARGET),
    "network": lambda: MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(
        ROWS, TARGET
    ),
    "clusters": lambda: KMeans(3, n_init=1, random_state=0).fit(ROWS),
    "lightgbm": lambda: LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(ROWS, LABELS),
    "scaled": lambda: make_pipeline(
        SimpleImputer(), StandardScaler(), PolynomialFeatures(), PCA(4), LogisticRegression()
    ).fit(ROWS, LABELS),
}


class Custom(LogisticRegression):
    """A user's own: whatever it does with a frame is its business."""

    def predict(self, X: Any) -> Any:
        return np.array([type(X).__name__] * len(X))


class Scaler(StandardScaler):
    """A user's own transformer."""


def _overridden() -> Any:
    model = LogisticRegression().fit(ROWS, LABELS)
    model.predict = lambda X: np.array([type(X).__name__] * len(X))
    return model


def _categories() -> Any:
    rows = ROWS.assign(a=[0.0, 1.0] * 30)
    return HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(rows, TARGET)


FRAMES: dict[str, Callable[[], Any]] = {
    "subclass": lambda: Custom().fit(ROWS, LABELS),
    "own method": _overridden,
    "fitted on arrays": lambda: LogisticRegression().fit(ROWS.to_numpy(), LABELS),
    "other order": lambda: LogisticRegression().fit(ROWS[["c", "b", "a"]], LABELS),
    "callable": lambda: SVC(kernel=_kernel).fit(ROWS, LABELS),
    "columns": lambda: make_pipeline(
        ColumnTransformer([("a", StandardScaler(), ["a"])], remainder="passthrough"),
        LogisticRegression(),
    ).fit(ROWS, LABELS),
    "function": lambda: make_pipeline(FunctionTransformer(), LogisticRegression()).fit(
        ROWS, LABELS
    ),
    "own transformer": lambda: make_pipeline(Scaler(), LogisticRegression()).fit(ROWS, LABELS),
    "frames inside": lambda: (
        make_pipeline(StandardScaler(), LogisticRegression())
        .set_output(transform="pandas")
        .fit(ROWS, LABELS)
    ),
    "categories": _categories,
    "lightgbm categories": lambda: LGBMRegressor(n_estimators=2, verbose=-1).fit(
        ROWS.assign(c=pd.Categorical([1.0, 2.0] * 30)), TARGET
    ),
}


def _kernel(left: Any, right: Any) -> Any:
    return np.asarray(left) @ np.asarray(right).T


def load(estimator: Any, kind: str = "double", method: str = "predict") -> PyFuncModel:
    """Return ``estimator`` as ``mlflow.sklearn`` loads it, with a signature of three columns."""
    from mlflow.models import Model
    from mlflow.sklearn import _SklearnModelWrapper

    meta = Model(signature=ModelSignature(Schema([ColSpec(kind, name) for name in NAMES])))
    meta.flavors = {"python_function": {"loader_module": "mlflow.sklearn"}}
    return PyFuncModel(
        model_meta=meta, model_impl=_SklearnModelWrapper(estimator), predict_fn=method
    )


def body(rows: Any) -> bytes:
    return json.dumps({"dataframe_split": {"columns": NAMES, "data": rows}}).encode()


def is_on_arrays(fast: FastPath) -> bool:
    """Whether the last layouts it has predicted on are predicted as arrays."""
    arrays = fast._predictor._arrays
    return arrays._twin is not None and bool(arrays._proven)


def answers(fast: FastPath, model: PyFuncModel, rows: Any) -> None:
    assert tuple(answer(fast, body(rows), JSON) or ()) == mlflow_answer(model, body(rows))


@pytest.mark.parametrize("name", ARRAYS)
def test_known_estimators_are_given_arrays_and_answer_the_same(name: str) -> None:
    model = load(ARRAYS[name]())
    fast = compiled(model)
    for rows in ([[1.0, 2.0, 3.0]], ROWS.to_numpy().tolist(), [[0.5, -0.0, 1e9]], [[7, 8.5, 9]]):
        for _ in range(2):  # proven, then alone
            answers(fast, model, rows)
    assert is_on_arrays(fast)
    assert {few for _, few in fast._predictor._arrays._proven} == {True, False}


_MODELS = {name: load(make()) for name, make in ARRAYS.items() if name != "network"}
_COMPILED = {name: compiled(model) for name, model in _MODELS.items()}
_cells = st.one_of(
    st.floats(-1e3, 1e3), st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0)
)


@given(name=st.sampled_from(sorted(_MODELS)), rows=st.lists(st.tuples(_cells, _cells, _cells)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_values_are_answered_as_mlflow_does(name: str, rows: list[Any]) -> None:
    found = answer(_COMPILED[name], body(rows), JSON)
    if found is not None:
        assert tuple(found) == mlflow_answer(_MODELS[name], body(rows))


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_other_methods_are_called_on_arrays_too(method: str) -> None:
    model = load(ARRAYS["logistic"](), method=method)
    fast = compiled(model)
    for _ in range(2):
        answers(fast, model, [[1.0, 2.0, 3.0]])
    assert is_on_arrays(fast)


def test_an_array_is_not_validated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(ARRAYS["logistic"]())
    fast = compiled(model)
    rows = [[1.0, 2.0, 3.0]]
    answers(fast, model, rows)
    expected = mlflow_answer(model, body(rows))
    looks = []
    look = sklearn.utils.validation.check_array

    def looked_at(*args: Any, **kwargs: Any) -> Any:
        looks.append(args)
        return look(*args, **kwargs)

    monkeypatch.setattr(sklearn.utils.validation, "check_array", looked_at)
    assert tuple(answer(fast, body(rows), JSON) or ()) == expected
    assert not looks
    mlflow_answer(model, body(rows))
    assert looks


@pytest.mark.parametrize(("name", "order"), [("lightgbm", "C"), ("linear", "F")])
@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs"])
def test_trees_are_given_rows_as_they_came(name: str, order: str, form: str) -> None:
    """Where each row is a thing of its own, nobody transposes; what they are given is read-only."""
    model = load(ARRAYS[name]())
    fast = compiled(model)
    content: Any = {
        "dataframe_split": {"columns": NAMES, "data": ROWS.to_numpy().tolist()},
        "dataframe_records": ROWS.to_dict("records"),
        "inputs": ROWS.to_dict("list"),
    }[form]
    request = json.dumps({form: content}).encode()
    expected = mlflow_answer(model, request)
    assert tuple(answer(fast, request, JSON) or ()) == expected
    twin = fast._predictor._arrays._twin
    assert twin is not None
    given, predict = [], twin._predict_fn

    @functools.wraps(predict)
    def noted(data: Any, *args: Any, **kwargs: Any) -> Any:
        given.append(data)
        return predict(data, *args, **kwargs)

    twin._predict_fn = noted
    assert tuple(answer(fast, request, JSON) or ()) == expected
    (array,) = given
    assert type(array) is np.ndarray
    assert array.flags[f"{order}_CONTIGUOUS"]
    assert array.shape == ROWS.shape
    assert np.array_equal(array, ROWS)
    assert order == "F" or not array.flags.writeable


def test_floats_of_32_bits() -> None:
    model = load(ARRAYS["scaled"](), kind="float")
    fast = compiled(model)
    for _ in range(2):
        answers(fast, model, [[1.0, 2.0, 0.1], [0.1, 0.2, 0.3]])
    assert is_on_arrays(fast)


@pytest.mark.parametrize("name", FRAMES)
def test_what_may_look_at_a_frame_gets_one(name: str) -> None:
    model = load(FRAMES[name]())
    fast = compiled(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            answers(fast, model, [[1.0, 2.0, 3.0]])
            answers(fast, model, [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    assert not is_on_arrays(fast)
    if name != "other order":  # that is found out with the first request
        assert fast._predictor._arrays._twin is None


def test_columns_in_another_order_than_the_fits_are_not_arrays() -> None:
    """The frame is refused for it; an array would be answered, wrongly."""
    model = load(FRAMES["other order"]())
    status, _, text = mlflow_answer(model, body([[1.0, 2.0, 3.0]]))
    assert status == 400
    assert b"feature names" in text.lower()
    answers(compiled(model), model, [[1.0, 2.0, 3.0]])


def test_frames_made_by_sklearns_own_settings_are_kept() -> None:
    with sklearn.config_context(transform_output="pandas"):
        fast = compiled(load(ARRAYS["scaled"]()))
    assert fast._predictor._arrays._twin is None


def _refuse(data: Any) -> Any:
    raise ValueError("no arrays")


@pytest.mark.parametrize("before", [0, 1], ids=["at once", "once proven"])
def test_array_that_is_refused_is_a_frame_again(
    before: int, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(ARRAYS["logistic"]())
    fast = compiled(model)
    for _ in range(before):
        answers(fast, model, [[1.0, 2.0, 3.0]])
    twin = fast._predictor._arrays._twin
    assert twin is not None
    twin._predict_fn = _refuse
    caplog.set_level("INFO")
    answers(fast, model, [[1.0, 2.0, 3.0]])
    assert fast._predictor._arrays._twin is None
    assert "an array is refused where a frame is not" in caplog.text


def test_mixed_columns_are_a_frame() -> None:
    model = load(ARRAYS["logistic"]())
    model.metadata.signature = ModelSignature(
        Schema([ColSpec("double", "a"), ColSpec("long", "b"), ColSpec("double", "c")])
    )
    fast = compiled(model)
    answers(fast, model, [[1.0, 2, 3.0]])
    assert not is_on_arrays(fast)


def test_errors_are_those_of_the_frame() -> None:
    """Too large for the 32 bits of a forest: the same text, stack trace and all."""
    model = load(ARRAYS["forest"]())
    fast = compiled(model)
    answers(fast, model, [[1.0, 2.0, 3.0]])
    assert is_on_arrays(fast)
    answers(fast, model, [[1e300, 2.0, 3.0]])
    status, _, text = mlflow_answer(model, body([[1e300, 2.0, 3.0]]))
    assert status == 400
    assert b"too large for dtype" in text
    answers(fast, model, [[1.0, 2.0, 3.0]])
    assert is_on_arrays(fast), "the frame is refused as well: nothing is wrong with arrays"


def test_difference_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    fast = compiled(load(ARRAYS["logistic"]()))
    arrays = fast._predictor._arrays
    assert arrays._twin is not None
    arrays._twin._predict_fn.__self__.sklearn_model.classes_ = np.array(["x", "y", "z"])
    model = load(ARRAYS["logistic"]())
    caplog.set_level("INFO")
    answers(fast, model, [[1.0, 2.0, 3.0]])
    assert not is_on_arrays(fast)
    assert "fastpath.arrays_off" in caplog.text


@pytest.mark.parametrize("name", ["logistic", "scaled", "lightgbm"])
def test_nothing_of_the_users_is_changed_and_nobody_is_warned(name: str) -> None:
    estimator = ARRAYS[name]()
    before = pickle.dumps(estimator)
    fast = compiled(load(estimator))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert answer(fast, body([[1.0, 2.0, 3.0]]), JSON) is not None
    assert is_on_arrays(fast)
    assert pickle.dumps(estimator) == before
    assert list(estimator.feature_names_in_) == NAMES


def test_tables_name_what_the_libraries_have() -> None:
    import importlib

    for module, names in {**PREDICTORS, **TRANSFORMERS}.items():
        for name in names.split():
            assert hasattr(importlib.import_module(module), name), name


def test_model_that_mlflow_saved_and_loaded(tmp_path: Path) -> None:
    estimator = Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())])
    path = tmp_path / "model"
    mlflow.sklearn.save_model(
        estimator.fit(ROWS, LABELS),
        path,
        signature=ModelSignature(Schema([ColSpec("double", name) for name in NAMES])),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
        pyfunc_predict_fn="predict_proba",
    )
    model = mlflow.pyfunc.load_model(str(path))
    fast = compiled(model)
    for _ in range(2):
        answers(fast, model, [[1.0, 2.0, 3.0], [0.1, 0.2, 0.3]])
    assert is_on_arrays(fast)
