"""Cannot be loaded: load_context ends the process with status 7."""

import os

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class LoadExits(PythonModel):
    def load_context(self, context):
        os._exit(7)

    def predict(self, context, model_input, params=None):
        return model_input


set_model(LoadExits())
