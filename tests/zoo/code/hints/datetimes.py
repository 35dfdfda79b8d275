"""Type hint `list[datetime.datetime]`: datetimes, ISO 8601 on the wire."""

import datetime

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[datetime.datetime], params=None):
        return [f"{type(item).__name__} {item!r}" for item in model_input]


set_model(Hinted())
