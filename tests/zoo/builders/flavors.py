"""Models of MLflow's own flavours, fitted on seeded data."""

from __future__ import annotations

from pathlib import Path

import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tests.zoo.model import Model


def sklearn4(model: Model, path: Path) -> None:
    iris = load_iris(as_frame=True)
    features: pd.DataFrame = iris.data.astype("float64")
    features.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    classifier = LogisticRegression(max_iter=1000).fit(features, iris.target)
    mlflow.sklearn.save_model(
        classifier,
        path,
        signature=infer_signature(features, classifier.predict(features)),
        input_example=features.head(2),
        pip_requirements=model.pip_requirements,
        serialization_format="cloudpickle",
    )
