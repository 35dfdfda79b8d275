"""Does an environment have what a model was logged with, exactly?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Final

from pelton.environment.requirement import Line, parse_lines
from pelton.environment.spec import EnvironmentSpec

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Distributions = Callable[[str], metadata.Distribution]

OLDEST_MLFLOW: Final = "2.20"


def shortcomings(
    spec: EnvironmentSpec,
    overrides: Sequence[str] = (),
    *,
    python: tuple[int, int] = sys.version_info[:2],
    distribution: Distributions = metadata.distribution,
) -> list[str]:
    """Return, one sentence each, why the running environment does not do for a model.

    An empty list means that every requirement is met as it was logged, by what is installed here.
    """
    found = []
    if python != spec.python_minor:
        found.append(f"the model wants Python {spec.python}, this is {python[0]}.{python[1]}")
    lines = effective_lines(spec, overrides)
    if spec.mlflow is not None:
        lines.append(Line(spec.mlflow, "added", 1))
    for line in lines:
        reason = _unmet(line, distribution)
        if reason is not None:
            found.append(f"{line.where}: {reason}")
    reason = _unmet(Line(f"mlflow>={OLDEST_MLFLOW}", "", 0), distribution)
    if reason is not None:
        found.append(f"pelton needs mlflow {OLDEST_MLFLOW} or newer: {reason}")
    return found


def effective_lines(spec: EnvironmentSpec, overrides: Sequence[str]) -> list[Line]:
    """Return the requirements with the overrides in the place of what they override."""
    instead = list(parse_lines(overrides, "--override"))
    names = {line.name for line in instead} - {None}
    return [line for line in spec.lines if line.name not in names] + instead


def _unmet(line: Line, distribution: Distributions) -> str | None:
    """Say why the line is not met, or ``None``."""
    if line.is_option:
        return None  # where to look for packages, not which
    requirement = line.requirement
    if requirement is None or requirement.url is not None:
        return None if line.constraint else "a path or URL: what is installed cannot be compared"
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    return _unmet_requirement(requirement, distribution, constraint=line.constraint)


def _unmet_requirement(
    requirement: Requirement, distribution: Distributions, *, constraint: bool = False
) -> str | None:
    try:
        installed = distribution(requirement.name)
    except metadata.PackageNotFoundError:
        return None if constraint else f"{requirement.name} is not installed"
    # A version that is there was installed on purpose, so pre-releases count.
    if not requirement.specifier.contains(installed.version, prereleases=True):
        return f"{requirement.name} {installed.version} is installed"
    for extra in requirement.extras:
        for needed in _needed_by_extra(installed, extra):
            if (reason := _unmet_requirement(needed, distribution)) is not None:
                return f"extra {extra!r}: {reason}"
    return None


def _needed_by_extra(installed: metadata.Distribution, extra: str) -> Iterable[Requirement]:
    from packaging.requirements import Requirement

    for text in installed.requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            continue
        if needed.marker.evaluate({"extra": extra}) and needed.name != installed.name:
            yield needed
