"""The shape of the source tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest
from tests.architecture.source import ROOT, SOURCE_ROOTS, tracked
from tests.unit.interpreters import interpreters

MOST_LINES = 400
# Over it, and hardly allowed to grow; whoever splits it takes it out.
LONGER: dict[str, int] = {}
SOURCES = [path for path in tracked("*.py") if any(root in path.parents for root in SOURCE_ROOTS)]
# What a worker imports, in the model's Python.
IN_WORKER = [
    path
    for path in SOURCES
    if re.match(
        r"runtime/pelton/(worker/|channel/|compiled/|errors\.py|platform\.py|__init__\.py)|kernels/",
        path.relative_to(ROOT).as_posix(),
    )
]


def test_there_are_sources_to_look_at() -> None:
    assert len(SOURCES) > 60
    assert len(IN_WORKER) > 20


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: root.name)
def test_source_roots_are_no_packages(root: object) -> None:
    """A package called ``kernels`` would shadow another project's of that name."""
    assert not (ROOT / str(root) / "__init__.py").exists()


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SOURCES
    }
    too_long = {n: lines for n, lines in lengths.items() if lines > LONGER.get(n, MOST_LINES)}
    assert too_long == {}


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"])
def test_nothing_is_put_off(word: str) -> None:
    files = tracked("*.py", "*.md", "*.toml", "Makefile", "Dockerfile*", "*.html", ".ci/*")
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if re.search(rf"\b{word}\b", line)
    ]
    assert found == []


@pytest.mark.parametrize("path", IN_WORKER, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_worker_code_is_python_3_10(path: object) -> None:
    source = (ROOT / str(path)).read_text()
    ast.parse(source, feature_version=(3, 10))


def test_worker_code_compiles_under_every_python_that_is_here() -> None:
    code = "import sys; [compile(open(p).read(), p, 'exec') for p in sys.argv[1:]]"
    for version, python in interpreters().items():
        done = subprocess.run(
            [str(python), "-c", code, *map(str, IN_WORKER)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"Python {version}: {done.stderr}"


def test_contracts_of_the_layers_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
