from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from pelton.environment.interpreters import Python
from pelton.environment.key import environment_key

from .conftest import MakeSpec

_PYTHON = Python(Path(sys.executable), (3, 11, 7))


def _key(make_spec: MakeSpec, **changes: Any) -> str:
    arguments = {"python": _PYTHON, "overrides": (), "uv": {}, "options": ()} | changes
    spec_changes = {name: arguments.pop(name) for name in list(arguments) if name not in _ARGUMENTS}
    spec = make_spec(**spec_changes)
    return environment_key(
        spec, arguments["python"], arguments["overrides"], arguments["uv"], arguments["options"]
    )


_ARGUMENTS = {"python", "overrides", "uv", "options"}


def test_the_same_files_elsewhere_have_the_same_key(make_spec: MakeSpec) -> None:
    assert _key(make_spec) == _key(make_spec)
    assert len(_key(make_spec)) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"requirements": "mlflow==3.1.4\nsix==1.17.0\n"},
        {"requirements": "mlflow==3.1.4\n-c c.txt\nsix==1.16.0\n", "c__txt": "six<2"},
        {"python_env": "python: 3.11.7\ndependencies: [-r requirements.txt]"},
        {"uv__lock": "version = 1", "pyproject__toml": "[project]"},
        {"python": dataclasses.replace(_PYTHON, version=(3, 11, 8))},
        {"python": dataclasses.replace(_PYTHON, executable=Path("/opt/python"))},
        {"overrides": ("six==1.17.0",)},
        {"uv": {"UV_INDEX": "https://example.org"}},
        {"uv": {"UV_PRERELEASE": "allow"}},
        {"options": ("--no-index",)},
    ],
)
def test_whatever_chooses_packages_is_in_the_key(
    make_spec: MakeSpec, change: dict[str, Any]
) -> None:
    before = _key(make_spec)
    assert _key(make_spec, **change) != before


def test_a_wheel_of_the_same_name_and_other_content_is_another(make_spec: MakeSpec) -> None:
    files = {"requirements": "mlflow\n./own-1__0-py3-none-any.whl\n".replace("__", ".")}
    first = _key(make_spec, **files, **{"own-1__0-py3-none-any__whl": "one"})
    second = _key(make_spec, **files, **{"own-1__0-py3-none-any__whl": "two"})
    assert first != second


def test_what_chooses_nothing_is_not_in_the_key(make_spec: MakeSpec) -> None:
    assert _key(make_spec) == _key(make_spec, uv={"UV_CACHE_DIR": "/c", "PATH": "/bin"})
