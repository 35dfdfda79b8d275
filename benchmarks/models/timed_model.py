"""Takes a fixed time for a batch and a little for each row, without using a core."""

import time

import mlflow


class Timed(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.fixed_s = context.model_config["fixed_s"]
        self.row_s = context.model_config["row_s"]

    def predict(self, context, model_input, params=None):
        time.sleep(self.fixed_s + self.row_s * len(model_input))
        return model_input["x"].to_numpy()


mlflow.models.set_model(Timed())
