"""Compiles what is written in C, if there is a C compiler; pelton runs without it."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FLAGS = ("-std=c11", "-O3", "-shared", "-fPIC", "-Wall", "-Wextra")
# Its functions are the interpreter's, which has them when it loads the module; one file for every
# Python from 3.10 on.
_MODULE_FLAGS = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()


class Library(NamedTuple):
    """One shared library.

    Attributes:
        path: where it goes, in a checkout and in a wheel's sources.
        sources: what it is compiled of.
        without: what is so without it.
        is_module: whether it is an extension module; a library for ctypes otherwise, which must
            not have its Python module's own name, or Python would take the library for the module.
    """

    path: Path
    sources: tuple[Path, ...]
    without: str
    is_module: bool = False


def libraries(root: Path) -> tuple[Library, ...]:
    """Return what is compiled, of the checkout at ``root``."""
    kernels, compiled = Path("kernels/pelton_kernels"), Path("runtime/pelton/compiled")
    core = tuple(sorted(path.relative_to(root) for path in (root / compiled).glob("*.c")))
    return (
        Library(
            kernels / "libjson_lists.so",
            (kernels / "json_lists.c",),
            "large requests will be decoded more slowly",
        ),
        Library(
            compiled / "core.abi3.so",
            core,
            "small requests will cost the server a quarter more, and `pelton bench` twice as much",
            is_module=True,
        ),
    )


class CompileKernels(BuildHookInterface[Any]):
    """Puts a shared library beside each source, for a checkout as for a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel with libraries in it is for this machine's kind only."""
        root = Path(self.root)
        compiled = [library for library in libraries(root) if self._compile(root, library)]
        build_data["artifacts"] += [str(library.path) for library in compiled]
        if compiled and version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"

    def _compile(self, root: Path, library: Library) -> bool:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        target = root / library.path
        fresh = target.with_suffix(f".{os.getpid()}")  # a running server has the old one mapped
        flags = [*_FLAGS]
        if library.is_module:
            flags += [f"-I{sysconfig.get_path('include')}", *_MODULE_FLAGS]
        try:
            subprocess.run(
                [*compiler, *flags, "-o", str(fresh), *(str(root / s) for s in library.sources)],
                check=True,
                capture_output=True,
                text=True,
            )
            fresh.replace(target)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(
                f"{library.path.name} could not be compiled, so {library.without}: {said}"
            )
            with contextlib.suppress(OSError):
                target.unlink()
            return False
        return True
