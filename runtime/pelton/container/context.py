"""The context of an image's build: what the Dockerfiles find, and where."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from pelton.container.wheel import write_wheel
from pelton.environment.artifacts import LocalModel
from pelton.environment.spec import EnvironmentSpec, read_spec
from pelton.errors import ConfigError, EnvironmentError_

# Shared libraries that wheels expect of the system; MLflow's own images install the same.
_SYSTEM_PACKAGES: Final = {"lightgbm": "libgomp1", "paddlepaddle": "libgomp1"}
_PYTHON_IMAGE: Final = "docker.io/library/python:{}-slim-bookworm"
_LONG_AGO_S: Final = 315_532_800  # 1980, as in the wheel
_OLDEST_SERVER: Final = (3, 11)
_DEFAULT_PYTHON: Final = "3.12"


def write_context(folder: Path, model: LocalModel, *, gpu: bool) -> dict[str, str]:
    """Write everything that an image of ``model`` is built from.

    Args:
        folder: empty, or not there.
        model: what the image will serve.
        gpu: for GPUs.

    Returns:
        Build arguments.

    Raises:
        ConfigError: the folder is not empty.
        EnvironmentError_: the model's environment files cannot be read, or the disk is full.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; give another folder, or empty it first.")
    spec = read_spec(model.path, model.mlmodel)
    try:
        (folder / "pelton").mkdir(parents=True)
        wheel = write_wheel(folder / "pelton")
        # mlflow-skinny instead of mlflow: models are fetched by the server, and run elsewhere.
        (folder / "pelton" / "requirements.txt").write_text(
            f"/build/pelton/{wheel.name}\nmlflow-skinny>=2.20\n"
        )
        _write_environment(folder / "environment", model, spec)
        for part in ("pelton", "environment"):
            _forget_times(folder / part)
        shutil.copytree(model.path, folder / "model", copy_function=_link_or_copy)
        shutil.copyfile(dockerfile(gpu=gpu), folder / "Dockerfile")
    except OSError as error:
        raise EnvironmentError_(
            f"the build's context cannot be written to {folder} ({error.strerror or error}); make "
            "room there, or set TMPDIR to a larger disk"
        ) from error
    return _arguments(spec, gpu=gpu)


def dockerfile(*, gpu: bool) -> Path:
    """Return the Dockerfile: beside this module in a wheel, at the root of a checkout."""
    name = "Dockerfile.gpu" if gpu else "Dockerfile.cpu"
    here = Path(__file__).resolve()
    installed = here.parent / name
    return installed if installed.is_file() else here.parents[3] / name


def _write_environment(folder: Path, model: LocalModel, spec: EnvironmentSpec) -> None:
    """Write the files that choose packages, and of the others nothing.

    ``MLmodel`` has ids and times that change with each version; a layer must not.
    """
    import yaml  # type: ignore[import-untyped]

    folder.mkdir()
    pyfunc = model.mlmodel.pyfunc
    kept = {key: pyfunc[key] for key in ("env", "loader_module", "python_version") if key in pyfunc}
    document = {"flavors": {"python_function": kept}}
    if model.mlmodel.mlflow_version is not None:
        document["mlflow_version"] = model.mlmodel.mlflow_version  # type: ignore[assignment]
    (folder / "MLmodel").write_text(yaml.safe_dump(document))
    (folder / "python").write_text("{}.{}\n".format(*spec.python_minor))
    declared = [model.path / name for name in model.mlmodel.env_files.values()]
    for path in {*spec.files, *declared}:
        place = folder / os.path.relpath(path, model.path)
        if path.is_file() and place.resolve().is_relative_to(folder.resolve()):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _forget_times(folder: Path) -> None:
    """Give everything one time: some builders find a layer again only if that is the same, too."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))


def _arguments(spec: EnvironmentSpec, *, gpu: bool) -> dict[str, str]:
    names = {line.name for line in spec.lines}
    needed = sorted({package for name, package in _SYSTEM_PACKAGES.items() if name in names})
    arguments = {"SYSTEM_PACKAGES": " ".join(needed)} if needed else {}
    if not gpu:
        # The model's own Python where the server runs on it too: the image then has only one.
        own = spec.python_minor
        version = "{}.{}".format(*own) if own >= _OLDEST_SERVER else _DEFAULT_PYTHON
        arguments["BASE_IMAGE"] = _PYTHON_IMAGE.format(version)
    return arguments


def _link_or_copy(source: str, target: str) -> str:
    """Share the file with the model if they are on one disk; builders only read it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
