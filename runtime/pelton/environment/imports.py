"""What a model's own code imports, and whether its requirements provide that."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from pelton import platform
from pelton.errors import EnvironmentError_

# Modules whose package is called otherwise, of those that models use most.
_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "databricks": ("databricks-sdk", "databricks-connect", "databricks-agents"),
    "dateutil": ("python-dateutil",),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "fitz": ("pymupdf",),
    "google": ("protobuf", "google-auth", "google-cloud-storage"),
    "jwt": ("pyjwt",),
    "lightning": ("lightning", "pytorch-lightning"),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "PIL": ("pillow",),
    "psycopg2": ("psycopg2", "psycopg2-binary"),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel"),
    "yaml": ("pyyaml",),
}
# Of Python's standard library once, and imported by old pickles.
_BUILT_IN: Final = sys.stdlib_module_names | {"__builtin__", "__main__", "copy_reg", "distutils"}
_LIST_MODULES: Final = """
import importlib.metadata, json, pkgutil, sys
names = {module.name for module in pkgutil.iter_modules()} | set(sys.stdlib_module_names)
print(json.dumps(sorted(names | set(importlib.metadata.packages_distributions()))))
"""


@dataclass(frozen=True)
class Import:
    """A top-level module that is imported, and where: ``code/train.py line 3``."""

    module: str
    where: str


def read_imports(directory: Path, sources: Iterable[Path]) -> Iterator[Import]:
    """Yield what the sources import without a guard, one of each module and file.

    Imports for type checkers only, or whose failure is caught, are optional and left out.

    Args:
        directory: the model's; names in messages are relative to it.
    """
    for path in sources:
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # for another Python, perhaps: loading will say so
        seen: set[str] = set()
        for module, line in _modules(tree.body):
            if module not in seen:
                seen.add(module)
                yield Import(module, f"{path.relative_to(directory)} line {line}")


def own_modules(folder: Path) -> set[str]:
    """Return the names that a model's code directory defines."""
    if not folder.is_dir():
        return set()
    return {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}


async def importable_modules(python: Path) -> frozenset[str]:
    """Ask an environment's interpreter for the top-level modules that it has."""
    child = await asyncio.create_subprocess_exec(
        *(os.fspath(python), "-I", "-c", _LIST_MODULES), stdout=asyncio.subprocess.PIPE
    )
    platform.send_away(child.pid)
    try:
        output, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if child.returncode != 0:
        raise EnvironmentError_(f"{python} does not run (exit code {child.returncode})")
    return frozenset(json.loads(output))


def unprovided(
    modules: Iterable[str], packages: Collection[str], importable: Collection[str] | None
) -> set[str]:
    """Return the modules that an environment would lack.

    Args:
        packages: normalised names of the packages that the requirements name.
        importable: the modules that the environment really has, if it is known; without it the
            packages' own requirements are followed as far as they are installed here.
    """
    wanted = set(modules) - _BUILT_IN
    if importable is not None:
        return wanted - set(importable)
    provided = _with_dependencies(frozenset(packages))
    return {module for module in wanted if not _packages_of(module) & provided}


def _modules(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module.partition(".")[0], node.lineno
        elif isinstance(node, ast.Try):
            guarded = any(_catches_import_error(handler) for handler in node.handlers)
            yield from _modules(([] if guarded else node.body) + node.orelse + node.finalbody)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _modules(node.orelse)
        else:
            inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)]
            yield from _modules(inner)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    caught = "" if handler.type is None else ast.unparse(handler.type)
    return not caught or any(
        name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception")
    )


def _packages_of(module: str) -> set[str]:
    from packaging.utils import canonicalize_name

    names = (*_installed_here().get(module, ()), *_PACKAGES.get(module, ()), module)
    return {canonicalize_name(name) for name in names}


@cache
def _installed_here() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


@cache
def _with_dependencies(packages: frozenset[str]) -> frozenset[str]:
    """Add what the packages require, and so on, as far as they are installed here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return frozenset(found)
