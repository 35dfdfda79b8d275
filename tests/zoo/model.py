"""What a model of the zoo is: a name, where it is made, and what its content depends on."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
_EVERY_MODEL = ("mlflow", "pandas", "numpy")


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue; the function that saves it is ``builders.<builder>.<name>``."""

    name: str
    about: str
    builder: str
    code: str | None = None
    """The file of ``code/`` that holds the model, for models-from-code."""
    ships: tuple[str, ...] = ()
    """Files of ``code/shipped`` that are saved with it, as ``code_paths``."""
    packages: tuple[str, ...] = ()
    """Distributions that the model needs besides mlflow, pandas and numpy."""
    loads: bool = True
    """False for the models whose loading fails, which is what they are for."""

    @property
    def function(self) -> str:
        return self.name.replace("-", "_")

    @property
    def code_path(self) -> Path:
        if self.code is None:
            raise LookupError(f"the catalogue gives {self.name} no code file")
        return HERE / "code" / self.code

    @property
    def code_paths(self) -> list[Path]:
        return [HERE / "code" / "shipped" / name for name in self.ships]

    @property
    def key(self) -> str:
        """Digest of all that decides what is saved: sources and versions."""
        digest = hashlib.sha256(f"{self.name} python {platform.python_version()}".encode())
        for package in (*_EVERY_MODEL, *self.packages):
            digest.update(f" {package} {_version(package)}".encode())
        sources = [HERE / "builders" / f"{self.builder}.py", HERE / "builders" / "saving.py"]
        if self.code is not None:
            sources.append(self.code_path)
        for source in (*sources, *self.code_paths):
            digest.update(_digest(source))
        return digest.hexdigest()[:12]

    @property
    def pip_requirements(self) -> list[str]:
        """Pinned as they are installed here, so that nothing has to be inferred at save time."""
        return [
            f"{package}=={_version(package).partition('+')[0]}"
            for package in (*_EVERY_MODEL, *self.packages)
        ]


@cache
def _version(package: str) -> str:
    return version(package)


@cache
def _digest(source: Path) -> bytes:
    return hashlib.sha256(source.read_bytes()).digest()
