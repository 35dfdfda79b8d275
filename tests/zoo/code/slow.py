"""Sleeps once per predict, as long as the largest value of the column `seconds` says.

Column `how`: `python` (the default) comes back to the interpreter every 5 ms, so that an exception
raised in the thread ends it; `c` is one call that releases the GIL; `gil` is one call that holds
it, so that no other thread of the process runs; `spin` burns the processor in Python.
Answers the seconds of each row.
"""

import ctypes
import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


def sleep_python(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.005))


def sleep_gil(seconds):
    # PyDLL keeps the GIL during the call; a portable usleep takes less than a second.
    whole, rest = divmod(seconds, 1.0)
    for part in [1.0] * int(whole) + [rest]:
        ctypes.PyDLL(None).usleep(int(part * 999_999))


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


SLEEPS = {"python": sleep_python, "c": time.sleep, "gil": sleep_gil, "spin": spin}


class Slow(PythonModel):
    def predict(self, context, model_input, params=None):
        how = "python"
        if "how" in model_input and isinstance(model_input["how"].iloc[0], str):
            how = model_input["how"].iloc[0]
        SLEEPS[how](float(model_input["seconds"].max()))
        return model_input["seconds"].tolist()


set_model(Slow())
