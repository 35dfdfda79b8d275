from pathlib import Path

import pytest

from pelton.environment.mlmodel import read_mlmodel
from pelton.errors import ModelUriError

_FULL = """\
flavors:
  python_function:
    code: code
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    python_version: 3.11.7
  sklearn: {pickled_model: model.pkl}
mlflow_version: 3.1.4
model_id: m-0123
model_uuid: 8c0627d3
run_id: 1d46
saved_input_example_info:
  artifact_path: input_example.json
  serving_input_path: serving_input_example.json
signature: {inputs: '[]'}
"""
_OLD = "flavors: {python_function: {env: conda.yaml, loader_module: mlflow.sklearn}}"


def _model(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "MLmodel").write_text(text)
    return directory


def test_what_decides_serving_is_read(tmp_path: Path) -> None:
    mlmodel = read_mlmodel(_model(tmp_path, _FULL))
    assert mlmodel.flavors == ("python_function", "sklearn")
    assert (mlmodel.python_version, mlmodel.mlflow_version) == ("3.11.7", "3.1.4")
    assert (mlmodel.model_id, mlmodel.model_uuid, mlmodel.run_id) == ("m-0123", "8c0627d3", "1d46")
    assert mlmodel.env_files == {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    assert mlmodel.code == "code"
    assert mlmodel.has_signature
    assert mlmodel.input_example == "input_example.json"
    assert mlmodel.serving_input_example == "serving_input_example.json"
    assert mlmodel.pyfunc["loader_module"] == mlmodel.loader_module == "mlflow.sklearn"


def test_files_of_old_mlflow_are_read(tmp_path: Path) -> None:
    mlmodel = read_mlmodel(_model(tmp_path, _OLD))
    assert mlmodel.env_files == {"conda": "conda.yaml"}
    assert not mlmodel.has_signature
    assert mlmodel.mlflow_version is mlmodel.python_version is mlmodel.input_example is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no flavors"),
        ("- a list", "names no flavors"),
        ("artifact_path: model\n", "names no flavors"),
        ("flavors: {crate: {version: 1}}", r"no python_function flavor \(it has: crate\)"),
        ("flavors: {python_function: {env: x}}", "no loader_module"),
        ("flavors: {python_function: [", "not readable YAML"),
        (_FULL[:-4], "not readable YAML"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ModelUriError, match=reason) as caught:
        read_mlmodel(_model(tmp_path, text))
    assert str(tmp_path / "MLmodel") in str(caught.value)


def test_a_binary_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_bytes(b"\x80\x04\xff")
    with pytest.raises(ModelUriError, match="not readable YAML"):
        read_mlmodel(tmp_path)


@pytest.mark.parametrize("nested", ["model", "a/artifacts"])
def test_a_directory_above_the_model_is_corrected(tmp_path: Path, nested: str) -> None:
    _model(tmp_path / nested, _FULL)
    with pytest.raises(ModelUriError, match=rf"did you mean {tmp_path / nested}\?"):
        read_mlmodel(tmp_path)


def test_what_is_no_directory_of_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUriError, match="it is not an MLflow model's directory"):
        read_mlmodel(tmp_path)
    with pytest.raises(ModelUriError, match="no such directory"):
        read_mlmodel(tmp_path / "absent")
    _model(tmp_path, _FULL)
    with pytest.raises(ModelUriError, match="is a file; give the directory"):
        read_mlmodel(tmp_path / "MLmodel")
