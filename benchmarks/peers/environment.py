"""A peer's own Python environment, made on first use and kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.models.cache import CACHE

_INSTALL_LIMIT_S: Final = 1800
# What the measured models need, in the versions that saved them.
_MODEL_PACKAGES: Final = ("mlflow", "scikit-learn", "lightgbm", "pandas", "numpy")


class Environment:
    """A virtual environment of its own for one peer.

    Args:
        name: of the peer.
        requirements: what to install beside the models' own packages.
        python: interpreter to make it with.
        free: packages of the models whose versions the peer decides.
    """

    def __init__(
        self,
        name: str,
        requirements: tuple[str, ...],
        *,
        python: str = sys.executable,
        free: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self._requirements = requirements
        self._python = python
        self._free = free
        self.folder = CACHE / "peers" / name

    @property
    def bin(self) -> Path:
        """Folder of its programs."""
        return self.folder / "bin"

    def problem(self) -> str | None:
        """Make it unless it is there; return why that is not possible here, or ``None``."""
        if (self.folder / "complete").is_file():
            return None
        if shutil.which(self._python) is None:
            return f"needs {self._python}"
        log = self.folder.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            with log.open("wb") as output:
                for command in (
                    [self._python, "-m", "venv", str(self.folder)],
                    [str(self.bin / "pip"), "install", "--quiet", *self._wanted()],
                ):
                    subprocess.run(
                        command, check=True, stdout=output, stderr=output, timeout=_INSTALL_LIMIT_S
                    )
        except (subprocess.SubprocessError, OSError):
            lines = [x for x in log.read_text(errors="replace").splitlines() if "ERROR" in x]
            return f"does not install: {(lines or ['see ' + str(log)])[-1][:200]}"
        (self.folder / "complete").touch()
        return None

    def version(self, package: str) -> str:
        """Return the version of a package installed in it."""
        done = subprocess.run(
            [
                str(self.bin / "python"),
                "-c",
                f"from importlib.metadata import version; print(version({package!r}))",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def _wanted(self) -> list[str]:
        fixed = [f"{p}=={metadata.version(p)}" for p in _MODEL_PACKAGES if p not in self._free]
        # Without the local version ("+cpu"), which the registry does not know.
        torch = f"torch=={metadata.version('torch').partition('+')[0]}"
        return [*self._requirements, *fixed, *self._free, torch]
