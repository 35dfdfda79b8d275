"""What a model says about the Python environment it needs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pelton.environment.mlmodel import MLmodel
from pelton.environment.requirement import Line, included, parse_lines, read_lines
from pelton.errors import EnvironmentError_

OLDEST_PYTHON: Final = (3, 10)
NEWEST_PYTHON: Final = (3, 13)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")
_CONDA_PACKAGE: Final = re.compile(r"^(?:[\w\-/.]+::)?(?P<name>[A-Za-z0-9_.\-]+)\s*(?P<rest>.*)$")
# `pip=23.1=build`, which pip writes `pip==23.1`
_CONDA_PIN: Final = re.compile(r"^[\w\-/.:]+\s*=\s*([^=\s]+).*$")
# `-e ./package`, `name @ file:wheels/x.whl`, `file:wheels/x.whl`
_LOCAL_PREFIX: Final = re.compile(r"^(?:-e|--editable)\s*|^(?:[\w.\-\[\],]+\s*@\s*)?file:(?://)?")
_BUILD_PACKAGES: Final = ("pip", "setuptools", "wheel")


@dataclass(frozen=True)
class EnvironmentSpec:
    """The environment as it was logged.

    Attributes:
        directory: the model's.
        python: ``X.Y.Z`` or ``X.Y``.
        install: what is handed to uv as a requirements file, e.g. ``-r requirements.txt``.
        lines: the same with all includes followed.
        build_dependencies: installed first, as MLflow does.
        lock: names of ``uv.lock`` and ``pyproject.toml`` if the model has both, else empty.
        files: all files that the installation reads.
        conda_only: conda packages that pip does not have or that nobody can map to it.
        channels: conda's, of ``conda.yaml``.
        mlflow: a requirement to add because the model's own lack mlflow.
    """

    directory: Path
    python: str
    install: tuple[str, ...]
    lines: tuple[Line, ...]
    build_dependencies: tuple[str, ...]
    lock: tuple[str, ...]
    files: tuple[Path, ...]
    conda_only: tuple[str, ...]
    channels: tuple[str, ...]
    mlflow: str | None

    @property
    def python_minor(self) -> tuple[int, int]:
        """``(3, 11)`` of ``3.11.7``: what has to agree."""
        match = _VERSION.match(self.python)
        assert match is not None, "checked by read_spec"
        return int(match[1]), int(match[2])


def read_spec(directory: Path, mlmodel: MLmodel) -> EnvironmentSpec:
    """Read a model's environment files.

    ``python_env.yaml`` counts before ``conda.yaml``, as with MLflow; a model with neither has its
    ``requirements.txt`` and the Python that logged it.

    Raises:
        EnvironmentError_: a file is missing or malformed, or it asks for a Python that is not
            supported.
    """
    conda = _read_conda(directory, mlmodel)
    try:
        python, build, install, origin = _declared(directory, mlmodel, conda)
        lines: list[Line] = []
        for line in _located(parse_lines(install, origin), directory):
            inclusion = included(line)
            if inclusion is None:
                lines.append(line)
            else:
                lines += read_lines(directory, inclusion[0], constraint=inclusion[1])
    except OSError as error:
        raise EnvironmentError_(
            f"the model's environment files cannot be read ({error.strerror}: {error.filename}); "
            "log the model again, or put the file there"
        ) from None
    _check_python(python, directory)
    lock = tuple(name for name in ("uv.lock", "pyproject.toml") if (directory / name).is_file())
    return EnvironmentSpec(
        directory=directory,
        python=python,
        install=tuple(install),
        lines=tuple(lines),
        build_dependencies=tuple(build),
        lock=lock if len(lock) == 2 else (),
        files=_files(directory, lines, lock),
        conda_only=_conda_only(conda),
        channels=tuple(str(each) for each in conda.get("channels") or ()),
        mlflow=_missing_mlflow(lines, mlmodel),
    )


def _declared(
    directory: Path, mlmodel: MLmodel, conda: Mapping[str, Any]
) -> tuple[str, list[str], list[str], str]:
    """Return the Python, the build dependencies, the requirements, and the file they stand in."""
    fallback = mlmodel.python_version or ".".join(map(str, sys.version_info[:3]))
    virtualenv = mlmodel.env_files.get("virtualenv")
    if virtualenv is not None:
        document = _read_yaml(directory / virtualenv)
        return (
            str(document.get("python") or fallback),
            [str(each) for each in document.get("build_dependencies") or ()],
            [str(each) for each in document.get("dependencies") or ()],
            virtualenv,
        )
    python, build = fallback, []
    pip_lines: list[str] = []
    for name, rest, text in _conda_packages(conda):
        if name == "python":
            found = _VERSION.search(rest)
            python = found[0] if found else fallback
        elif name in _BUILD_PACKAGES:
            build.append(_CONDA_PIN.sub(rf"{name}==\1", text))
    for each in conda.get("dependencies") or ():
        if isinstance(each, dict):
            pip_lines += [str(line) for line in each.get("pip") or ()]
    if not conda and (directory / "requirements.txt").is_file():
        pip_lines = ["-r requirements.txt"]
    return python, build, pip_lines, mlmodel.env_files.get("conda", "requirements.txt")


def _located(lines: Iterable[Line], directory: Path) -> Iterator[Line]:
    """Count the lines of a YAML file as an editor does, not as items of a list."""
    for line in lines:
        path = directory / line.file
        texts = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        numbers = (number for number, text in enumerate(texts, 1) if line.text in text)
        yield replace(line, number=next(numbers, line.number))


def _read_conda(directory: Path, mlmodel: MLmodel) -> Mapping[str, Any]:
    name = mlmodel.env_files.get("conda")
    if name is None or not (directory / name).is_file():
        return {}
    return _read_yaml(directory / name)


def _conda_packages(conda: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, version and whole text of each package that is not in the pip part."""
    texts = [each.strip() for each in conda.get("dependencies") or () if isinstance(each, str)]
    return [
        (match["name"].lower(), match["rest"], text)
        for text in texts
        if (match := _CONDA_PACKAGE.match(text))
    ]


