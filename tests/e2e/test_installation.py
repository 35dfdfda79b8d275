"""What an installation compiles, and that it does without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = ("pelton_kernels/libjson_lists.so", "pelton/compiled/core.abi3.so")
READ = (
    "from pelton_kernels import json_lists; print(json_lists.read(b'[[1.5]]', 0));"
    "from pelton.compiled import core; print(core is not None)"
)


def built(folder: Path, compiler: str) -> Path:
    """Build a wheel from a copy of the checkout, and unpack it."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("runtime", "kernels"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for path in ROOT.glob("Dockerfile.*"):
        shutil.copy(path, source / path.name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run(
        [*command, str(source)], env={**os.environ, "CC": compiler}, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return wheel


def said(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {READ}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="no C compiler, or no headers of Python",
)
def test_a_wheel_has_what_is_compiled_and_says_for_which_machine(tmp_path: Path) -> None:
    wheel = built(tmp_path, "cc")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    assert all((tmp_path / "installed" / library).is_file() for library in LIBRARIES)
    assert said(tmp_path / "installed") == "(array([[1.5]]), 7)\nTrue"


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_without_a_compiler_the_wheel_is_for_any_machine(tmp_path: Path, compiler: str) -> None:
    wheel = built(tmp_path, compiler)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not any((tmp_path / "installed" / library).exists() for library in LIBRARIES)
    assert said(tmp_path / "installed") == "None\nFalse"
