"""Type hint with unions and optional values inside."""

from typing import Any, Optional, Union

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Hinted(PythonModel):
    def predict(self, model_input: list[dict[str, Optional[Union[int, str]]]], params=None) -> Any:  # noqa: UP007, UP045
        return [f"{type(item).__name__} {item!r}" for item in model_input]


set_model(Hinted())
