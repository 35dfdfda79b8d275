"""Broken models, one fault each, and a good one."""

from __future__ import annotations

import decimal
import pickle
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from pelton.environment.artifacts import LocalModel
from pelton.environment.finding import Finding, Severity
from pelton.environment.findings import find_in_files
from pelton.environment.mlmodel import read_mlmodel


def _good() -> dict[str, Any]:
    """The files of a model that nothing is wrong with."""
    return {
        "MLmodel": {
            "flavors": {
                "python_function": {
                    "code": "code",
                    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                    "loader_module": "mlflow.sklearn",
                    "model_path": "model.pkl",
                    "python_version": "3.11.7",
                }
            },
            "mlflow_version": "3.1.4",
            "saved_input_example_info": {
                "artifact_path": "input_example.json",
                "serving_input_path": "serving_input_example.json",
            },
            "signature": {"inputs": '[{"type": "double"}]', "outputs": None, "params": None},
        },
        "python_env.yaml": {"python": "3.11.7", "dependencies": ["-r requirements.txt"]},
        "conda.yaml": {"channels": ["conda-forge"], "dependencies": ["python=3.11.7"]},
        "requirements.txt": "mlflow==3.1.4\nnumpy==1.26.4\n",
        "code/mine.py": "import numpy\nimport mine_too\nDATA = 'relative/path'\n",
        "code/mine_too.py": "",
        "model.pkl": pickle.dumps([decimal.Decimal(1), "/home/me/train.py"]),
        "input_example.json": "{}",
        "serving_input_example.json": "{}",
    }


def _find(
    directory: Path, files: dict[str, Any], importable: Collection[str] | None = None
) -> list[Finding]:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    mlmodel = read_mlmodel(directory)
    model = LocalModel(directory, str(directory), str(directory), None, None, None, mlmodel)
    return find_in_files(model, importable=importable)


def test_nothing_is_found_in_a_good_model(tmp_path: Path) -> None:
    assert _find(tmp_path, _good()) == []


def _requirements(text: str) -> dict[str, Any]:
    return {"requirements.txt": f"mlflow==3.1.4\nnumpy==1.26.4\n{text}\n"}


def _mlmodel(**changes: Any) -> dict[str, Any]:
    return {"MLmodel": _good()["MLmodel"] | changes}


_BY_REFERENCE = b"c__main__\nScaler\n."  # as pickle writes a class of the training program

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


