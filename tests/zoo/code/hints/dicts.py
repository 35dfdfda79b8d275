"""Type hint `list[dict[str, list[float]]]`: maps of lists."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[dict[str, list[float]]], params=None):
        return [f"{type(item).__name__} {item!r}" for item in model_input]


set_model(Hinted())
