"""Findings about what a model requires: versions, places, mlflow, conda."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pelton.environment.finding import Finding, Severity, shortened
from pelton.environment.requirement import Line
from pelton.environment.satisfied import OLDEST_MLFLOW
from pelton.environment.spec import EnvironmentSpec

_ANACONDA: Final = re.compile(r"^(defaults|main|r|msys2|anaconda|pkgs/\w+)$|repo\.anaconda\.com")


def find_in_requirements(spec: EnvironmentSpec, lines: Sequence[Line]) -> Iterator[Finding]:
    """Yield what is wrong with the requirements; ``lines`` are they with the overrides in."""
    yield from _requirements(spec, lines)
    yield from _mlflow(spec, lines)
    yield from _conda(spec)


def _requirements(spec: EnvironmentSpec, all_lines: Sequence[Line]) -> Iterator[Finding]:
    lines = [line for line in all_lines if not line.is_option and not line.constraint]
    if not lines:
        yield Finding(
            "REQUIREMENTS_MISSING",
            Severity.ERROR,
            "the model names no requirements at all",
            "log it again with pip_requirements, or `pelton requirements MODEL_URI add ...`",
        )
        return
    pinned = {line.name for line in all_lines if line.constraint and _is_pinned(line)}
    loose = [line for line in lines if line.name not in pinned and not _is_pinned(line)]
    if loose and not spec.lock:
        yield Finding(
            "REQUIREMENT_UNPINNED",
            Severity.WARNING,
            f"not pinned, so that each build may get another version: {_listed(loose)}",
            "pin with `pelton requirements MODEL_URI add NAME==VERSION`, at best to the versions "
            "that the model was trained with",
        )
    local = [line for line in lines if _version_has(line, "+")]
    if local:
        yield Finding(
            "REQUIREMENT_LOCAL_VERSION",
            Severity.WARNING,
            f"local versions, which the common index does not have: {_listed(local)}",
            "take the version without the +label, or name the index that has it (UV_INDEX, or "
            "--extra-index-url in the requirements)",
        )
    dev = [line for line in lines if _version_has(line, ".dev")]
    if dev:
        yield Finding(
            "REQUIREMENT_DEVELOPMENT_VERSION",
            Severity.WARNING,
            f"development versions, which no index keeps: {_listed(dev)}",
            "take a released version: --override NAME==VERSION to try it, then `pelton "
            "requirements MODEL_URI add NAME==VERSION`",
        )
    yield from _unportable(spec.directory, lines)


def _unportable(directory: Path, lines: Sequence[Line]) -> Iterator[Finding]:
    """Requirements that are only there where the model was logged."""
    elsewhere = [line for line in lines if _points_outside(directory, line)]
    if elsewhere:
        yield Finding(
            "REQUIREMENT_PATH",
            Severity.ERROR,
            f"a path that the model does not hold: {_listed(elsewhere)}",
            "put the code into the model with code_paths, or the wheel beside the requirements "
            "(mlflow.models.add_libraries_to_model), and log it again",
        )


def _points_outside(directory: Path, line: Line) -> bool:
    text = line.text.removeprefix("--editable").removeprefix("-e").strip()
    text = text.rpartition(" @ ")[2].split(";")[0].strip()
    if text.startswith("file:"):
        text = text.removeprefix("file:").removeprefix("//")
    elif "://" in text or not ("/" in text or text.startswith(".") or text.endswith(".whl")):
        return False
    path = (directory / text).resolve()
    return directory.resolve() not in (path, *path.parents) or not path.exists()


def _is_pinned(line: Line) -> bool:
    requirement = line.requirement
    if requirement is None or requirement.url is not None:
        return True  # a path, a URL: not a matter of versions
    return any(
        each.operator in ("==", "===") and not each.version.endswith(".*")
        for each in requirement.specifier
    )


def _version_has(line: Line, text: str) -> bool:
    requirement = line.requirement
    return requirement is not None and any(text in each.version for each in requirement.specifier)


def _mlflow(spec: EnvironmentSpec, lines: Sequence[Line]) -> Iterator[Finding]:
    if spec.mlflow is not None:
        yield Finding(
            "MLFLOW_MISSING",
            Severity.WARNING,
            f"the requirements lack mlflow; {spec.mlflow} is added to serve it",
            f"`pelton requirements MODEL_URI add {spec.mlflow}`",
        )
    for line in lines:
        requirement = line.requirement
        if line.name != "mlflow" or requirement is None or not _is_pinned(line):
            continue
        from packaging.version import InvalidVersion, Version

        try:
            release = Version(next(iter(requirement.specifier)).version).release
        except InvalidVersion:
            continue
        if release < Version(OLDEST_MLFLOW).release:
            yield Finding(
                "MLFLOW_TOO_OLD",
                Severity.ERROR,
                f"{line.where}: mlflow {OLDEST_MLFLOW} or newer is needed to serve",
                f'try --override "mlflow>={OLDEST_MLFLOW}", or log the model again',
            )


def _conda(spec: EnvironmentSpec) -> Iterator[Finding]:
    licensed = [each for each in spec.channels if _ANACONDA.search(each)]
    if licensed:
        yield Finding(
            "ANACONDA_CHANNEL",
            Severity.WARNING,
            f"conda.yaml uses Anaconda's channel {', '.join(licensed)}, whose licence wants to be "
            "paid for by larger organisations (MLflow before 1.18 logged it by default)",
            "log the model again with a conda_env whose channels are [conda-forge], or replace the "
            "channel in conda.yaml; pelton itself takes nothing from conda's channels",
        )
    if spec.conda_only:
        yield Finding(
            "CONDA_ONLY_PACKAGE",
            Severity.WARNING,
            f"conda packages are not installed: {', '.join(spec.conda_only)}",
            "name them as pip has them, with `pelton requirements MODEL_URI add ...`; install "
            "system libraries in the image",
        )


def _listed(lines: Iterable[Line]) -> str:
    return shortened([line.where for line in lines])
