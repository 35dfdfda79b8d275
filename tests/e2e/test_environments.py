"""One server, models of several environments in turn, without a restart.

Each is served with the Python and the packages that it was logged with, which it answers itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import environment
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
        return [" ".join(where)] * len(model_input)
"""
_REQUEST = {"dataframe_records": [{"x": 1.0}]}


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
    assert _said(endpoint) == [here, mlflow, "1.7.2"]
    for model, python, versions in (
        (oldest_python, "3.10", ["3.1.4", "1.16.0"]),
        (old_mlflow, "3.12", ["2.22.5", "1.16.0"]),
        (only_code, here, [mlflow, metadata.version("pandas")]),
    ):
        _pelton("reload", "--url", endpoint.url, "--wait", str(model))
        said = _said(endpoint)
        assert said[0].startswith(python)
        assert said[1:] == versions
    assert endpoint.process.pid == server
    assert endpoint.process.poll() is None


def _said(endpoint: Any) -> list[str]:
    answer = endpoint.ask(_REQUEST)
    assert answer.status_code == 200, answer.text
    (text,) = answer.json()["predictions"]
    return list(text.split())


def _pelton(*arguments: str) -> None:
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