def _conda_only(conda: Mapping[str, Any]) -> tuple[str, ...]:
    built_in = {"python", *_BUILD_PACKAGES}
    return tuple(text for name, _, text in _conda_packages(conda) if name not in built_in)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a mapping, all scalars as text: ``python: 3.10`` is not the number 3.1.

    Raises:
        OSError: it cannot be read.
        EnvironmentError_: it is not YAML, or not a mapping.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentError_(f"{path} is not readable YAML: {reason}") from None
    if not isinstance(document, dict):
        raise EnvironmentError_(f"{path} is not a mapping of names to values; log the model again")
    return document


def _check_python(python: str, directory: Path) -> None:
    match = _VERSION.match(python)
    if match is None:
        raise EnvironmentError_(
            f"the model in {directory} asks for Python {python!r}, which is not a version like 3.11"
        )
    if not OLDEST_PYTHON <= (int(match[1]), int(match[2])) <= NEWEST_PYTHON:
        oldest, newest = ("{}.{}".format(*each) for each in (OLDEST_PYTHON, NEWEST_PYTHON))
        raise EnvironmentError_(
            f"the model in {directory} was logged with Python {python}; models of Python {oldest} "
            f"to {newest} are served: log it again with one of those"
        )


def _missing_mlflow(lines: list[Line], mlmodel: MLmodel) -> str | None:
    """Return the mlflow to add: of the version that logged the model, if that is known."""
    names = {line.name: line for line in lines if not line.constraint}
    if "mlflow" in names:
        return None
    skinny = names.get("mlflow-skinny")
    if skinny is not None and (requirement := skinny.requirement) is not None:
        return f"mlflow{requirement.specifier}"
    return f"mlflow=={mlmodel.mlflow_version}" if mlmodel.mlflow_version else "mlflow"


def _files(directory: Path, lines: list[Line], others: Iterable[str]) -> tuple[Path, ...]:
    """Return what the installation will read: requirement files and local packages."""
    files = {directory / line.file for line in lines} | {directory / name for name in others}
    for line in lines:
        path = directory / _LOCAL_PREFIX.sub("", line.text).split(";")[0].strip()
        if path.is_dir() and not line.is_option:
            files.update(path.rglob("*"))
        else:
            files.add(path)
    return tuple(sorted(path for path in files if path.is_file()))
