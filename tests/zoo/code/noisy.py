"""Prints, logs and warns at load and in each predict, and answers as if it had not."""

import logging
import os
import sys
import warnings

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Noisy(PythonModel):
    def load_context(self, context):
        print("loading")
        print("loading, on stderr", file=sys.stderr)

    def predict(self, context, model_input, params=None):
        for line in model_input["line"]:
            print("printed:", line)
            print("to stderr:", line, file=sys.stderr, flush=True)
            sys.stdout.write("no line end: " + line)
            os.write(1, b"raw \xff\n")
            logging.getLogger("noisy").warning("logged: %s", line)
            warnings.warn("warned: " + line, stacklevel=1)
        return [len(line) for line in model_input["line"]]


set_model(Noisy())
