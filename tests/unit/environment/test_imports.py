from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from pelton.environment.imports import (
    importable_modules,
    own_modules,
    read_imports,
    unprovided,
)
from pelton.errors import EnvironmentError_

_SOURCE = """\
from __future__ import annotations
import os, numpy.linalg as la
from typing import TYPE_CHECKING
from . import sibling
if TYPE_CHECKING:
    import only_for_types
try:
    import fast_json
except ImportError:
    import json as fast_json
try:
    import certain
finally:
    pass

def late():
    with open("x"):
        from sklearn.svm import SVC
"""


def test_imports_are_found_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(_SOURCE)
    found = {each.module: each.where for each in read_imports(tmp_path, [path])}
    assert found["numpy"] == "code.py line 2"
    assert found["sklearn"] == "code.py line 18"
    assert {"certain", "os"} <= found.keys()
    assert not {"only_for_types", "fast_json", "sibling"} & found.keys()


def test_a_source_of_another_python_is_left_to_loading(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("print 'two'")
    assert list(read_imports(tmp_path, [path])) == []


def test_a_models_own_code_is_known(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "module.py").touch()
    assert own_modules(tmp_path) == {"package", "module"}
    assert own_modules(tmp_path / "none") == set()


@pytest.mark.parametrize(
    ("modules", "packages", "lacking"),
    [
        ({"sklearn", "os"}, {"scikit-learn"}, set()),
        ({"sklearn"}, {"pandas"}, {"sklearn"}),
        ({"numpy"}, {"pandas"}, set()),  # by way of pandas
        ({"cv2"}, {"opencv-python-headless"}, set()),
        ({"nowhere_installed"}, {"nowhere-installed"}, set()),
        ({"nowhere_installed"}, set(), {"nowhere_installed"}),
    ],
)
def test_requirements_provide_by_name_and_dependency(
    modules: set[str], packages: set[str], lacking: set[str]
) -> None:
    assert unprovided(modules, packages, None) == lacking


def test_what_the_environment_has_decides_if_known() -> None:
    assert unprovided({"a", "b", "sys"}, {"a", "b"}, {"a"}) == {"b"}


def test_an_interpreter_tells_what_it_has() -> None:
    found = asyncio.run(importable_modules(Path(sys.executable)))
    assert {"mlflow", "yaml", "json", "pytest"} <= found


def test_an_interpreter_that_does_not_run_is_an_error() -> None:
    with pytest.raises(EnvironmentError_, match="does not run"):
        asyncio.run(importable_modules(Path("/bin/false")))
