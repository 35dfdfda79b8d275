"""Saves a model with MLflow, and the answers of MLflow's own scoring code to each request.

Run as ``python -m benchmarks.models.build SCENARIO`` in a process of its own: it imports MLflow and
the model's libraries, which the load generator's process must not carry.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.scoring_server import invocations
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from benchmarks.models.cache import CACHE, bodies_path, model_path
from benchmarks.scenario import SCENARIOS, Scenario

_HERE: Final = Path(__file__).parent
_COLUMNS: Final = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
_IMAGE: Final = 784
_REQUIREMENTS: Final = ["mlflow"]  # servers run in environments made for them


def _doubles(*names: str) -> Schema:
    return Schema([ColSpec("double", name) for name in names])


def save_tiny(path: Path) -> None:
    """Logistic regression over the four columns of iris."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris(as_frame=True)
    rows = iris.data.astype("float64").set_axis(_COLUMNS, axis=1)
    model = LogisticRegression(max_iter=1000).fit(rows, iris.target)
    mlflow.sklearn.save_model(
        model,
        path,
        signature=infer_signature(rows, model.predict(rows)),
        input_example=rows.head(2),
        serialization_format="cloudpickle",
        pip_requirements=_REQUIREMENTS,
    )


def save_wide(path: Path) -> None:
    """Gradient-boosted trees over 100 columns, on one thread."""
    from lightgbm import LGBMRegressor

    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(5000, 100)), columns=[f"f{i}" for i in range(100)])
    target = rows.to_numpy() @ random.normal(size=100) + random.normal(size=5000)
    model = LGBMRegressor(n_estimators=100, num_leaves=31, n_jobs=1, verbose=-1).fit(rows, target)
    mlflow.sklearn.save_model(
        model,
        path,
        signature=infer_signature(rows, model.predict(rows)),
        input_example=rows.head(2),
        serialization_format="cloudpickle",
        pip_requirements=_REQUIREMENTS,
    )


def save_tensor(path: Path) -> None:
    """A torch MLP behind a tensor signature."""
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(_IMAGE, 2048),
        torch.nn.ReLU(),
        torch.nn.Linear(2048, 2048),
        torch.nn.ReLU(),
        torch.nn.Linear(2048, 10),
    ).eval()
    scratch = path.with_suffix(".pt")
    torch.jit.script(net).save(str(scratch))
    mlflow.pyfunc.save_model(
        path,
        pip_requirements=_REQUIREMENTS,
        python_model=str(_HERE / "tensor_model.py"),
        artifacts={"net": str(scratch)},
        signature=ModelSignature(
            Schema([TensorSpec(np.dtype("float32"), (-1, _IMAGE))]),
            Schema([TensorSpec(np.dtype("float32"), (-1, 10))]),
        ),
        input_example=np.zeros((1, _IMAGE), dtype=np.float32),
    )
    scratch.unlink()


def save_echo(path: Path) -> None:
    """Answers its four columns."""
    mlflow.pyfunc.save_model(
        path,
        pip_requirements=_REQUIREMENTS,
        python_model=str(_HERE / "echo_model.py"),
        signature=ModelSignature(_doubles(*_COLUMNS), _doubles(*_COLUMNS)),
        input_example=pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=_COLUMNS),
    )


def save_timed(path: Path, fixed_s: float, row_s: float, spin_s: float = 0.0) -> None:
    """Takes a time for a batch and for each row, asleep but for the last ``spin_s``."""
    mlflow.pyfunc.save_model(
        path,
        pip_requirements=_REQUIREMENTS,
        python_model=str(_HERE / "timed_model.py"),
        model_config={"fixed_s": fixed_s, "row_s": row_s, "spin_s": spin_s},
        signature=ModelSignature(_doubles("x"), Schema([TensorSpec(np.dtype("float64"), (-1,))])),
        input_example=pd.DataFrame({"x": [1.0]}),
    )


def save_arrays(path: Path, megabytes: int) -> None:
    """Holds so many megabytes and looks a few of them up."""
    scratch = path.with_suffix(".npy")
    random = np.random.default_rng(0)
    np.save(scratch, random.normal(size=(megabytes * 1_000_000 // 800, 100)))
    mlflow.pyfunc.save_model(
        path,
        pip_requirements=_REQUIREMENTS,
        python_model=str(_HERE / "arrays_model.py"),
        artifacts={"weights": str(scratch)},
        signature=ModelSignature(
            _doubles(*_COLUMNS), Schema([TensorSpec(np.dtype("float64"), (-1,))])
        ),
        input_example=pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=_COLUMNS),
    )
    scratch.unlink()


def save_table(path: Path, megabytes: int) -> None:
    """Holds an embedding table of so many megabytes."""
    mlflow.pyfunc.save_model(
        path,
        pip_requirements=_REQUIREMENTS,
        python_model=str(_HERE / "table_model.py"),
        model_config={"megabytes": megabytes},
        signature=ModelSignature(
            Schema([ColSpec("long", "key")]), Schema([TensorSpec(np.dtype("float64"), (-1,))])
        ),
    )


MODELS: Final[dict[str, Callable[[Path], None]]] = {
    "tiny": save_tiny,
    "wide": save_wide,
    "tensor": save_tensor,
    "echo": save_echo,
    "fixed": lambda path: save_timed(path, 0.020, 0.0005),
    "slow": lambda path: save_timed(path, 0.250, 0.0),
    "ten": lambda path: save_timed(path, 0.010, 0.0, spin_s=0.0005),
    "fifty": lambda path: save_timed(path, 0.050, 0.0, spin_s=0.0005),
    "large": lambda path: save_arrays(path, 400),
}


def request(scenario: Scenario, rows: int, seed: int) -> dict[str, Any]:
    """Make one request of a scenario; equal seeds make equal requests."""
    random = np.random.default_rng([seed, rows])
    if scenario.is_tensor:
        return {"inputs": np.round(random.random((rows, _IMAGE)), 6).tolist()}
    if scenario.model in ("fixed", "slow"):
        names = ["x"]
    elif scenario.model == "wide":
        names = [f"f{i}" for i in range(100)]
    else:
        names = _COLUMNS
    data = random.normal(size=(rows, len(names))).tolist()
    return {"dataframe_split": {"columns": names, "data": data}}


def build_model(name: str) -> Path:
    """Save a model unless it is there; whole or not at all."""
    path = model_path(name)
    if not path.is_dir():
        scratch = path.with_name(path.name + ".part")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("table-"):
            save_table(scratch, int(name.partition("-")[2]))
        else:
            MODELS[name](scratch)
        scratch.rename(path)
    return path


def build_bodies(scenario: Scenario) -> None:
    """Write a scenario's requests with the answers of MLflow's own scoring code."""
    path = bodies_path(scenario)
    if path.is_file():
        return
    model = mlflow.pyfunc.load_model(str(build_model(scenario.model)))
    lines = []
    for rows in scenario.rows:
        for seed in range(scenario.distinct):
            body = request(scenario, rows, seed)
            answer = invocations(
                json.dumps(body).encode(),
                "application/json",
                model,
                model.metadata.get_input_schema(),
            )
            if answer.status != 200:
                raise RuntimeError(f"MLflow answers {answer.status}: {answer.response[:300]}")
            lines.append(json.dumps({"request": body, "response": json.loads(answer.response)}))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text("\n".join(lines) + "\n")
    scratch.rename(path)


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one builds, who else wants the same waits for it
        for argument in sys.argv[1:]:
            if argument in SCENARIOS:
                build_bodies(SCENARIOS[argument])
            else:
                build_model(argument)
