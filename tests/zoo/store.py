"""Where built models are kept: ``.cache/zoo/<name>-<key>``, complete or absent.

Models are saved by a child process, because importing mlflow takes seconds and leaves threads and
warnings behind; one child builds all that is missing. A file lock lets one builder work at a time,
so processes that ask for the same model share it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.zoo.catalogue import MODELS

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "zoo"

# Nothing is asked of a package index, and of the output only what explains a failure is left.
_CHILD_ENVIRONMENT = {
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore",
}


class BuildFailed(Exception):
    """The child that saves models failed; the message is its output."""


def build(name: str) -> Path:
    """Directory of the saved model ``name``, built if it is not there yet.

    Raises:
        KeyError: the catalogue has no such model.
        BuildFailed: mlflow could not save it.
    """
    return build_all([name])[name]


def build_all(names: Iterable[str]) -> dict[str, Path]:
    """Directories by name; all that are missing are built in one child process.

    Raises:
        KeyError: the catalogue has no such model.
        BuildFailed: mlflow could not save one of them.
    """
    places = {name: CACHE / f"{name}-{MODELS[name].key}" for name in names}
    if not _missing(places):
        return places
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "lock"):
        if missing := _missing(places):
            _build_in_child(missing)
    return places


def _missing(places: dict[str, Path]) -> dict[str, Path]:
    return {name: place for name, place in places.items() if not place.is_dir()}


def _build_in_child(places: dict[str, Path]) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".building-") as scratch:
        targets = {name: str(Path(scratch, name)) for name in places}
        child = subprocess.run(
            [sys.executable, "-m", "tests.zoo.builders"],
            input=json.dumps(targets),
            cwd=REPOSITORY,
            env={**os.environ, **_CHILD_ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for name, place in places.items():
            if Path(targets[name], "MLmodel").is_file():
                _retire_older(name)
                os.rename(targets[name], place)
        if child.returncode != 0:
            raise BuildFailed(f"saving {', '.join(places)} failed:\n{child.stdout}")


def _retire_older(name: str) -> None:
    """Remove what older sources or versions built, once it is a day old and surely out of use."""
    for path in CACHE.glob(f"{name}-" + "[0-9a-f]" * 12):
        if path.stat().st_mtime < time.time() - 86_400:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
