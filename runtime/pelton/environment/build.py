"""Building a model's environment with uv, into an entry of the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pelton.environment.cache import Writer
from pelton.environment.complaint import explain
from pelton.environment.interpreters import Python
from pelton.environment.requirement import parse_lines
from pelton.environment.satisfied import OLDEST_MLFLOW
from pelton.environment.spec import EnvironmentSpec
from pelton.environment.uv import Uv, UvFailed
from pelton.errors import EnvironmentError_

ENVIRONMENT: Final = "env"
_SOURCE: Final = "source"


async def build_environment(
    writer: Writer,
    spec: EnvironmentSpec,
    python: Python,
    uv: Uv,
    overrides: Sequence[str],
    on_progress: Callable[[str], None],
) -> None:
    """Fill an entry of the cache with the environment, in ``<entry>/env``.

    Raises:
        EnvironmentError_: uv cannot build it, or what it built cannot serve a model.
    """
    source = _stage(writer.path / _SOURCE, spec)
    environment = writer.path / ENVIRONMENT
    executable = environment / "bin" / "python"

    async def run(*arguments: str, **extra: str) -> str:
        return await uv.run(
            *arguments, cwd=source, on_progress=on_progress, inherit=[writer.lock_fd], extra=extra
        )

    async def install(name: str, texts: Sequence[str], *options: str) -> None:
        if texts:
            (source / name).write_text("".join(f"{text}\n" for text in texts))
            install_into = ("pip", "install", "--python", os.fspath(executable))
            await run(*install_into, "--requirements", name, *uv.options, *options)

    added = [spec.mlflow] if spec.mlflow else []
    replacing: list[str] = []
    if overrides:
        (source / "pelton-overrides.txt").write_text("".join(f"{each}\n" for each in overrides))
        replacing = ["--overrides", "pelton-overrides.txt"]
    try:
        await run(
            "venv", "--no-project", "--python", os.fspath(python.executable), str(environment)
        )
        await install("pelton-build.txt", spec.build_dependencies)
        if spec.lock:
            await run(
                *("sync", "--frozen", "--no-dev", "--no-install-project", "--inexact"),
                *("--python", os.fspath(executable), *uv.options),
                UV_PROJECT_ENVIRONMENT=os.fspath(environment),
            )
        # On top of a lock too: MLflow exports the lock into the requirements and adds itself there,
        # and `pelton requirements` changes only those.
        every = [*spec.install, *added, *overrides]
        await install("pelton-requirements.txt", every, *replacing)
        listed = await run("pip", "list", "--python", os.fspath(executable), "--format", "json")
    except UvFailed as failure:
        lines = [*spec.lines, *parse_lines(overrides, "--override")]
        build = parse_lines(spec.build_dependencies, "build_dependencies")
        mlflow = parse_lines(added, "added, as the model's requirements lack it,")
        # The staged files are the model's: name them where the user has them.
        said = failure.stderr.replace(os.fspath(source), os.fspath(spec.directory))
        raise EnvironmentError_(explain(said, [*lines, *build, *mlflow])) from None
    packages = {each["name"]: each["version"] for each in json.loads(listed)}
    _check_mlflow(packages)
    writer.facts.update(_facts(spec, python, overrides, packages))


def _stage(source: Path, spec: EnvironmentSpec) -> Path:
    """Make a directory that looks like the model's and can be written to.

    Paths in the requirements (``wheels/x.whl``, ``-c constraints.txt``) are relative to the model,
    which may be mounted read-only.
    """
    source.mkdir()
    for path in spec.directory.iterdir():
        (source / path.name).symlink_to(path)
    return source


def _check_mlflow(packages: dict[str, str]) -> None:
    from packaging.version import Version

    version = packages.get("mlflow")
    if version is None or Version(version).release < Version(OLDEST_MLFLOW).release:
        has = f"has mlflow {version}" if version else "has no mlflow"
        raise EnvironmentError_(
            f"the model's environment {has}, and pelton serves models with mlflow {OLDEST_MLFLOW} "
            f'or newer; try another with --override "mlflow>={OLDEST_MLFLOW}", or log the model '
            "again"
        )


def _facts(
    spec: EnvironmentSpec, python: Python, overrides: Sequence[str], packages: dict[str, str]
) -> dict[str, Any]:
    """What `pelton env list` shows of an environment."""
    return {
        "model": os.fspath(spec.directory),
        "python": python.text,
        "mlflow": packages["mlflow"],
        "requirements": [line.text for line in spec.lines],
        "overrides": list(overrides),
        "packages": packages,
    }
