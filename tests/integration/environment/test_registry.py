"""Model URIs against a real registry, over real sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Literal

import psutil
import pytest
from tests.registry import Registry

from pelton.bench.child import free_port
from pelton.environment.amendment import update_requirements
from pelton.environment.artifacts import LocalModel, resolve, resolve_version
from pelton.environment.cache import Cache
from pelton.environment.fetcher import Fetcher
from pelton.errors import ModelUriError

# One server for all of them, when tests run in several processes.
pytestmark = pytest.mark.xdist_group("registry")

# Nothing here waits for it; a red test should say so, not hang.
_LIMIT_S = 300.0


@pytest.fixture
def tracking(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.uri)
    return registry


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def ask(
    registry: Registry, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], LocalModel]]:
    """Resolve with one child for all tests, so that mlflow is imported once."""
    cache_dir = tmp_path_factory.mktemp("cache")
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = registry.uri
    fetcher = Fetcher()

    def resolve_it(uri: str) -> LocalModel:
        return runner.run(
            resolve(uri, cache_dir, on_progress=lambda _: None, timeout_s=_LIMIT_S, fetcher=fetcher)
        )

    yield resolve_it
    runner.run(fetcher.close())
    del os.environ["MLFLOW_TRACKING_URI"]
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.mark.parametrize(
    ("uri", "version"),
    [
        ("models:/echo/1", "1"),
        ("models:/echo/2", "2"),
        ("models:/echo/latest", "2"),
        ("models:/echo@champion", "1"),
    ],
)
def test_registered_versions_are_downloaded(
    ask: Callable[[str], LocalModel], registry: Registry, uri: str, version: str
) -> None:
    model = ask(uri)
    assert (model.name, model.version, model.uri) == ("echo", version, uri)
    assert model.source == f"models:/echo/{version}"
    assert model.run_id == registry.run_ids[int(version) - 1]
    assert model.mlmodel.model_id == registry.model_ids[int(version) - 1]
    assert (model.path / "python_model.pkl").stat().st_size > 0


def test_the_same_version_is_downloaded_once(ask: Callable[[str], LocalModel]) -> None:
    assert ask("models:/echo/1").path == ask("models:/echo@champion").path


def test_logged_models_are_found_by_id_and_by_run(
    ask: Callable[[str], LocalModel], registry: Registry
) -> None:
    by_id = ask(f"models:/{registry.model_ids[0]}")
    by_run = ask(f"runs:/{registry.run_ids[0]}/model")
    assert by_id.path == by_run.path
    assert by_run.source == f"models:/{registry.model_ids[0]}"
    assert by_id.run_id == registry.run_ids[0]
    assert by_id.name is None


def test_models_among_a_runs_artifacts_are_found(
    ask: Callable[[str], LocalModel], registry: Registry
) -> None:
    model = ask(f"runs:/{registry.artifact_run_id}/old/model")
    assert model.mlmodel.loader_module == "mlflow.pyfunc.model"


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("models:/echo/7", "echo has the versions 2, 1 and the aliases @champion"),
        ("models:/echo@canary", "echo has the versions 2, 1 and the aliases @champion"),
        ("models:/eco/1", r"did you mean echo\?"),
        ("models:/m-00000000000000000000000000000000", "does not exist"),
        ("runs:/00000000000000000000000000000000/model", "looked in http://127.0.0.1"),
        ("RUN", r"names a run, not a model; did you mean runs:/\w+/model\?"),
        ("RUN/modell", "there are no files at"),
        ("OLD_RUN/old", r"did you mean runs:/\w+/old/model\?"),
        ("s3://bucket/model", "boto3|denied"),
        ("nosuch://place/model", "nosuch://place/model cannot be fetched"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(
    ask: Callable[[str], LocalModel], registry: Registry, uri: str, advice: str
) -> None:
    if "RUN" in uri:
        uri = uri.replace("OLD_RUN", f"runs:/{registry.artifact_run_id}")
        uri = uri.replace("RUN", f"runs:/{registry.run_ids[0]}")
    with pytest.raises(ModelUriError, match=advice):
        ask(uri)


def test_an_alias_is_resolved_to_a_version(tracking: Registry, runner: asyncio.Runner) -> None:
    async def versions() -> list[str]:
        async with Fetcher() as fetcher:
            uris = ("models:/echo@champion", "models:/echo/latest", "models:/echo/1")
            return [await resolve_version(uri, fetcher=fetcher) for uri in uris]

    assert runner.run(versions()) == ["models:/echo/1", "models:/echo/2", "models:/echo/1"]


def test_an_interrupted_download_leaves_no_process_and_no_files(
    tracking: Registry, runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def scenario() -> int:
        fetcher = Fetcher()
        downloading = asyncio.Event()

        def on_progress(text: str) -> None:
            if text.startswith("downloading"):
                downloading.set()

        task = asyncio.ensure_future(
            resolve("models:/echo/1", tmp_path, on_progress=on_progress, fetcher=fetcher)
        )
        await asyncio.wait_for(downloading.wait(), _LIMIT_S)
        child = fetcher._child
        assert child is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert child.returncode is not None
        # The next question starts another child.
        model = await resolve("models:/echo/1", tmp_path, on_progress=print, fetcher=fetcher)
        assert (model.path / "MLmodel").exists()
        await fetcher.close()
        return child.pid

    pid = runner.run(scenario())
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    listed = Cache(tmp_path / "models").list_entries()
    assert [entry.complete for entry in listed] == [True]


_IMMORTAL_PARENT = """
import asyncio
from pelton.environment.artifacts import resolve_version
from pelton.environment.fetcher import Fetcher

