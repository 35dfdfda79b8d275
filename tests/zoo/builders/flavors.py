"""Models of MLflow's own flavours, fitted on seeded data, and pyfuncs as users write them."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from tests.zoo.builders.saving import columns, save_code
from tests.zoo.model import Model


def sklearn4(model: Model, path: Path) -> None:
    features, target = _iris()
    classifier = LogisticRegression(max_iter=1000).fit(features, target)
    _save_estimator(model, path, classifier, features)


def sklearn_proba(model: Model, path: Path) -> None:
    features, target = _iris()
    classifier = LogisticRegression(max_iter=1000).fit(features, target)
    _save_estimator(model, path, classifier, features, pyfunc_predict_fn="predict_proba")


def sklearn_wide(model: Model, path: Path) -> None:
    """100 columns and float answers: the last bit shows how the input lies in memory."""
    random = np.random.default_rng(0)
    features = pd.DataFrame(random.normal(size=(500, 100)), columns=[f"f{i}" for i in range(100)])
    target = features.to_numpy() @ random.normal(size=100)
    _save_estimator(model, path, Ridge().fit(features, target), features)


def sklearn_pipeline(model: Model, path: Path) -> None:
    """Text, boolean and whole-number columns through a preprocessing pipeline."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    features = pd.DataFrame(
        {
            "color": ["red", "green", "blue", "red"] * 5,
            "weight": [0.5, 1.5, 2.5, 3.5] * 5,
            "count": range(20),
            "fragile": [True, False] * 10,
        }
    )
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["color"]),
        (StandardScaler(), ["weight", "count"]),
        remainder="passthrough",
    )
    target = np.where(features["weight"] > 1, "heavy", "light")
    pipeline = make_pipeline(encode, DecisionTreeClassifier(random_state=0))
    _save_estimator(model, path, pipeline.fit(features, target), features)


def lightgbm(model: Model, path: Path) -> None:
    import lightgbm
    import mlflow.lightgbm

    features, target = _iris()
    parameters = {"objective": "regression", "num_threads": 1, "seed": 0, "verbose": -1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(features, target), num_boost_round=5)
    mlflow.lightgbm.save_model(
        booster,
        path,
        signature=infer_signature(features, booster.predict(features)),
        input_example=features.head(2),
        pip_requirements=model.pip_requirements,
    )


def torch(model: Model, path: Path) -> None:
    """Four double columns in, a frame of three columns out."""
    features, _ = _iris()
    _save_torch(
        model, path, features.head(2), signature=columns(**dict.fromkeys(features, "double"))
    )


def torch_tensor(model: Model, path: Path) -> None:
    example = np.ones((2, 4), dtype="float32")
    _save_torch(model, path, example, signature=infer_signature(example))


def onnx(model: Model, path: Path) -> None:
    import mlflow.onnx
    from onnx import TensorProto, checker, helper

    example = np.ones((2, 3), dtype="float32")
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "x"], ["square"])],
        "squares",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("square", TensorProto.FLOAT, ["n", 3])],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    network.ir_version = 8
    checker.check_model(network)
    mlflow.onnx.save_model(
        network,
        path,
        signature=infer_signature(example),
        input_example=example,
        pip_requirements=model.pip_requirements,
    )


def pyfunc_class(model: Model, path: Path) -> None:
    """A pickled class with an artifact, as users log it from a notebook."""

    class Scaler(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def load_context(self, context: Any) -> None:
            self.factor = json.loads(Path(context.artifacts["factor"]).read_text())

        # Without type hints, as mlflow would look into them.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            factor = (params or {}).get("factor", self.factor)
            return model_input * factor

    with tempfile.TemporaryDirectory() as scratch:
        artifact = Path(scratch, "factor.json")
        artifact.write_text("2.5")
        mlflow.pyfunc.save_model(
            path,
            python_model=Scaler(),
            artifacts={"factor": str(artifact)},
            signature=columns(x="double", y="double?"),
            input_example=pd.DataFrame({"x": [1.0], "y": [2.0]}),
            pip_requirements=model.pip_requirements,
        )


def pyfunc_function(model: Model, path: Path) -> None:
    def double(model_input):  # type: ignore[no-untyped-def]
        return [2 * value for value in model_input]

    mlflow.pyfunc.save_model(
        path,
        python_model=double,
        input_example=["a", "b"],
        pip_requirements=model.pip_requirements,
    )


def code_paths(model: Model, path: Path) -> None:
    sys.path.extend(str(source.parent) for source in model.code_paths)
    save_code(
        model,
        path,
        code_paths=[str(source) for source in model.code_paths],
        signature=columns(name="string"),
        input_example=pd.DataFrame({"name": ["World"]}),
    )


def loader_module(model: Model, path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "scaler.json")
        data.write_text(json.dumps({"factor": 3}))
        mlflow.pyfunc.save_model(
            path,
            loader_module="zoo_loader",
            data_path=str(data),
            code_paths=[str(source) for source in model.code_paths],
            signature=columns(x="double"),
            input_example=pd.DataFrame({"x": [1.0]}),
            pip_requirements=model.pip_requirements,
        )


def _iris() -> tuple[pd.DataFrame, pd.Series]:
    iris = load_iris(as_frame=True)
    features: pd.DataFrame = iris.data.astype("float64")
    features.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    return features, iris.target


def _save_estimator(
    model: Model, path: Path, estimator: Any, features: pd.DataFrame, **options: Any
) -> None:
    mlflow.sklearn.save_model(
        estimator,
        path,
        signature=infer_signature(features, estimator.predict(features)),
        input_example=features.head(2),
        pip_requirements=model.pip_requirements,
        serialization_format="cloudpickle",
        **options,
    )


def _save_torch(model: Model, path: Path, example: Any, signature: Any) -> None:
    import mlflow.pytorch
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    mlflow.pytorch.save_model(
        network,
        path,
        signature=signature,
        input_example=example,
        pip_requirements=model.pip_requirements,
        serialization_format="pickle",
    )
