"""Answers what a scoring server cannot write; column `kind` says which of them."""

import datetime
import decimal
import pathlib
import uuid

import numpy as np
import pandas as pd
import scipy.sparse
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Opaque:
    """An object like any other."""


def endless():
    value = []
    value.append(value)
    return value


def too_deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


KINDS = {
    "set": lambda: {1, 2},
    "decimal": lambda: decimal.Decimal("1.5"),
    "generator": lambda: (i for i in range(3)),
    "timedelta": lambda: datetime.timedelta(seconds=1),
    "complex": lambda: np.array([1 + 2j]),
    "python_complex": lambda: 1 + 2j,
    "sparse": lambda: scipy.sparse.eye(2, format="csr"),
    "index": lambda: pd.Index([1, 2]),
    "na": lambda: [pd.NA],
    "nested_frame": lambda: {"x": pd.DataFrame({"a": [1]})},
    "nested_series": lambda: [pd.Series([1])],
    "numpy_key": lambda: {np.int64(1): 2},
    "tuple_key": lambda: {(1, 2): 3},
    "multi_index": lambda: pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
    "timedeltas": lambda: pd.DataFrame({"t": pd.to_timedelta([1], unit="s")}),
    "object": Opaque,
    "class": lambda: Opaque,
    "function": lambda: endless,
    "path": lambda: pathlib.PurePosixPath("/tmp"),
    "uuid": lambda: uuid.UUID(int=0),
    "circular": endless,
    "too_deep": too_deep,
    "memoryview": lambda: memoryview(b"abc"),
    "range": lambda: range(3),
    "dict_views": lambda: {"a": 1}.keys(),
}


class Unencodable(PythonModel):
    def predict(self, context, model_input, params=None):
        return KINDS[model_input["kind"].iloc[0]]()


set_model(Unencodable())
