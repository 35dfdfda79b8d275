"""What a real front end and a real worker have imported."""

from __future__ import annotations

import json
import subprocess
import sys

WEB = {"starlette", "uvicorn", "uvloop", "httptools", "prometheus_client", "h11"}
MODEL = {"mlflow", "pandas", "numpy", "torch", "sklearn", "scipy"}


def _modules(code: str) -> set[str]:
    """Return the top-level modules of a process that has run ``code``."""
    tell = (
        "\nimport json, sys\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + tell],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_front_end_never_imports_model_libraries() -> None:
    """A real one: it listens, looks for a model that is not there, and ends."""
    modules = _modules(
        "import contextlib, io, pelton.cli\n"
        "with contextlib.redirect_stderr(io.StringIO()):\n"
        "    status = pelton.cli.main(['serve', '/no/such/model', '--port', '0'])\n"
        "assert status == 3, status"
    )
    assert {"starlette", "uvicorn", "pelton"} <= modules
    assert not modules & MODEL


def test_worker_never_imports_the_web_stack_though_it_could() -> None:
    """What mlflow itself brings along is left out; a model's own environment may lack the rest."""
    modules = _modules(
        "import sys, mlflow.pyfunc.scoring_server\n"
        "mlflows = set(sys.modules)\n"
        "import pelton.worker.main, pelton.worker.forkserver, pelton.worker.fastpath\n"
        "for name in mlflows - {'sys'}:\n"
        "    del sys.modules[name]"
    )
    assert "pelton" in modules
    assert not modules & WEB


def test_package_root_imports_nothing() -> None:
    bare = _modules("")
    assert _modules("import pelton") - bare <= {"pelton", "__future__"}


def test_command_line_answers_before_it_imports_a_server() -> None:
    modules = _modules(
        "import contextlib, io, pelton.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    pelton.cli.main(['--help'])"
    )
    assert not modules & (WEB | MODEL)
