"""One server, models of several environments in turn, without a restart.

Each is served with the Python and the packages that it was logged with, which it answers itself,
and as the MLflow of its own environment answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import Endpoint, environment
from tests.integration.validation.logged import write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_LOADER = """\
import platform
from importlib import metadata

def _load_pyfunc(path):
    return Where()

class Where:
    def predict(self, model_input, params=None):
        package = "{package}"
        where = [platform.python_version(), metadata.version("mlflow"), metadata.version(package)]
        return model_input.assign(y=model_input["x"] * 2, where=" ".join(where))
"""
# What MLflow's own scoring code says in the model's environment.
_ORACLE = """
import json, os, sys
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
model = scoring_server.load_model_with_mlflow_config(sys.argv[1])
os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
schema = model.metadata.get_input_schema()
answers = []
for content_type, body in json.load(sys.stdin):
    try:
        found = scoring_server.invocations(body.encode(), content_type, model, schema)
        answers.append([found.status, found.response])
    except MlflowException as error:
        answers.append([error.get_http_status_code(), error.serialize_as_json()])
print(json.dumps(answers))
"""
_JSON = "application/json"
_CASES = [
    (_JSON, '{"dataframe_records": [{"x": 1.0}, {"x": -0.1}]}'),
    (_JSON, '{"dataframe_split": {"columns": ["x"], "data": [[1e22], [1e-7]]}}'),
    (_JSON, '{"dataframe_split": {"columns": ["x", "z"], "data": [[1, 2]], "index": [7]}}'),
    (_JSON, '{"inputs": {"x": [1, 2.5]}}'),
    (_JSON, '{"instances": [{"x": 3.5}]}'),
    (_JSON, '{"dataframe_records": [{"x": "7"}, {"x": true}]}'),
    (_JSON, '{"dataframe_records": [{"x": null}]}'),
    (_JSON, '{"dataframe_records": [{"x": NaN}]}'),
    (_JSON, '{"dataframe_records": [{"y": 1.0}]}'),
    (_JSON, '{"dataframe_records": [{"x": "seven"}]}'),
    (_JSON, '{"inputs": {"x": [1]}, "instances": [1]}'),
    (_JSON, '{"x": [1]}'),
    (_JSON, "[1]"),
    (_JSON, "{"),
    (_JSON, ""),
    ("text/csv", "x\n1\n2.5\n"),
    ("text/csv", "y\n1\n"),
    ("text/plain", "x"),
    ("application/json; charset=latin-1", "{}"),
]


def _logged(folder: Path, python: str, mlflow: str, package: str, version: str) -> Path:
    """A model that answers its Python, its mlflow and its version of a package."""
    pyfunc = {
        "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
        "loader_module": "doubling",
        "python_version": python,
    }
    document: Mapping[str, Any] = {
        "flavors": {"python_function": pyfunc},
        "mlflow_version": mlflow,
        "signature": {"inputs": '[{"type": "double", "name": "x", "required": true}]'},
    }
    return write(
        folder,
        {
            "MLmodel": document,
            "python_env.yaml": {"python": python, "dependencies": ["-r requirements.txt"]},
            "requirements.txt": f"mlflow=={mlflow}\n{package}=={version}\n",
            "code/doubling.py": _LOADER.format(package=package),
            "input_example.json": None,
            "serving_input_example.json": None,
        },
    )


def test_four_models_in_turn(live_endpoint: Serve, tmp_path: Path) -> None:
    mlflow = metadata.version("mlflow")
    here = "{}.{}.{}".format(*sys.version_info[:3])
    older = _logged(tmp_path / "older", here, mlflow, "scikit-learn", "1.7.2")
    oldest_python = _logged(tmp_path / "py310", "3.10.13", "3.1.4", "six", "1.16.0")
    old_mlflow = _logged(tmp_path / "py312", "3.12.1", "2.22.5", "six", "1.16.0")
    only_code = _logged(tmp_path / "code", here, mlflow, "pandas", metadata.version("pandas"))
    cache = str(tmp_path / "cache")
    assert metadata.version("scikit-learn") != "1.7.2"

    _pelton("env", "build", str(older), "--cache-dir", cache)
    endpoint = live_endpoint(older, "--env", "auto", "--cache-dir", cache, "--concurrency", "1")
    server = endpoint.process.pid
    for model, python, versions in (
        (older, here, [mlflow, "1.7.2"]),
        (oldest_python, "3.10", ["3.1.4", "1.16.0"]),
        (old_mlflow, "3.12", ["2.22.5", "1.16.0"]),
        (only_code, here, [mlflow, metadata.version("pandas")]),
    ):
        if model is not older:
            _pelton("reload", "--url", endpoint.url, "--wait", str(model))
        answer = endpoint.ask({"dataframe_records": [{"x": 1.0}]}).json()
        said = answer["predictions"][0]["where"].split()
        assert said[0].startswith(python)
        assert said[1:] == versions
        executable = (
            sys.executable
            if model is only_code
            else _pelton("env", "build", str(model), "--cache-dir", cache).strip()
        )
        assert [_asked(endpoint, *case) for case in _CASES] == _oracle(executable, model)
    assert endpoint.process.pid == server
    assert endpoint.process.poll() is None


def _asked(endpoint: Endpoint, content_type: str, body: str) -> Any:
    headers = {"content-type": content_type}
    answer = endpoint.ask(content=body.encode(), headers=headers)
    return _comparable(answer.status_code, answer.text)


def _oracle(executable: str, model: Path) -> list[Any]:
    child = subprocess.run(
        [executable, "-c", _ORACLE, str(model)],
        input=json.dumps(_CASES),
        env=environment(PYTHONHASHSEED="0"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )
    return [_comparable(*answer) for answer in json.loads(child.stdout.splitlines()[-1])]


def _comparable(status: int, text: str) -> Any:
    """Leave out where in a file an error was raised, and the order of a set in a message."""
    try:
        document = json.loads(text)
    except ValueError:
        return status, text
    if isinstance(document, dict) and "error_code" in document:
        document.pop("stack_trace", None)
        document["message"] = sorted(document["message"])
    return status, document


def _pelton(*arguments: str) -> str:
    child = subprocess.run(
        [sys.executable, "-m", "pelton", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout
