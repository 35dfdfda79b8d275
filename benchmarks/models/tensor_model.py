"""A torch MLP 784-2048-2048-10 on one thread."""

import mlflow
import numpy as np


class Tensor(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.net = torch.jit.load(context.artifacts["net"]).eval()

    def predict(self, context, model_input, params=None):
        with self.torch.inference_mode():
            rows = np.ascontiguousarray(model_input, dtype=np.float32)
            return self.net(self.torch.from_numpy(rows)).numpy()


mlflow.models.set_model(Tensor())
