"""Compiles the kernels written in C, if there is a C compiler; pelton runs without them."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCES = (Path("kernels/pelton_kernels/json_lists.c"),)
_FLAGS = ("-std=c11", "-O3", "-shared", "-fPIC", "-Wall", "-Wextra")


class CompileKernels(BuildHookInterface[Any]):
    """Puts a shared library beside each source, for a checkout as for a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel with libraries in it is for this machine's kind only."""
        # Not the module's own name, or Python would take the library for the module.
        libraries = [source.with_name(f"lib{source.stem}.so") for source in _SOURCES]
        for source, library in zip(_SOURCES, libraries, strict=True):
            if not self._compile(Path(self.root) / source, Path(self.root) / library):
                return
        build_data["artifacts"] += map(str, libraries)
        if version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"

    def _compile(self, source: Path, library: Path) -> bool:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        fresh = library.with_suffix(f".{os.getpid()}")  # a running server has the old one mapped
        try:
            subprocess.run(
                [*compiler, *_FLAGS, "-o", str(fresh), str(source)],
                check=True,
                capture_output=True,
                text=True,
            )
            fresh.replace(library)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(
                f"{source.name} could not be compiled, so large requests will be decoded more"
                f" slowly: {said}"
            )
            with contextlib.suppress(OSError):
                library.unlink()
            return False
        return True
