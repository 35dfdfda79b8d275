"""Type hint `list[Any]`: whatever comes."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[Any], params=None):
        return [f"{type(item).__name__} {item!r}" for item in model_input]


set_model(Hinted())
