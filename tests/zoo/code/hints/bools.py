"""Type hint `list[bool]`: booleans."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[bool], params=None):
        return [f"{type(item).__name__} {item!r}" for item in model_input]


set_model(Hinted())
