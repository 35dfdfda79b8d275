"""Answers what of its process a model can see and a server decides."""

import asyncio
import os
import sys

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


def loop_is_running():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Environment(PythonModel):
    def predict(self, context, model_input, params=None):
        return {
            "serving": os.environ.get("_MLFLOW_IS_IN_SERVING_ENVIRONMENT"),
            "artifacts": sorted(context.artifacts),
            "loop_is_running": loop_is_running(),
            "recursion_limit": sys.getrecursionlimit(),
            "optimised": sys.flags.optimize,
        }


set_model(Environment())
