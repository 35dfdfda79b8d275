"""Takes `load_s` of its configuration to load, then answers its input."""

import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class LoadsSlowly(PythonModel):
    def load_context(self, context):
        time.sleep(context.model_config["load_s"])

    def predict(self, context, model_input, params=None):
        return model_input


set_model(LoadsSlowly())
