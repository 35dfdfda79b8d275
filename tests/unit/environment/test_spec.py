from __future__ import annotations

import pytest

from pelton.environment.spec import EnvironmentSpec
from pelton.errors import EnvironmentError_

from .conftest import MakeSpec

_CONDA = """\
channels: [defaults, conda-forge]
dependencies:
- python=3.10.4
- pip=23.1
- conda-forge::libgomp=13
- pip:
  - mlflow==3.1.4
  - six==1.16.0
name: mlflow-env
"""


def _texts(spec: EnvironmentSpec) -> list[str]:
    return [line.text for line in spec.lines]


def _names(spec: EnvironmentSpec) -> set[str]:
    return {str(path.relative_to(spec.directory)) for path in spec.files}


def test_python_env_counts_before_conda(make_spec: MakeSpec) -> None:
    spec = make_spec(conda=_CONDA)
    assert (spec.python, spec.python_minor) == ("3.11.7", (3, 11))
    assert spec.build_dependencies == ("pip==24.0",)
    assert spec.install == ("-r requirements.txt",)
    assert _texts(spec) == ["mlflow==3.1.4", "six==1.16.0"]
    assert spec.channels == ("defaults", "conda-forge")
    assert spec.conda_only == ("conda-forge::libgomp=13",)
    assert spec.mlflow is None
    assert _names(spec) == {"requirements.txt"}


def test_conda_alone_gives_python_and_pip_part(make_spec: MakeSpec) -> None:
    spec = make_spec(conda=_CONDA, python_env=None)
    assert spec.python == "3.10.4"
    assert spec.build_dependencies == ("pip==23.1",)
    assert spec.install == ("mlflow==3.1.4", "six==1.16.0")
    assert [line.where for line in spec.lines] == [
        "conda.yaml line 7: mlflow==3.1.4",
        "conda.yaml line 8: six==1.16.0",
    ]


@pytest.mark.parametrize(
    ("python", "expected"),
    [("python=3.12", "3.12"), ("python>=3.10,<3.12", "3.10"), ("python", "3.11.7")],
)
def test_condas_python_is_a_version(make_spec: MakeSpec, python: str, expected: str) -> None:
    spec = make_spec(conda=f"dependencies: ['{python}', pip: [six]]", python_env=None)
    assert spec.python == expected


def test_a_bare_requirements_file_is_enough(make_spec: MakeSpec) -> None:
    spec = make_spec(python_env=None)
    assert spec.install == ("-r requirements.txt",)
    assert spec.python == "3.11.7"


def test_python_is_text_not_a_number(make_spec: MakeSpec) -> None:
    assert make_spec(python_env="python: 3.10").python_minor == (3, 10)


@pytest.mark.parametrize(
    ("requirements", "added"),
    [
        ("six\n", "mlflow==3.1.4"),
        ("mlflow-skinny==3.0.1\n", "mlflow==3.0.1"),
        ("mlflow[extras]>=2.20\n", None),
        ("wheels/mlflow-3.1.4-py3-none-any.whl\n", None),
    ],
)
def test_mlflow_is_added_where_it_is_missing(
    make_spec: MakeSpec, requirements: str, added: str | None
) -> None:
    assert make_spec(requirements=requirements).mlflow == added


def test_constraints_and_local_files_are_part_of_it(make_spec: MakeSpec) -> None:
    spec = make_spec(
        requirements="-c constraints.txt\n./local-1.0-py3-none-any.whl\nmlflow\n",
        constraints__txt="numpy<2\n",
        **{"local-1__0-py3-none-any__whl": "a wheel"},
    )
    assert (spec.lines[0].text, spec.lines[0].constraint) == ("numpy<2", True)
    assert _names(spec) == {
        "requirements.txt",
        "constraints.txt",
        "local-1.0-py3-none-any.whl",
    }


def test_a_lock_needs_its_project(make_spec: MakeSpec) -> None:
    assert make_spec(uv__lock="version = 1").lock == ()
    spec = make_spec(uv__lock="version = 1", pyproject__toml="[project]")
    assert spec.lock == ("uv.lock", "pyproject.toml")
    assert _names(spec) == {"requirements.txt", "uv.lock", "pyproject.toml"}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"python_env": "python: 3.9.18"}, "models of Python 3.10 to 3.13 are served"),
        ({"python_env": "python: 3.99.0"}, "models of Python 3.10 to 3.13 are served"),
        ({"python_env": "python: eleven"}, "not a version like 3.11"),
        ({"python_env": "python: ["}, "not readable YAML"),
        ({"python_env": "- a list"}, "not a mapping"),
        ({"requirements": None}, "requirements.txt"),
        ({"requirements": "-c nowhere.txt"}, "nowhere.txt"),
    ],
)
def test_malformed_files_are_named(
    make_spec: MakeSpec, files: dict[str, str | None], reason: str
) -> None:
    with pytest.raises(EnvironmentError_, match=reason):
        make_spec(**files)