@pytest.mark.parametrize(
    ("files", "code", "severity", "said"),
    [
        (_requirements("scipy"), "REQUIREMENT_UNPINNED", _WARNING, "requirements.txt line 3: sci"),
        (_requirements("scipy==1.*"), "REQUIREMENT_UNPINNED", _WARNING, "scipy==1.*"),
        (_requirements("torch==2.3+cu121"), "REQUIREMENT_LOCAL_VERSION", _WARNING, "+cu121"),
        (_requirements("a==1.dev3"), "REQUIREMENT_DEVELOPMENT_VERSION", _WARNING, "line 3: a"),
        (_requirements("/home/me/own.whl"), "REQUIREMENT_PATH", _ERROR, "line 3: /home/me"),
        (_requirements("-e ../package"), "REQUIREMENT_PATH", _ERROR, "line 3: -e ../package"),
        (_requirements("own @ file:///x/own.whl"), "REQUIREMENT_PATH", _ERROR, "own @ file"),
        ({"requirements.txt": "numpy==1.26.4"}, "MLFLOW_MISSING", _WARNING, "mlflow==3.1.4 is add"),
        (
            {"requirements.txt": "mlflow==2.9.2\nnumpy==1.26.4"},
            "MLFLOW_TOO_OLD",
            _ERROR,
            "line 1: mlflow==2.9.2",
        ),
        (
            {"conda.yaml": {"channels": ["defaults"], "dependencies": ["python=3.11"]}},
            "ANACONDA_CHANNEL",
            _WARNING,
            "channel defaults",
        ),
        (
            {"conda.yaml": {"channels": ["https://repo.anaconda.com/pkgs/main"]}},
            "ANACONDA_CHANNEL",
            _WARNING,
            "repo.anaconda.com",
        ),
        (
            {"conda.yaml": {"channels": ["conda-forge"], "dependencies": ["libgomp=13"]}},
            "CONDA_ONLY_PACKAGE",
            _WARNING,
            "libgomp=13",
        ),
        (_mlmodel(signature=None), "NO_SIGNATURE", _WARNING, "no signature"),
        (_mlmodel(signature={"inputs": "[{"}), "SIGNATURE_UNREADABLE", _ERROR, "inputs"),
        (_mlmodel(saved_input_example_info=None), "NO_INPUT_EXAMPLE", _WARNING, "no input example"),
        ({"model.pkl": None}, "FILE_MISSING", _ERROR, "model.pkl"),
        ({"input_example.json": None}, "FILE_MISSING", _ERROR, "input_example.json"),
        (
            {"model.pkl": pickle.dumps({"weights": "/home/me/weights.bin"})},
            "ABSOLUTE_PATH",
            _WARNING,
            "model.pkl: /home/me/weights.bin",
        ),
        (
            {"code/mine.py": "import numpy\nWEIGHTS = '/dbfs/team/weights.bin'\n"},
            "ABSOLUTE_PATH",
            _WARNING,
            "code/mine.py line 2: /dbfs/team/weights.bin",
        ),
        (
            {"code/mine.py": "import nowhere_installed\n"},
            "IMPORT_NOT_IN_REQUIREMENTS",
            _WARNING,
            "nowhere_installed (code/mine.py line 1)",
        ),
        (
            {"model.pkl": b"cnowhere_installed\nThing\n."},
            "IMPORT_NOT_IN_REQUIREMENTS",
            _WARNING,
            "nowhere_installed (model.pkl)",
        ),
        (
            {"python_env.yaml": {"python": "3.12.1", "dependencies": ["-r requirements.txt"]}},
            "PICKLE_OF_ANOTHER_PYTHON",
            _ERROR,
            "pickled by Python 3.11.7, to be loaded by Python 3.12.1",
        ),
        ({"model.pkl": _BY_REFERENCE}, "PICKLE_NEEDS_MAIN", _ERROR, "__main__.Scaler"),
        (
            {"python_env.yaml": {"python": "3.8.1"}},
            "ENVIRONMENT_UNREADABLE",
            _ERROR,
            "Python 3.10 to 3.13",
        ),
    ],
)
def test_each_fault_is_found_alone_and_has_a_remedy(
    tmp_path: Path, files: dict[str, Any], code: str, severity: Severity, said: str
) -> None:
    (found,) = _find(tmp_path, _good() | files)
    assert (found.code, found.severity) == (code, severity)
    assert said in found.message
    assert found.remedy
    assert found.as_dict() == {
        "code": code,
        "severity": str(severity),
        "message": found.message,
        "remedy": found.remedy,
    }


def test_a_model_without_requirements_is_an_error(tmp_path: Path) -> None:
    files = _good() | {"python_env.yaml": {"python": "3.11.7"}, "code/mine.py": ""}
    found = {finding.code: finding for finding in _find(tmp_path, files)}
    assert found.keys() == {"REQUIREMENTS_MISSING", "MLFLOW_MISSING"}
    assert found["REQUIREMENTS_MISSING"].severity is Severity.ERROR


@pytest.mark.parametrize(
    "files",
    [
        _requirements("scipy\n-c constraints.txt") | {"constraints.txt": "scipy==1.13.1"},
        _requirements("scipy") | {"uv.lock": "version = 1", "pyproject.toml": "[project]"},
        _requirements("./own-1.0-py3-none-any.whl") | {"own-1.0-py3-none-any.whl": b"a wheel"},
        _requirements("own @ https://example.org/own.whl"),
    ],
)
def test_what_is_fixed_in_another_way_is_no_fault(tmp_path: Path, files: dict[str, Any]) -> None:
    assert _find(tmp_path, _good() | files) == []


def test_what_the_environment_lacks_is_an_error(tmp_path: Path) -> None:
    (found,) = _find(tmp_path, _good(), importable={"mlflow"})
    assert (found.code, found.severity) == ("IMPORT_NOT_IN_REQUIREMENTS", Severity.ERROR)
    assert "numpy (code/mine.py line 1)" in found.message


def test_the_worst_comes_first(tmp_path: Path) -> None:
    files = _good() | _mlmodel(signature=None) | {"model.pkl": _BY_REFERENCE}
    assert [finding.severity for finding in _find(tmp_path, files)] == [_ERROR, _WARNING]


def test_every_code_is_documented() -> None:
    root = Path(__file__).resolve().parents[3]
    package = root / "runtime" / "pelton" / "environment"
    sources = "".join(path.read_text() for path in package.glob("*findings.py"))
    codes = set(re.findall(r'Finding\(\s*"([A-Z_]+)"', sources))
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (root / "docs/environments.md").read_text(), re.M)
    )
    assert codes == documented
    assert len(codes) > 10
