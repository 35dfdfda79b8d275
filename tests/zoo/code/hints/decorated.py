"""A function with a type hint, decorated with `pyfunc`, instead of a class."""

from mlflow.models import set_model
from mlflow.pyfunc.utils import pyfunc


@pyfunc
def predict(model_input: list[int]) -> list[int]:
    return [2 * item for item in model_input]


set_model(predict)
