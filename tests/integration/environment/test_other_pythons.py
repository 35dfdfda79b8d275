"""Models of other Pythons and other mlflows than the server's, in environments from the index."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pelton.environment.artifacts import LocalModel, resolve
from pelton.environment.interpreter import Interpreter, prepare
from pelton.environment.interpreters import find_python
from pelton.errors import EnvironmentError_

pytestmark = pytest.mark.slow

_MLMODEL = """\
flavors:
  python_function:
    code: code
    env: {{virtualenv: python_env.yaml}}
    loader_module: doubling
    python_version: {python}
mlflow_version: {mlflow}
"""
_LOADER = """\
def _load_pyfunc(path):
    return Doubling()

class Doubling:
    def predict(self, model_input, params=None):
        return model_input * 2
"""
_PREDICT = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(pandas.DataFrame({"x": [1, 2]}))
print(json.dumps([list(sys.version_info[:2]), mlflow.__version__, answer["x"].tolist()]))
"""
_BUILDER = """
import asyncio, sys
from pathlib import Path
from pelton.environment.artifacts import resolve
from pelton.environment.interpreter import prepare

async def main():
    model = await resolve(sys.argv[1], Path(sys.argv[2]), on_progress=print)
    await prepare(model, mode="isolated", cache_dir=Path(sys.argv[2]), on_progress=print)

asyncio.run(main())
"""


def _model(directory: Path, python: str, mlflow: str, *requirements: str) -> LocalModel:
    (directory / "code").mkdir(parents=True)
    (directory / "code" / "doubling.py").write_text(_LOADER)
    (directory / "MLmodel").write_text(_MLMODEL.format(python=python, mlflow=mlflow))
    (directory / "python_env.yaml").write_text(
        f"python: {python}\nbuild_dependencies: [pip, setuptools<82, wheel]\n"
        "dependencies: [-r requirements.txt]\n"
    )
    (directory / "requirements.txt").write_text(f"mlflow=={mlflow}\n" + "\n".join(requirements))
    return asyncio.run(resolve(str(directory), directory, on_progress=print))


def _prepare(model: LocalModel, cache_dir: Path) -> Interpreter:
    return asyncio.run(prepare(model, mode="auto", cache_dir=cache_dir, on_progress=print))


def _predict(interpreter: Interpreter, model: LocalModel) -> object:
    answer = subprocess.run(
        [interpreter.python, "-P" if _is_new(interpreter) else "-s", "-c", _PREDICT, model.path],
        check=True,
        stdout=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )
    return json.loads(answer.stdout.splitlines()[-1])


def _is_new(interpreter: Interpreter) -> bool:
    """Python 3.10 does not know ``-P``."""
    return "python3.10" not in str(interpreter.python.resolve())


@pytest.mark.parametrize(
    ("python", "mlflow"), [("3.10.4", "2.20.4"), ("3.12.9", "2.22.1"), ("3.13.2", "3.1.4")]
)
def test_a_model_runs_in_its_own_python_with_its_own_mlflow(
    tmp_path: Path, python: str, mlflow: str
) -> None:
    try:
        asyncio.run(find_python(python))
    except EnvironmentError_ as error:
        pytest.skip(str(error))
    model = _model(tmp_path / "model", python, mlflow)
    interpreter = _prepare(model, tmp_path / "cache")
    minor = [int(part) for part in python.split(".")[:2]]
    assert _predict(interpreter, model) == [minor, mlflow, [2, 4]]


def test_a_build_killed_at_twenty_moments_ends_well(tmp_path: Path) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    model = _model(tmp_path / "model", python, "2.22.1", "six==1.16.0")
    cache_dir = tmp_path / "cache"
    command = [sys.executable, "-c", _BUILDER, str(model.path), str(cache_dir)]
    began = time.monotonic()
    _prepare(model, tmp_path / "another-cache")  # fills uv's cache, and says how long it takes
    duration_s = time.monotonic() - began
    chance = random.Random(7)
    for _ in range(20):
        builder = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            builder.wait(chance.uniform(0.1, duration_s))
        except subprocess.TimeoutExpired:
            builder.kill()
            builder.wait()
    interpreter = _prepare(model, cache_dir)
    assert _predict(interpreter, model) == [list(sys.version_info[:2]), "2.22.1", [2, 4]]
