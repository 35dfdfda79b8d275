"""The interpreter that a model's workers run with."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pelton.environment.artifacts import LocalModel
from pelton.environment.build import ENVIRONMENT, build_environment
from pelton.environment.cache import Cache, Lease, Writer
from pelton.environment.interpreters import find_python
from pelton.environment.key import environment_key
from pelton.environment.satisfied import shortcomings
from pelton.environment.spec import EnvironmentSpec, read_spec
from pelton.environment.uv import find_uv
from pelton.errors import EnvironmentError_

Mode = Literal["auto", "local", "isolated"]


@dataclass(frozen=True)
class Interpreter:
    """A Python with a model's requirements.

    Attributes:
        python: the executable, to be started without the server's ``PYTHON*`` variables.
        reason: why this one, for people.
        key: of the environment in the cache; ``None`` for the running one.
        isolated: built for the model, apart from the server's.
        notes: what was done that the model's files do not say, for the log.
        lease: keeps the environment from being pruned for as long as this object lives.
    """

    python: Path
    reason: str
    key: str | None
    isolated: bool
    notes: tuple[str, ...] = ()
    lease: Lease | None = field(default=None, repr=False, compare=False)


def environments(cache_dir: Path) -> Cache:
    """Return the cache of environments, to list and prune."""
    # Absolute, as uv runs in another directory.
    return Cache(cache_dir.expanduser().absolute() / "envs")


async def prepare(
    model: LocalModel,
    *,
    mode: Mode,
    cache_dir: Path,
    on_progress: Callable[[str], None],
    overrides: Sequence[str] = (),
    any_index: bool = False,
    or_local: bool = False,
) -> Interpreter:
    """Find or build the environment that a model is to be served in.

    Args:
        mode: ``local``, the running one, whatever it has; ``isolated``, one built for the model;
            ``auto``, the running one if it has exactly what the model was logged with, else an
            isolated one.
        overrides: requirements that count before the model's own.
        any_index: file a new one so that it is found whatever the package index is set to later:
            an image runs without the settings that it was built with.
        or_local: with ``auto``, take the running environment if the model's own cannot be built
            (no network, say), and say so; where nothing serves yet, that is better than nothing.

    Raises:
        EnvironmentError_: naming the line at fault and the next step. If cancelled, the processes
            that build are killed and what they wrote is removed.
    """
    if mode == "local":
        return await _local(model, overrides)
    if mode == "auto" and or_local:
        try:
            return await prepare(
                model, mode=mode, cache_dir=cache_dir, on_progress=on_progress, overrides=overrides
            )
        except EnvironmentError_ as error:
            return _instead(error)
    spec = await asyncio.to_thread(read_spec, model.path, model.mlmodel)
    missing: list[str] = []
    if mode == "auto":
        missing = await asyncio.to_thread(shortcomings, spec, overrides)
        if not missing:
            reason = "the current environment has exactly what the model was logged with"
            return Interpreter(Path(sys.executable), reason, None, isolated=False)
    on_progress("isolated: " + (_summary(missing) if missing else "as asked"))
    return await _isolated(spec, cache_dir, on_progress, overrides, missing, any_index)


def _instead(error: EnvironmentError_) -> Interpreter:
    """Take the running environment because the model's own cannot be built."""
    return Interpreter(
        Path(sys.executable),
        "the current environment, as the model's own cannot be built",
        None,
        False,
        (
            str(error),
            "serving in the current environment instead, which is not what the model was logged"
            " with: answers may differ; --env isolated refuses, --env local takes it without a try",
        ),
    )


async def _local(model: LocalModel, overrides: Sequence[str]) -> Interpreter:
    """Take the running environment; what it lacks is for the log, not an error."""
    try:
        spec = await asyncio.to_thread(read_spec, model.path, model.mlmodel)
        missing = await asyncio.to_thread(shortcomings, spec, overrides)
    except EnvironmentError_ as error:
        missing = [str(error)]
    return Interpreter(
        Path(sys.executable), "the current environment, as asked", None, False, tuple(missing)
    )


async def _isolated(
    spec: EnvironmentSpec,
    cache_dir: Path,
    on_progress: Callable[[str], None],
    overrides: Sequence[str],
    missing: Sequence[str],
    any_index: bool,
) -> Interpreter:
    python = await find_python(spec.python)
    uv = find_uv()
    general = await asyncio.to_thread(environment_key, spec, python, overrides, {}, ())
    key = general
    if not any_index:
        key = await asyncio.to_thread(
            environment_key, spec, python, overrides, uv.environment, uv.options
        )

    async def build(writer: Writer) -> None:
        on_progress(f"building an environment with Python {python.text}")
        await build_environment(writer, spec, python, uv, overrides, on_progress)
        writer.facts["any_index"] = any_index

    cache = environments(cache_dir)
    try:
        entry = cache.find(general)
        if entry is None or not entry.facts.get("any_index"):
            entry = await cache.obtain(
                key, build, on_wait=lambda: on_progress("waiting: another process builds it")
            )
    except OSError as error:
        raise EnvironmentError_(
            f"no environment can be built in {cache_dir} ({error.strerror}); check the disk's "
            "space and permissions, or move the cache"
        ) from error
    return Interpreter(
        python=entry.path / ENVIRONMENT / "bin" / "python",
        reason=_summary(missing) if missing else "an isolated environment, as asked",
        key=entry.key,
        isolated=True,
        notes=_notes(spec, python.text),
        lease=entry.lease,
    )


def _summary(missing: Sequence[str]) -> str:
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    return f"the current environment differs: {missing[0]}{more}"


def _notes(spec: EnvironmentSpec, python: str) -> tuple[str, ...]:
    notes = []
    if spec.mlflow is not None:
        notes.append(f"{spec.mlflow} was added, as the model's requirements do not have mlflow")
    if spec.conda_only:
        packages = ", ".join(spec.conda_only)
        notes.append(f"packages of conda are not installed: {packages}; name them as pip has them")
    if spec.python.count(".") == 2 and spec.python != python:
        notes.append(f"the model was logged with Python {spec.python} and runs with {python}")
    return tuple(notes)
