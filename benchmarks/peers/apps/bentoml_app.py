"""BentoML around a pyfunc, batched along the first axis of an array."""

import os

import bentoml
import numpy as np
import pandas as pd


@bentoml.service(
    workers=1,
    traffic={"timeout": 120},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Service:
    def __init__(self):
        import mlflow

        self.model = mlflow.pyfunc.load_model(os.environ["MODEL"])
        if os.environ["TENSOR"]:
            import torch

            torch.set_num_threads(1)
            self.columns = None
        else:
            self.columns = self.model.metadata.get_input_schema().input_names()

    @bentoml.api(
        route="/predict",
        batchable=True,
        max_batch_size=int(os.environ["MAX_BATCH"]),
        max_latency_ms=10_000,
    )
    def predict(self, x: np.ndarray) -> np.ndarray:
        if self.columns is None:
            return self.model.predict(x.astype("float32"))
        frame = pd.DataFrame(x.astype("float64"), columns=self.columns)
        return np.asarray(self.model.predict(frame))
