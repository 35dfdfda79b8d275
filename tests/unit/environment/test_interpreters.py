"""Which Python is taken, with stand-ins that say they are of some version."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from pelton.environment.interpreters import Python, find_python
from pelton.errors import EnvironmentError_


def _stand_in(path: Path, answer: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def _answer(version: str, executable: Path) -> str:
    return f"""echo '[true, [{version.replace(".", ", ")}], "{executable}"]'"""


def _pyenv(root: Path, version: str) -> Path:
    path = root / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
    return _stand_in(path, _answer(version, path))


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Pythons to be found, beside the running one, are below this directory."""
    root = tmp_path / "pyenv"
    monkeypatch.setenv("PYENV_ROOT", str(root))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    for name in ("CONDA_PREFIX", "CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return root


def _find(wanted: str) -> Python:
    return asyncio.run(find_python(wanted))


def test_the_running_python_is_found_outside_its_virtual_environment() -> None:
    wanted = ".".join(map(str, sys.version_info[:3]))
    found = _find(wanted)
    assert found.text == wanted
    # This may run in a virtual environment: that is not what others are made from.
    assert os.path.realpath(found.executable) == os.path.realpath(sys.executable)
    assert not (found.executable.parent.parent / "pyvenv.cfg").exists()


def test_the_exact_patch_is_preferred_then_the_newest(pyenv: Path) -> None:
    paths = {version: _pyenv(pyenv, version) for version in ("3.99.1", "3.99.10", "3.99.9")}
    assert _find("3.99.9") == Python(paths["3.99.9"], (3, 99, 9))
    assert _find("3.99.4") == Python(paths["3.99.10"], (3, 99, 10))
    assert _find("3.99") == Python(paths["3.99.10"], (3, 99, 10))


def test_uvs_own_and_path_are_looked_at(pyenv: Path, tmp_path: Path) -> None:
    managed = tmp_path / "uv" / "cpython-3.98.2-linux" / "bin" / "python3.98"
    _stand_in(managed, _answer("3.98.2", managed))
    on_path = tmp_path / "bin" / "python3.97"
    _stand_in(on_path, _answer("3.97.0", on_path))
    assert _find("3.98.2").executable == managed
    assert _find("3.97.1").executable == on_path


@pytest.mark.parametrize(
    "answer",
    [
        "echo 'pyenv: python3.99: command not found' >&2; exit 127",
        "echo not json",
        """echo '[false, [3, 99, 1], "/a/pypy"]'""",
        """echo '[true, [3, 98, 1], "/a/python3.98"]'""",
    ],
)
def test_shims_and_other_kinds_are_passed_over(pyenv: Path, tmp_path: Path, answer: str) -> None:
    _stand_in(tmp_path / "bin" / "python3.99", answer)
    with pytest.raises(EnvironmentError_, match=r"no Python 3\.99 was found.*pyenv install 3\.99"):
        _find("3.99.1")
