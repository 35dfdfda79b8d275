"""LitServe around a pyfunc: decode, one frame a batch, one predict, split by rows."""

import os

import litserve
import numpy as np


class Api(litserve.LitAPI):
    def setup(self, device):
        import mlflow
        import pandas

        if os.environ["TENSOR"]:
            import torch

            torch.set_num_threads(1)
        self.pandas = pandas
        self.model = mlflow.pyfunc.load_model(os.environ["MODEL"])

    def decode_request(self, request):
        if "inputs" in request:
            return np.asarray(request["inputs"], dtype=np.float32)
        frame = request["dataframe_split"]
        return self.pandas.DataFrame(frame["data"], columns=frame["columns"])

    def batch(self, inputs):
        self.rows = [len(one) for one in inputs]
        if isinstance(inputs[0], np.ndarray):
            return np.concatenate(inputs)
        return self.pandas.concat(inputs, ignore_index=True)

    def predict(self, inputs):
        return self.model.predict(inputs)

    def unbatch(self, output):
        start, parts = 0, []
        for rows in self.rows:
            parts.append(output[start : start + rows])
            start += rows
        return parts

    def encode_response(self, output):
        values = output.to_dict("records") if hasattr(output, "to_dict") else output.tolist()
        return {"predictions": values}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(api_path="/invocations", max_batch_size=64, batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,
        timeout=60,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
