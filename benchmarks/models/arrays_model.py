"""Hundreds of megabytes of arrays: large to keep, quick to ask."""

import mlflow
import numpy as np


class Arrays(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.weights = np.load(context.artifacts["weights"])

    def predict(self, context, model_input, params=None):
        rows = np.abs(model_input.to_numpy() * 1e6).astype(np.int64) % self.weights.shape[0]
        return self.weights[rows].sum(axis=(1, 2))


mlflow.models.set_model(Arrays())
