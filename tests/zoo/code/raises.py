"""Raises what the column `kind` names: an error code of MLflow's, or a plain exception."""

import builtins

from mlflow.exceptions import MlflowException, RestException
from mlflow.models import set_model
from mlflow.protos import databricks_pb2
from mlflow.pyfunc import PythonModel


class CustomError(Exception):
    """An exception of the model's own."""


def chained():
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("outer") from error


class Raises(PythonModel):
    def predict(self, context, model_input, params=None):
        kind = model_input["kind"].iloc[0]
        text = model_input["text"].iloc[0] if "text" in model_input else "as asked"
        if kind == "none":
            return ["nothing was raised"]
        if kind == "MlflowException":
            raise MlflowException(text)
        if kind == "MlflowException.extra":
            raise MlflowException(text, databricks_pb2.BAD_REQUEST, detail="more", number=7)
        if kind == "RestException":
            raise RestException({"error_code": "NOT_FOUND", "message": text})
        if kind == "CustomError":
            raise CustomError(text)
        if kind == "chained":
            chained()
        if kind in databricks_pb2.ErrorCode.keys():  # noqa: SIM118
            raise MlflowException(text, databricks_pb2.ErrorCode.Value(kind))
        raise getattr(builtins, kind)(text)


set_model(Raises())
