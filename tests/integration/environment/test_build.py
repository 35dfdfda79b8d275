"""Environments, really built by uv, from a folder of tiny wheels."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from pelton.environment.artifacts import LocalModel, resolve
from pelton.environment.interpreter import Interpreter, environments, prepare
from pelton.errors import EnvironmentError_

from .wheelhouse import source_distribution, wheel

# Only to tell a hanging test from a slow machine.
_LIMIT_S = 300.0
_PYTHON = ".".join(map(str, sys.version_info[:3]))
_MLMODEL = f"""\
flavors:
  python_function:
    env: {{virtualenv: python_env.yaml}}
    loader_module: mlflow.pyfunc.model
    python_version: {_PYTHON}
mlflow_version: 3.0.1
"""
_PYTHON_ENV = f"python: {_PYTHON}\ndependencies: [-r requirements.txt]\n"

MakeModel = Callable[..., LocalModel]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only packages there are: pip's settings say so, which uv is to be told."""
    folder = tmp_path / "wheels"
    for version in ("2.9.2", "3.0.1", "3.1.4"):
        wheel(folder, "mlflow", version, "dough")
    wheel(folder, "dough", "1.0")
    wheel(folder, "dough", "2.0")
    wheel(folder, "oven", "1.0", "dough<2")
    for variable in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", os.fspath(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", os.fspath(tmp_path / "uv-cache"))
    return folder


@pytest.fixture
def make_model(tmp_path: Path, wheels: Path) -> MakeModel:
    def make(requirements: str, **files: str) -> LocalModel:
        directory = tmp_path / "model"
        directory.mkdir(exist_ok=True)
        (directory / "MLmodel").write_text(_MLMODEL)
        (directory / "python_env.yaml").write_text(_PYTHON_ENV)
        (directory / "requirements.txt").write_text(requirements)
        for name, text in files.items():
            (directory / name.replace("__", ".")).write_text(text)
        return asyncio.run(resolve(os.fspath(directory), tmp_path, on_progress=print))

    return make


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Interpreter]:
    def build_it(model: LocalModel, *overrides: str) -> Interpreter:
        return asyncio.run(
            prepare(
                model,
                mode="isolated",
                cache_dir=tmp_path / "cache",
                on_progress=print,
                overrides=overrides,
            )
        )

    return build_it


Build = Callable[..., Interpreter]


def _versions(interpreter: Interpreter) -> dict[str, str]:
    """Ask the environment itself what it has."""
    code = (
        "import importlib.metadata as m, json\n"
        "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    )
    answer = subprocess.run(
        [interpreter.python, "-I", "-c", code], check=True, stdout=subprocess.PIPE
    )
    versions: dict[str, str] = json.loads(answer.stdout)
    return versions


def test_an_environment_has_the_models_requirements_and_no_others(
    make_model: MakeModel, build: Build
) -> None:
    interpreter = build(make_model("mlflow==3.1.4\noven==1.0\n"))
    assert _versions(interpreter) == {"mlflow": "3.1.4", "oven": "1.0", "dough": "1.0"}
    assert interpreter.isolated
    assert interpreter.notes == ()


def test_an_environment_is_built_once_for_equal_files(
    make_model: MakeModel, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build(make_model("mlflow==3.1.4\n"))
    assert "building an environment" in capsys.readouterr().out
    second = build(make_model("mlflow==3.1.4\n"))
    assert "building an environment" not in capsys.readouterr().out
    assert (first.python, first.key) == (second.python, second.key)


def test_other_files_mean_another_environment(make_model: MakeModel, build: Build) -> None:
    first = build(make_model("mlflow==3.1.4\ndough\n"))
    second = build(make_model("mlflow==3.1.4\ndough\n-c limits.txt\n", limits__txt="dough<2\n"))
    assert _versions(first)["dough"] == "2.0"
    assert _versions(second)["dough"] == "1.0"


def test_overrides_count_before_the_models_requirements(
    make_model: MakeModel, build: Build
) -> None:
    model = make_model("mlflow==3.1.4\ndough==2.0\n")
    assert _versions(build(model, "dough==1.0"))["dough"] == "1.0"
    assert _versions(build(model, "oven", "dough==1.0"))["oven"] == "1.0"
    assert _versions(build(model))["dough"] == "2.0"


def test_a_missing_mlflow_is_added_and_said(make_model: MakeModel, build: Build) -> None:
    interpreter = build(make_model("dough==1.0\n"))
    assert _versions(interpreter)["mlflow"] == "3.0.1"
    (note,) = interpreter.notes
    assert note.startswith("mlflow==3.0.1 was added")


def test_wheels_inside_a_read_only_model_are_installed(
    make_model: MakeModel, build: Build, tmp_path: Path
) -> None:
    wheel(tmp_path / "model", "own", "7.0")
    model = make_model("mlflow==3.1.4\nown-7.0-py3-none-any.whl\n")
    model.path.chmod(0o555)
    try:
        assert _versions(build(model))["own"] == "7.0"
    finally:
        model.path.chmod(0o755)


def test_a_lock_is_installed_as_it_is(
    make_model: MakeModel, build: Build, wheels: Path, tmp_path: Path
) -> None:
    """``uv.lock`` pins what requirements leave open."""
    project = (
        "[project]\nname = 'mine'\nversion = '0'\nrequires-python = '>=3.10'\n"
        "dependencies = ['mlflow==3.1.4', 'dough<2']\n"
        "[build-system]\nrequires = ['not-there']\nbuild-backend = 'not_there'\n"
    )
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text(project)
    command = ["lock", "--no-index", "--find-links", os.fspath(wheels), "--python", sys.executable]
    subprocess.run([sys.executable, "-m", "uv", *command], cwd=tmp_path / "project", check=True)
    lock = (tmp_path / "project" / "uv.lock").read_text()
    model = make_model("mlflow\n", uv__lock=lock, pyproject__toml=project)
    assert _versions(build(model)) == {"mlflow": "3.1.4", "dough": "1.0"}
    assert _versions(build(model, "dough==2.0"))["dough"] == "2.0"


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        ("mlflow\n\ndough==9\n", "requirements.txt line 3: dough==9"),
        ("mlflow\nno-such-thing==1\n", "requirements.txt line 2: no-such-thing==1"),
        ("mlflow\noven\ndough>=2\n", "requirements.txt line 3: dough>=2"),
        ("mlflow\na space\n", "requirements.txt line 2: a space"),
        ("mlflow\n./gone-1.0-py3-none-any.whl\n", "line 2: ./gone-1.0-py3-none-any.whl"),
        ("mlflow==2.9.2\n", 'try another with --override "mlflow>=2.20"'),
    ],
)
def test_a_fault_is_named_and_nothing_is_left(
    make_model: MakeModel, build: Build, tmp_path: Path, requirements: str, expected: str
) -> None:
    with pytest.raises(EnvironmentError_) as caught:
        build(make_model(requirements))
    assert expected in str(caught.value)
    assert "source/" not in str(caught.value)
    assert list((tmp_path / "cache" / "envs").iterdir()) == []
    _versions(build(make_model("mlflow==3.1.4\n")))


