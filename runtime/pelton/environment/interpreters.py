"""Finding a Python of the version a model was logged with."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pelton.errors import EnvironmentError_

# One that does not answer at once is a shim without its Python, or a broken one.
_PROBE_LIMIT_S: Final = 60.0
_PROBE: Final = """
import json, sys, sysconfig
print(json.dumps([
    sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    list(sys.version_info[:3]),
    getattr(sys, "_base_executable", None) or sys.executable,
]))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter that environments can be made from.

    Attributes:
        executable: never inside a virtual environment.
        version: such as ``(3, 11, 7)``.
    """

    executable: Path
    version: tuple[int, int, int]

    @property
    def text(self) -> str:
        """``3.11.7``."""
        return ".".join(map(str, self.version))


async def find_python(wanted: str) -> Python:
    """Find a Python of the same ``X.Y`` as ``wanted``, preferably of the same ``X.Y.Z``.

    Looks at the running one, pyenv's, uv's and conda's, then at PATH. Nothing is installed.

    Raises:
        EnvironmentError_: there is none; the message says how to get one.
    """
    major, minor = (int(part) for part in wanted.split(".")[:2])
    best: Python | None = None
    for executable in _candidates(major, minor):
        found = await _probe(executable)
        if found is None or found.version[:2] != (major, minor):
            continue
        if found.text == wanted:
            return found
        # The running one comes first and is known to work; of the others the newest patch.
        best = best or found
    if best is not None:
        return best
    short = f"{major}.{minor}"
    raise EnvironmentError_(
        f"the model was logged with Python {wanted}, and no Python {short} was found here (looked "
        f"at the running one, pyenv's, uv's, conda's and PATH); install it, e.g. "
        f"`uv python install {short}`, `pyenv install {short}` or `apt-get install python{short}`"
    )


def _candidates(major: int, minor: int) -> Iterator[Path]:
    """Yield executables that may be of that version, without duplicates."""
    seen: set[Path] = set()
    for path in _places(major, minor):
        real = path.resolve()
        if real not in seen and os.access(real, os.X_OK):
            seen.add(real)
            yield path


def _places(major: int, minor: int) -> Iterator[Path]:
    short = f"{major}.{minor}"
    if sys.version_info[:2] == (major, minor):
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from _newest_first(pyenv / "versions", f"{short}.*/bin/python{short}")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from _newest_first(managed, f"cpython-{short}.*/bin/python{short}")
    for conda in ("CONDA_PREFIX", "CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        if prefix := os.environ.get(conda):
            yield Path(prefix) / "bin" / f"python{short}"
            yield from _newest_first(Path(prefix), f"envs/*/bin/python{short}")
    if found := shutil.which(f"python{short}"):
        yield Path(found)
    for folder in ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"):
        yield Path(folder) / f"python{short}"


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    def numbers(path: Path) -> list[int]:
        text = "".join(each if each.isdigit() else " " for each in str(path))
        return [int(part) for part in text.split()]

    return sorted(folder.glob(pattern), key=numbers, reverse=True)


async def _probe(executable: Path) -> Python | None:
    """Ask an executable what it is; ``None`` if it does not say, or is of another kind."""
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        child = await asyncio.create_subprocess_exec(
            *(os.fspath(executable), "-I", "-S", "-c", _PROBE),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_PROBE_LIMIT_S):
                output, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await asyncio.shield(child.wait())
        usable, version, base = json.loads(output)
        if usable:
            return Python(Path(base), (version[0], version[1], version[2]))
    return None
