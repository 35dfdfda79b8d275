"""Optional libraries of the fast path, lent to a model's own environment.

A model's environment need not have them. They are compiled for one Python version, so they are
lent to the same version only: a folder with links to nothing but them is appended to the
worker's path, behind whatever the model's own environment has.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

_MODULES = ("orjson",)


def lend(cache_dir: Path) -> Path | None:
    """Return a folder with the accelerators of this Python; ``None`` if it cannot be made.

    Its name ends with the tag of the Python they are for, which the worker compares with its own.
    """
    folder = cache_dir / f"accelerators-{tag()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _MODULES:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                continue
            origin = Path(spec.origin)
            # A package is a folder, a single extension module a file.
            source = origin.parent if spec.submodule_search_locations else origin
            _link(folder / source.name, source)
    except OSError:
        return None
    return folder


def tag() -> str:
    """Return what compiled modules of this Python are for, as ``cp311``."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}"


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(target)
    fresh.replace(link)
