"""A model written by hand: MLflow loads it, and nothing has to be trained or saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

_CODE = """
import time

class Model:
    def predict(self, frame, params=None):
        time.sleep(0.004)
        return [row["a"] + row["b"] for row in frame.to_dict("records")]

def _load_pyfunc(path):
    return Model()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "bench_sum_model.py").write_text(_CODE)
    columns = [{"type": "double", "name": name, "required": True} for name in "ab"]
    outputs = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]
    (folder / "MLmodel").write_text(
        json.dumps(
            {
                "flavors": {
                    "python_function": {"loader_module": "bench_sum_model", "code": "code"}
                },
                "signature": {"inputs": json.dumps(columns), "outputs": json.dumps(outputs)},
            }
        )
    )
    return folder
