"""The context of a build, and the wheel in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from tests.integration.validation.logged import mlmodel, requirements, write

from pelton import __version__
from pelton.container.context import dockerfile, write_context
from pelton.container.wheel import write_wheel
from pelton.environment.artifacts import LocalModel
from pelton.environment.mlmodel import read_mlmodel
from pelton.environment.spec import read_spec
from pelton.errors import ConfigError


def _model(folder: Path, changes: dict[str, Any] | None = None) -> LocalModel:
    path = write(folder, changes)
    return LocalModel(path, str(path), str(path), None, None, None, read_mlmodel(path))


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_version_changes_the_model_only(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_context(first, _model(tmp_path / "v1"), gpu=False)
    changes = mlmodel(model_uuid="1" * 32, run_id="2") | {"code/doubling.py": "changed = True\n"}
    write_context(second, _model(tmp_path / "v2", changes), gpu=False)

    before, after = _files(first), _files(second)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"model/MLmodel", "model/code/doubling.py"}


def test_the_environments_files_mean_the_same(tmp_path: Path) -> None:
    model = _model(
        tmp_path / "model",
        requirements("-c constraints.txt\nwheels/own-1-py3-none-any.whl")
        | {"constraints.txt": "six==1.16.0\n", "wheels/own-1-py3-none-any.whl": b"a wheel"},
    )
    write_context(tmp_path / "context", model, gpu=False)

    copy = tmp_path / "context" / "environment"
    original, copied = read_spec(model.path, model.mlmodel), read_spec(copy, read_mlmodel(copy))
    assert [line.text for line in original.lines] == [line.text for line in copied.lines]
    assert {path.relative_to(model.path) for path in original.files} == {
        path.relative_to(copy) for path in copied.files
    }
    assert (original.python, original.mlflow) == (copied.python, copied.mlflow)


@pytest.mark.parametrize(
    ("python", "base"), [("3.10.13", "3.12"), ("3.11.7", "3.11"), ("3.13.0", "3.13")]
)
def test_the_base_has_the_models_python_if_the_server_runs_on_it(
    python: str, base: str, tmp_path: Path
) -> None:
    environment = {"python": python, "dependencies": ["-r requirements.txt"]}
    model = _model(tmp_path / "model", {"python_env.yaml": yaml.safe_dump(environment)})
    arguments = write_context(tmp_path / "context", model, gpu=False)
    assert arguments == {"BASE_IMAGE": f"docker.io/library/python:{base}-slim-bookworm"}
    assert (tmp_path / "context/environment/python").read_text().strip() == python.rpartition(".")[
        0
    ]


def test_libraries_of_the_system(tmp_path: Path) -> None:
    model = _model(tmp_path / "model", requirements("lightgbm==4.5.0"))
    assert write_context(tmp_path / "gpu", model, gpu=True) == {"SYSTEM_PACKAGES": "libgomp1"}
    assert "nvidia/cuda" in (tmp_path / "gpu" / "Dockerfile").read_text()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not empty"):
        write_context(tmp_path, _model(tmp_path / "model"), gpu=False)


def test_the_wheel_is_the_running_pelton_and_always_the_same(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    content = wheel.read_bytes()
    assert write_wheel(tmp_path).read_bytes() == content
    said = subprocess.run(
        [sys.executable, "-S", "-c", "import pelton, pelton_kernels; print(pelton.__version__)"],
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == __version__
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"pelton-{__version__}.dist-info/METADATA").decode()
    assert "pelton/py.typed" in names or "pelton/__main__.py" in names
    assert not [name for name in names if "__pycache__" in name]
    assert "Requires-Dist: starlette" in metadata


def test_both_dockerfiles_end_alike() -> None:
    """What users of one know of an image is true of the other."""
    ends = [
        [line for line in dockerfile(gpu=gpu).read_text().splitlines() if line.startswith(words)]
        for gpu in (False, True)
        for words in [("COPY", "USER", "WORKDIR", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD")]
    ]
    assert ends[0] == ends[1]
    assert ends[0][-1] == "COPY model/ /opt/ml/model/"
