"""Another model, or the same again, while requests come: none is lost, none sees a mixture."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
from pathlib import Path

from tests.conftest import Serve
from tests.e2e.endpoint import LIMIT_S, Endpoint, environment, pelton, until
from tests.e2e.reload_support import ROW, A, B, gated_model, load_on
from tests.zoo import build


def command(endpoint: Endpoint, *arguments: str) -> subprocess.CompletedProcess[str]:
    return pelton(*arguments, "--url", endpoint.url, cwd=endpoint.folder)


def done(endpoint: Endpoint, *arguments: str) -> str:
    """Run a command that must succeed."""
    result = command(endpoint, *arguments)
    assert result.returncode == 0, result.stderr + endpoint.log()
    return result.stdout


def revision(endpoint: Endpoint) -> int:
    """The number of the revision that serves."""
    found = endpoint.get("/api/2.0/serving-endpoints/model").json()
    return int(found["config"]["config_version"])


def test_reloads_under_load_lose_nothing(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--concurrency", "2")
    with load_on(endpoint) as load:
        load.until_answered(20)
        assert "Revision 2 serves." in done(endpoint, "reload", "--wait", str(build("versioned-b")))
        # Reported as serving: from now on nothing may come of the old one.
        assert endpoint.ask(ROW).json() == B
        load.until_answered(20)

        endpoint.send_signal(signal.SIGHUP)
        until(lambda: revision(endpoint) == 3, "the same model has been loaded again")
        load.until_answered(20)
        assert endpoint.ask(ROW).json() == B

        assert "Revision 4 serves." in done(endpoint, "rollback", "--wait")
        assert endpoint.ask(ROW).json() == A
        load.until_answered(20)

    assert set(load.outcomes) == {"['a']", "['b']"}, load.outcomes
    status = json.loads(done(endpoint, "status", "--json"))
    assert status["state"] == {
        "ready": "READY",
        "config_update": "NOT_UPDATING",
        "suspend": "NOT_SUSPENDED",
    }


def _in_a_terminal() -> None:
    """Be what a shell starts in one, though the tests may run under ``nohup``."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_closed_terminal_ends_the_server(tmp_path: Path) -> None:
    """It sends SIGHUP as well, and nobody would ever stop a server that took it for a reload."""
    terminal, far_end = os.openpty()
    command = [sys.executable, "-m", "pelton", "serve", str(gated_model(tmp_path).path)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--env", "local", "--port", "0", "--cache-dir", str(tmp_path / "cache")],
            cwd=tmp_path,
            env=environment(),
            stdin=far_end,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_in_a_terminal,
        )
    os.close(far_end)
    try:
        until(lambda: "revision.starting" in log.read_text(), "the model is being loaded")
        os.close(terminal)
        assert server.wait(LIMIT_S) == 0, log.read_text()
    finally:
        server.kill()
        server.wait()

    assert "server.terminal_closed" in log.read_text()


def test_refused_reload_from_the_shell(live_endpoint: Serve, tmp_path: Path) -> None:
    endpoint = live_endpoint(build("versioned-a"), "--concurrency", "1", await_ready=False)
    assert done(endpoint, "status", "--wait").startswith("model: READY\n")

    refused = command(endpoint, "reload", "--wait", str(build("load-raises")))
    assert (refused.returncode, "the weights are not" in refused.stderr) == (1, True)
    status = done(endpoint, "status")
    assert status.startswith("model: READY, the last update failed\n  serves   revision 1: ")
    nothing = command(endpoint, "rollback")
    assert (nothing.returncode, "no earlier, different revision" in nothing.stderr) == (1, True)

    stuck = gated_model(tmp_path)
    assert "Revision 3 is being rolled out." in done(endpoint, "reload", str(stuck.path))
    second = command(endpoint, "reload")
    assert (second.returncode, "Revision 3 is being rolled out" in second.stderr) == (1, True)
    assert "cancelled" in done(endpoint, "cancel", "--wait")
    assert "aborted: The update was cancelled." in done(endpoint, "status")

    assert command(endpoint, "reload", str(stuck.path)).returncode == 0
    assert endpoint.end() == 0  # in the middle of an update
    endpoint.until_gone()
    unreachable = command(endpoint, "status")
    assert (unreachable.returncode, "No server answers at" in unreachable.stderr) == (3, True)


def test_watched_folder(live_endpoint: Serve, tmp_path: Path) -> None:
    folder, cache = tmp_path / "model", tmp_path / "cache"
    shutil.copytree(build("versioned-a"), folder)
    endpoint = live_endpoint(
        *(folder, "--watch", "0.3", "--concurrency", "1", "--cache-dir", str(cache))
    )
    with load_on(endpoint, callers=1) as load:
        load.until_answered(5)

        mlmodel = (build("versioned-b") / "MLmodel").read_text()
        (folder / "MLmodel").write_text(mlmodel[: len(mlmodel) // 3])  # half a model
        endpoint.until_log("watch.failed .*incomplete")
        shutil.copytree(build("versioned-b"), folder, dirs_exist_ok=True)
        until(lambda: revision(endpoint) == 2, "the new model serves")
        assert endpoint.ask(ROW).json() == B

        # Whatever becomes of the folder, workers can be started: it is served from a copy.
        shutil.rmtree(folder)
        endpoint.until_log("watch.failed .*no such directory")
        done(endpoint, "reload", "--same-version", "--wait")
        assert endpoint.ask(ROW).json() == B
        done(endpoint, "rollback", "--wait")
        assert endpoint.ask(ROW).json() == A
        load.until_answered(5)

    assert set(load.outcomes) == {"['a']", "['b']"}, load.outcomes
    until(lambda: len(list((cache / "snapshots").glob("*.lock"))) == 2, "two copies are left")


def test_workers_are_replaced_after_so_many_requests(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(
        *(build("versioned-a"), "--concurrency", "2", "--max-worker-requests", "25")
    )
    first = set(endpoint.workers())
    assert len(first) == 2
    with load_on(endpoint) as load:
        until(lambda: not first & set(endpoint.workers()), "both have been replaced")
        load.until_answered(50)

    assert set(load.outcomes) == {"['a']"}, load.outcomes
