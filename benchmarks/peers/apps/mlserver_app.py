"""MLServer around a pyfunc. Its own MLflow runtime does not import with MLflow 3.13 and later."""

import mlflow
import numpy as np
import pandas as pd
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Model(MLModel):
    async def load(self) -> bool:
        self.model = mlflow.pyfunc.load_model(self.settings.parameters.uri)
        schema = self.model.metadata.get_input_schema()
        self.columns = None if schema.is_tensor_spec() else schema.input_names()
        if self.columns is None:
            import torch

            torch.set_num_threads(1)
        return True

    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        if self.columns is not None:
            rows = pd.DataFrame(rows, columns=self.columns)
        output = np.asarray(self.model.predict(rows))
        output = output.reshape(len(output), -1)
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("y", output)]
        )
