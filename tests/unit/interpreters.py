"""The Python interpreters of this machine that a worker may have to run in."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

SUPPORTED = [(3, minor) for minor in range(10, 14)]


@cache
def interpreters() -> dict[str, Path]:
    """Return an interpreter for each supported version that is here; the running one always."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {own: Path(sys.executable)}
    for major, minor in SUPPORTED:
        version = f"{major}.{minor}"
        candidates = sorted(
            glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python"))
        )
        candidates += glob.glob(
            os.path.expanduser(f"~/.local/share/uv/python/cpython-{version}.*/bin/python{version}")
        )
        named = shutil.which(f"python{version}")
        for candidate in [*candidates, *([named] if named else [])]:
            if version not in found and _is_version(candidate, version):
                found[version] = Path(candidate)
    return found


def _is_version(python: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version