async def main():
    fetcher = Fetcher()
    await resolve_version("models:/echo@champion", fetcher=fetcher)
    print(fetcher._child.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_child_ends_when_its_parent_is_killed(tracking: Registry) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _IMMORTAL_PARENT], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        child = psutil.Process(int(output.readline()))
        parent.kill()
        parent.wait()
    give_up_at = time.monotonic() + _LIMIT_S
    while _is_running(child) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert not _is_running(child)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _silent_server() -> Iterator[str]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_registry_that_is_down_is_named(
    monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ModelUriError, match=f"MLFLOW_TRACKING_URI={uri} cannot be reached"):
        runner.run(resolve_version("models:/echo@champion", timeout_s=_LIMIT_S))


class _Refusing(BaseHTTPRequestHandler):
    """Answers everything with 401."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_a_registry_that_wants_a_login_says_which(
    monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
            with pytest.raises(ModelUriError, match=r"was denied .*set MLFLOW_TRACKING_TOKEN"):
                runner.run(resolve_version("models:/echo@champion", timeout_s=_LIMIT_S))
        finally:
            server.shutdown()
            serving.join()


def test_a_registry_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner
) -> None:
    with _silent_server() as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(ModelUriError, match=r"was not fetched within 0\.5 s"):
            runner.run(resolve_version("models:/echo@champion", timeout_s=0.5))


def test_a_local_directory_starts_no_process(
    ask: Callable[[str], LocalModel], runner: asyncio.Runner, tmp_path: Path
) -> None:
    downloaded = ask("models:/echo/1")
    fetcher = Fetcher()
    for uri in (os.fspath(downloaded.path), downloaded.path.as_uri()):
        model = runner.run(resolve(uri, tmp_path, on_progress=print, fetcher=fetcher))
        assert model.path == downloaded.path
    assert fetcher._child is None
    assert list(tmp_path.iterdir()) == []
    runner.run(fetcher.close())


@pytest.mark.parametrize("which", ["logged", "run", "local"])
def test_a_models_requirements_are_changed_where_they_are_stored(
    tracking: Registry,
    ask: Callable[[str], LocalModel],
    runner: asyncio.Runner,
    tmp_path: Path,
    which: str,
) -> None:
    uri = f"models:/{tracking.model_ids[1]}"
    if which == "run":
        uri = f"runs:/{tracking.run_ids[1]}/model"
    elif which == "local":
        uri = str(shutil.copytree(ask(uri).path, tmp_path / "model"))
    before = ask(uri)
    kept = (before.path / "requirements.txt").read_text()

    def change(operation: Literal["add", "remove"], package: str) -> list[str]:
        return runner.run(
            update_requirements(uri, operation, [package], on_progress=print, timeout_s=_LIMIT_S)
        )

    assert "six==1.16.0" in change("add", "six==1.16.0")
    after = ask(uri)
    assert "six==1.16.0" in (after.path / "requirements.txt").read_text()
    if which != "local":  # a copy that was taken before is not touched
        assert after.path != before.path
        assert (before.path / "requirements.txt").read_text() == kept
    assert not any(line.startswith("six") for line in change("remove", "six"))


@pytest.mark.parametrize(
    ("uri", "package", "advice"),
    [
        ("models:/echo/2", "six==1.16.0", r"read-only; change the logged model models:/m-"),
        ("models:/echo/2", "six = 1", "'six = 1' is not a requirement"),
        ("/nowhere/model", "six", "no such directory"),
    ],
)
def test_a_change_that_cannot_be_is_explained(
    tracking: Registry, runner: asyncio.Runner, uri: str, package: str, advice: str
) -> None:
    with pytest.raises(ModelUriError, match=advice):
        runner.run(update_requirements(uri, "add", [package], on_progress=print))