def test_an_index_that_is_down_is_named(
    make_model: MakeModel, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(EnvironmentError_, match="the index cannot be reached"):
        build(make_model("mlflow==3.1.4\nelsewhere\n"))


def test_auto_takes_the_running_environment_only_if_it_fits(
    make_model: MakeModel, tmp_path: Path
) -> None:
    def auto(model: LocalModel) -> Interpreter:
        return asyncio.run(
            prepare(model, mode="auto", cache_dir=tmp_path / "cache", on_progress=print)
        )

    fits = auto(make_model(f"mlflow\npytest=={pytest.__version__}\n"))
    assert (fits.python, fits.isolated) == (Path(sys.executable), False)
    differs = auto(make_model("mlflow==3.1.4\ndough==1.0\n"))
    assert differs.isolated
    assert "dough is not installed" in differs.reason or "mlflow 3" in differs.reason


def test_the_running_environment_is_the_last_resort_where_nothing_serves_yet(
    make_model: MakeModel, tmp_path: Path
) -> None:
    def auto(*, or_local: bool) -> Interpreter:
        return asyncio.run(
            prepare(
                make_model("mlflow==3.1.4\nnowhere==1.0\n"),
                mode="auto",
                cache_dir=tmp_path / "cache",
                on_progress=print,
                or_local=or_local,
            )
        )

    with pytest.raises(EnvironmentError_, match="nowhere"):
        auto(or_local=False)
    instead = auto(or_local=True)
    assert (instead.python, instead.isolated) == (Path(sys.executable), False)
    assert "nowhere" in instead.notes[0]
    assert "--env isolated" in instead.notes[1]


def test_local_takes_the_running_environment_and_says_what_it_lacks(
    make_model: MakeModel, tmp_path: Path
) -> None:
    interpreter = asyncio.run(
        prepare(
            make_model("mlflow\ndough==1.0\n"),
            mode="local",
            cache_dir=tmp_path / "cache",
            on_progress=print,
        )
    )
    assert interpreter.python == Path(sys.executable)
    (note,) = interpreter.notes
    assert "dough is not installed" in note


_BUILDER = """
import asyncio, sys
from pathlib import Path
from pelton.environment.artifacts import resolve
from pelton.environment.interpreter import prepare

def say(text):
    print(text, flush=True)

async def main():
    model = await resolve(sys.argv[1], Path(sys.argv[2]), on_progress=say)
    found = await prepare(model, mode="isolated", cache_dir=Path(sys.argv[2]), on_progress=say)
    say(f"done {found.python}")

asyncio.run(main())
"""

# Says that it was called, and builds when told to.
_STALLING_BACKEND = """
import pathlib, shutil, time

def build_wheel(folder, config_settings=None, metadata_directory=None):
    pathlib.Path({called!r}).touch()
    give_up_at = time.monotonic() + {limit_s}
    while not pathlib.Path({go_on!r}).exists() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    shutil.copy({wheel!r}, folder)
    return "slow-1.0-py3-none-any.whl"
"""


@contextmanager
def _builder(model: LocalModel, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Build in another process, which is killed if it hangs."""
    command = [sys.executable, "-c", _BUILDER, str(model.path), str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as builder:
        watchdog = threading.Timer(_LIMIT_S, builder.kill)
        watchdog.start()
        try:
            assert builder.stdout is not None
            yield builder, builder.stdout
        finally:
            builder.kill()
            watchdog.cancel()


@dataclass(frozen=True)
class Stalling:
    """A package whose build touches ``called``, then waits for ``go_on``."""

    called: Path
    go_on: Path

    def wait_until_called(self) -> None:
        give_up_at = time.monotonic() + _LIMIT_S
        while not self.called.exists():
            assert time.monotonic() < give_up_at, "the package's build was never run"
            time.sleep(0.01)


@pytest.fixture
def stalling(wheels: Path, tmp_path: Path) -> Iterator[Stalling]:
    found = Stalling(tmp_path / "called", tmp_path / "go-on")
    wheel(tmp_path, "slow", "1.0")
    backend = _STALLING_BACKEND.format(
        called=str(found.called),
        go_on=str(found.go_on),
        wheel=str(tmp_path / "slow-1.0-py3-none-any.whl"),
        limit_s=_LIMIT_S,
    )
    source_distribution(wheels, "slow", "1.0", backend)
    yield found
    found.go_on.touch()  # whatever the test did, nothing waits on


def test_a_build_killed_in_the_middle_is_built_anew_after_its_orphans(
    make_model: MakeModel, stalling: Stalling, tmp_path: Path
) -> None:
    model = make_model("mlflow==3.1.4\nslow==1.0\n")
    with _builder(model, tmp_path) as (first, _):
        stalling.wait_until_called()
        first.kill()
    (debris,) = environments(tmp_path / "cache").list_entries()
    assert not debris.complete
    assert debris.in_use  # by uv, which has lost its parent
    assert environments(tmp_path / "cache").prune() == []

    with _builder(model, tmp_path) as (second, output):
        said = iter(output.readline, "")
        assert any(line.startswith("waiting: another process builds it") for line in said)
        stalling.go_on.touch()
        rest = [line.strip() for line in said]
        assert second.wait() == 0
    python = rest[-1].removeprefix("done ")
    subprocess.run([python, "-I", "-c", "import mlflow, slow, dough"], check=True)
    assert [entry.complete for entry in environments(tmp_path / "cache").list_entries()] == [True]


def test_a_cancelled_build_leaves_no_process_and_no_files(
    make_model: MakeModel, stalling: Stalling, tmp_path: Path
) -> None:
    model = make_model("mlflow==3.1.4\nslow==1.0\n")

    async def scenario() -> None:
        task = asyncio.ensure_future(
            prepare(model, mode="isolated", cache_dir=tmp_path / "cache", on_progress=print)
        )
        await asyncio.to_thread(stalling.wait_until_called)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert list((tmp_path / "cache" / "envs").iterdir()) == []


def test_of_two_builders_one_builds(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model("mlflow==3.1.4\noven\n")
    with _builder(model, tmp_path) as (first, one), _builder(model, tmp_path) as (second, two):
        said = [one.read(), two.read()]
        assert (first.wait(), second.wait()) == (0, 0)
    assert sum("building an environment" in each for each in said) == 1
    assert len({each.splitlines()[-1] for each in said}) == 1


@pytest.mark.parametrize("moment", range(8))
def test_a_build_killed_at_any_word_of_its_progress_is_built_again(
    make_model: MakeModel, build: Build, tmp_path: Path, moment: int
) -> None:
    model = make_model("mlflow==3.1.4\noven\n")
    with _builder(model, tmp_path) as (builder, output):
        for _ in range(moment):
            output.readline()
        builder.kill()
    interpreter = build(model)
    assert _versions(interpreter) == {"mlflow": "3.1.4", "oven": "1.0", "dough": "1.0"}
    subprocess.run([interpreter.python, "-I", "-c", "import mlflow, oven, dough"], check=True)
    (entry,) = environments(tmp_path / "cache").list_entries()
    assert entry.complete
    assert entry.facts["packages"] == _versions(interpreter)
