"""A worker's first file, under every Python of this machine that a model may need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.interpreters import interpreters

import pelton
from pelton.supervisor.process import _kernels_folder, isolation_flags

PELTON = Path(pelton.__file__).parent
BOOT = PELTON / "worker" / "boot.py"
# Boots as a worker does, up to its arguments, and tells what it can see then.
PROBE = """
import json, runpy, sys
boot, kernels = sys.argv[1:]
sys.argv = [boot, kernels, "--help"]
try:
    runpy.run_path(boot, run_name="__main__")
except SystemExit as exit:
    status = exit.code
import importlib.util
seen = [name for name in ("starlette", "uvicorn", "httptools", "prometheus_client", "main", "loop")
        if name in sys.modules or importlib.util.find_spec(name)]
json.dump({"status": status, "path": sys.path, "seen": seen, "modules": sorted(sys.modules),
           "pelton": sys.modules["pelton"].__file__}, sys.stderr)
"""

each_python = pytest.mark.parametrize(
    "python", list(interpreters().values()), ids=list(interpreters())
)


ENVIRON = {"PATH": "/usr/bin:/bin"}


@each_python
def test_worker_sees_pelton_and_nothing_else_of_the_server(python: Path, tmp_path: Path) -> None:
    command = [str(python), *isolation_flags(python), "-c", PROBE, str(BOOT), _kernels_folder()]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRON, timeout=120
    )
    told = json.loads(done.stderr)
    assert told["status"] == 0
    assert "--channel" in done.stdout
    assert Path(told["pelton"]) == PELTON / "__init__.py"
    assert {"pelton_kernels", "pelton.worker.loop"} <= set(told["modules"])
    assert not {"numpy", "pandas", "mlflow", "asyncio"} & set(told["modules"])
    if python != Path(sys.executable):
        ours = [entry for entry in sys.path if entry.endswith("site-packages")]
        assert not set(ours) & set(told["path"])
        assert told["seen"] == []


@each_python
def test_workers_own_folder_is_not_on_the_path(python: Path, tmp_path: Path) -> None:
    """A model's own module called ``model`` or ``loop`` must not be shadowed by the worker's."""
    (tmp_path / "probe.py").write_text(
        "import runpy, sys\n"
        "sys.argv = [sys.argv[1], sys.argv[2], '--help']\n"
        "sys.path.insert(0, str(__import__('pathlib').Path(sys.argv[0]).parent))\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "for name in ('loop', 'model', 'slot', 'main'):\n"
        "    try:\n"
        "        __import__(name)\n"
        "    except ImportError:\n"
        "        continue\n"
        "    sys.exit(name + ' is importable')\n"
    )
    done = subprocess.run(
        [str(python), str(tmp_path / "probe.py"), str(BOOT), _kernels_folder()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRON,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
