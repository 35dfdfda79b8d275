"""Answers with an exact description of what reached predict: types, dtypes, shapes, order, values.

The description does not depend on where the model was loaded from or when, so two servers that
hand the same input to predict give the same bytes.
"""

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


def describe(value):
    if isinstance(value, pd.DataFrame):
        return {
            "DataFrame": [describe(value.iloc[:, i]) for i in range(value.shape[1])],
            "columns": [str(value.columns.dtype), [describe(label) for label in value.columns]],
            "index": [str(value.index.dtype), type(value.index).__name__, repr(list(value.index))],
        }
    if isinstance(value, pd.Series):
        return {"Series": str(value.dtype), "values": [describe(cell) for cell in value]}
    if isinstance(value, np.ndarray):
        cells = [describe(cell) for cell in value.ravel()] if value.dtype == object else value
        return {"ndarray": str(value.dtype), "shape": value.shape, "values": repr_all(cells)}
    if isinstance(value, dict):
        return {"dict": [[describe(key), describe(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [describe(item) for item in value]}
    return {type(value).__name__: repr(value)}


def repr_all(cells):
    return cells if isinstance(cells, list) else [repr(cell) for cell in cells.ravel().tolist()]


class Witness(PythonModel):
    def predict(self, context, model_input, params=None):
        return {"input": describe(model_input), "params": describe(params)}


set_model(Witness())
