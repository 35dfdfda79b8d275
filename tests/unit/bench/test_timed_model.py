"""The model of known service time: what it is configured to take is what it takes."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from benchmarks.models.timed_model import Timed


class SlowFrame(pd.DataFrame):
    """A frame of which a column takes 10 ms to get."""

    def __getitem__(self, key: object) -> object:
        time.sleep(0.010)
        return super().__getitem__(key)


@pytest.mark.parametrize("spin_s", [0.0, 0.0005])
def test_its_own_work_is_part_of_the_time_it_takes(spin_s: float) -> None:
    model = Timed()
    model.load_context(
        SimpleNamespace(model_config={"fixed_s": 0.020, "row_s": 0.005, "spin_s": spin_s})
    )
    frame = SlowFrame({"x": [1.0, 2.0]})
    took = []
    for _ in range(3):
        started = time.perf_counter()
        answer = model.predict(None, frame)
        took.append(time.perf_counter() - started)
        np.testing.assert_array_equal(answer, [1.0, 2.0])
    assert 0.030 <= min(took) < 0.038
