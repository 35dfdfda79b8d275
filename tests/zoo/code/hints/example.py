"""Type hint `TypeFromExample`: predict gets what the input example is."""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from mlflow.types.type_hints import TypeFromExample


class Hinted(PythonModel):
    def predict(self, model_input: TypeFromExample):
        return f"{type(model_input).__name__} {model_input!r}"


set_model(Hinted())
