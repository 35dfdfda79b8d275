"""Takes `base_s + rows * row_s` for a predict, whatever the rows are, and answers their doubles.

Both costs are in the model's configuration. The time is slept, not burnt, so that several workers
do not compete for the processor.
"""

import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class FixedCost(PythonModel):
    def load_context(self, context):
        self.base_s = context.model_config["base_s"]
        self.row_s = context.model_config["row_s"]

    def predict(self, context, model_input, params=None):
        time.sleep(self.base_s + len(model_input) * self.row_s)
        return (model_input["x"] * 2).tolist()


set_model(FixedCost())
