"""Takes the time that it is configured to take for a batch and its rows, without using a core.

The time counts from predict's entry and includes what predict itself does: queueing theory, and
what a capacity is compared with, need a service time that is known, and a sleep that follows the
work and ends late is neither the one configured nor a constant one. ``spin_s`` is how much of the
end is waited for on the clock instead of asleep, since a sleep oversleeps by 0.1 ms and more. Only
models that are compared with theory have it: it uses a core, once for each predict, and would
charge a server that batches less than one that does not.
"""

import os
import time

import mlflow


class Timed(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.fixed_s = context.model_config["fixed_s"]
        self.row_s = context.model_config["row_s"]
        self.spin_s = context.model_config["spin_s"]

    def predict(self, context, model_input, params=None):
        end = time.perf_counter() + self.fixed_s + self.row_s * len(model_input)
        answer = model_input["x"].to_numpy()
        asleep_s = end - self.spin_s - time.perf_counter()
        if asleep_s > 0:
            time.sleep(asleep_s)
        while time.perf_counter() < end:
            os.sched_yield()  # without the GIL: the server's other threads go on
        return answer


mlflow.models.set_model(Timed())
