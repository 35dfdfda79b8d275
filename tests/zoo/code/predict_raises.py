"""Loads, and fails whatever it is asked, its own input example too."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class PredictRaises(PythonModel):
    def predict(self, context, model_input, params=None):
        raise RuntimeError("not today")


set_model(PredictRaises())
