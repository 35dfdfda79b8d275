"""Answers the model configuration it was loaded with, as seen at load and in predict."""

from mlflow.models import ModelConfig, set_model
from mlflow.pyfunc import PythonModel

AT_IMPORT = ModelConfig(development_config={"greeting": "none", "repeat": 0}).to_dict()


class Configured(PythonModel):
    def load_context(self, context):
        self.at_load = dict(context.model_config)

    def predict(self, context, model_input, params=None):
        return {
            "at_import": AT_IMPORT,
            "at_load": self.at_load,
            "in_predict": dict(context.model_config),
            "params": params,
        }


set_model(Configured())
