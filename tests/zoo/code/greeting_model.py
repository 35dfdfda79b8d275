"""Imports a module that only `code_paths` provides."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from zoo_greetings import greet


class Greeting(PythonModel):
    def predict(self, context, model_input, params=None):
        return [greet(name) for name in model_input["name"]]


set_model(Greeting())
