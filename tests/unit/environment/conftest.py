from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pelton.environment.mlmodel import read_mlmodel
from pelton.environment.spec import EnvironmentSpec, read_spec

_MLMODEL = """\
flavors:
  python_function:
    env: {env}
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.1.4
"""

MakeSpec = Callable[..., EnvironmentSpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Write the environment files of a model, and read them: ``make_spec(requirements="six")``."""

    def make(
        *,
        requirements: str | None = "mlflow==3.1.4\nsix==1.16.0\n",
        python_env: str | None = (
            "python: 3.11.7\nbuild_dependencies: [pip==24.0]\n"
            "dependencies:\n- -r requirements.txt\n"
        ),
        conda: str | None = None,
        **others: str,
    ) -> EnvironmentSpec:
        env = {
            **({"conda": "conda.yaml"} if conda else {}),
            **({"virtualenv": "python_env.yaml"} if python_env else {}),
        }
        files = {
            "MLmodel": _MLMODEL.format(env=env),
            "requirements.txt": requirements,
            "python_env.yaml": python_env,
            "conda.yaml": conda,
            **{name.replace("__", "."): text for name, text in others.items()},
        }
        for name, text in files.items():
            if text is not None:
                (tmp_path / name).write_text(text)
        return read_spec(tmp_path, read_mlmodel(tmp_path))

    return make
