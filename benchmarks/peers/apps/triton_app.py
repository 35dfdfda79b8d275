"""Triton with a Python backend around a pyfunc, batched by Triton's dynamic batcher."""

import os

import mlflow
import numpy as np
import pandas as pd
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

model = mlflow.pyfunc.load_model(os.environ["MODEL"])
schema = model.metadata.get_input_schema()
if os.environ["TENSOR"]:
    import torch

    torch.set_num_threads(1)
    columns, width, dtype = None, 784, np.float32
    probe = np.zeros((1, width), dtype)
else:
    columns = schema.input_names()
    width, dtype = len(columns), np.float64
    probe = pd.DataFrame(np.zeros((1, width)), columns=columns)


def predict(rows):
    output = np.asarray(model.predict(rows))
    return output.reshape(len(output), -1)


shape = predict(probe)


@batch
def infer(x):
    return [predict(x if columns is None else pd.DataFrame(x, columns=columns))]


port = int(os.environ["PORT"])
config = TritonConfig(
    http_port=port,
    grpc_port=port + 1,
    metrics_port=port + 2,
    http_address="127.0.0.1",
    grpc_address="127.0.0.1",
    log_verbose=0,
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="m",
        infer_func=infer,
        inputs=[Tensor(name="x", dtype=dtype, shape=(width,))],
        outputs=[Tensor(name="y", dtype=shape.dtype, shape=(shape.shape[1],))],
        config=ModelConfig(
            max_batch_size=int(os.environ["MAX_BATCH"]),
            batcher=DynamicBatcher(max_queue_delay_microseconds=1000),
        ),
    )
    triton.serve()
