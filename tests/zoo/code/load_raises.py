"""Cannot be loaded: load_context raises."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class LoadRaises(PythonModel):
    def load_context(self, context):
        raise RuntimeError("the weights are not where they should be")

    def predict(self, context, model_input, params=None):
        return model_input


set_model(LoadRaises())
