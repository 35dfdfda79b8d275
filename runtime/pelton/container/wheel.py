"""A wheel of the pelton that is running, wherever it was installed from.

A wheel is a zip file with three more files in it: that needs no build tool and no network. The same
sources give the same bytes, so that an image's layer of them is found again. A kernel that was
compiled for this machine goes along; where it cannot be loaded, pelton runs without it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from pelton import __version__

_PACKAGES: Final = ("pelton", "pelton_kernels")
_LEFT_OUT: Final = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache"})
_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: pelton\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ENTRY_POINTS: Final = "[console_scripts]\npelton = pelton.cli:main\n"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """Write the wheel into ``folder`` and return its path."""
    name = f"pelton-{__version__}"
    info = f"{name}.dist-info"
    files = dict(_sources())
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/entry_points.txt"] = _ENTRY_POINTS.encode()
    record = "".join(f"{path},{_digest(content)}\n" for path, content in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path, _EPOCH)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return wheel


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in root.rglob("*"):
            inside = path.relative_to(root)
            if path.is_file() and not _LEFT_OUT & set(inside.parts):
                yield f"{package}/{inside.as_posix()}", path.read_bytes()


def _metadata() -> str:
    lines = ["Metadata-Version: 2.1", "Name: pelton", f"Version: {__version__}"]
    lines.append(f"Requires-Python: {metadata.metadata('pelton')['Requires-Python']}")
    needed = metadata.requires("pelton") or ()
    lines += [f"Requires-Dist: {text}" for text in needed if "extra ==" not in text]
    return "\n".join(lines) + "\n"


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(content)}"
