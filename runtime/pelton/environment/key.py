"""The key of an environment: a hash of everything that decides what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pelton.environment.interpreters import Python
from pelton.environment.spec import EnvironmentSpec

# To be raised when `build` changes what it puts into an environment.
_BUILDER: Final = 1
# Settings of uv's that choose packages; others say how fast, how loud or where to cache.
_CHOOSING: Final = frozenset(
    {
        "UV_BUILD_CONSTRAINT",
        "UV_CONSTRAINT",
        "UV_DEFAULT_INDEX",
        "UV_EXCLUDE",
        "UV_EXCLUDE_NEWER",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_FORK_STRATEGY",
        "UV_INDEX",
        "UV_INDEX_STRATEGY",
        "UV_INDEX_URL",
        "UV_NO_BINARY",
        "UV_NO_SOURCES",
        "UV_OVERRIDE",
        "UV_PRERELEASE",
        "UV_RESOLUTION",
        "UV_TORCH_BACKEND",
    }
)


def environment_key(
    spec: EnvironmentSpec,
    python: Python,
    overrides: Sequence[str],
    uv_environment: Mapping[str, str],
    uv_options: Sequence[str],
) -> str:
    """Return 32 hexadecimal digits; equal keys mean interchangeable environments.

    Unpinned requirements are resolved when the environment is built, and stay so in the cache.
    """
    ingredients = {
        "builder": _BUILDER,
        "python": [python.text, os.path.realpath(python.executable)],
        "platform": [sysconfig.get_platform(), platform.libc_ver()],
        "install": spec.install,
        "build": spec.build_dependencies,
        "mlflow": spec.mlflow,
        "overrides": list(overrides),
        "files": {os.path.relpath(path, spec.directory): _digest(path) for path in spec.files},
        "uv": {name: uv_environment[name] for name in _CHOOSING & uv_environment.keys()},
        "options": list(uv_options),
    }
    text = json.dumps(ingredients, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
