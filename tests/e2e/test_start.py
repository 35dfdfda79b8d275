"""The start of a server: alive before it is ready, and a clear end when it cannot serve."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import pelton
from tests.zoo import build


def test_alive_before_ready(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(build("loads-slowly"), await_ready=False)

    live, ready, ping = (
        endpoint.get(path) for path in ("/v2/health/live", "/v2/health/ready", "/ping")
    )
    asked = endpoint.ask({"inputs": {"x": [1.0]}})

    assert (live.status_code, live.json()) == (200, {"live": True})
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert "loading" in ready.json()["reason"] or "starting" in ready.json()["reason"]
    assert ping.status_code == 503
    assert (asked.status_code, asked.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert int(asked.headers["retry-after"]) >= 1
    endpoint.until_ready()
    assert endpoint.ask({"inputs": {"x": [1.0]}}).status_code == 200


def test_end_while_the_second_worker_loads(live_endpoint: Serve) -> None:
    endpoint = live_endpoint(
        *(build("loads-slowly"), "--concurrency", "2", "--fork", "off"), await_ready=False
    )
    endpoint.until_log(r"worker\.ready ")
    endpoint.until_log(r"(?s)worker\.loading .*worker\.loading ")

    assert endpoint.end(signal.SIGINT) == 0

    _, draining, log = endpoint.log().partition("server.draining")
    assert draining
    assert "server.stopped" in log
    for never in ("Traceback", "took_over", "server.ready", "worker.killed", "worker.timed_out"):
        assert never not in log, log


@pytest.mark.parametrize("fork", ["auto", "off"])
def test_model_that_cannot_be_loaded(fork: str, tmp_path: Path) -> None:
    ended = pelton("serve", str(build("load-raises")), "--port", "0", "--fork", fork, cwd=tmp_path)

    assert ended.returncode == 3, ended.stderr
    assert "The model could not be loaded: RuntimeError: the weights are not" in ended.stderr
    assert "in load_context" in ended.stderr  # the model's own traceback


def test_model_that_exits_while_it_loads(tmp_path: Path) -> None:
    ended = pelton("serve", str(build("load-exits")), "--port", "0", cwd=tmp_path)

    assert ended.returncode == 3, ended.stderr
    assert "status 7" in ended.stderr


def test_model_that_refuses_its_example_where_that_is_required(tmp_path: Path) -> None:
    model = str(build("predict-raises"))

    ended = pelton("serve", model, "--port", "0", "--warmup", "require", cwd=tmp_path)

    assert ended.returncode == 4, ended.stderr
    assert "refused its own input example" in ended.stderr


@pytest.mark.parametrize(
    ("model", "words"),
    [("nowhere", ["nowhere"]), ("models:/", ["models:/"]), ("runs:/abc", ["runs:/abc"])],
)
def test_model_that_is_not_there(model: str, words: list[str], tmp_path: Path) -> None:
    ended = pelton("serve", model, "--port", "0", cwd=tmp_path)

    assert ended.returncode == 3, ended.stderr
    message = ended.stderr.rpartition("pelton: ")[2]
    assert all(word in message for word in words)
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["m", "--timeout", "soon"], {}, ["timeout", "'soon' is no duration"]),
        (["m", "--workload-size", "Huge"], {}, ["workload_size", "Small, Medium, Large"]),
        (["m"], {"PELTON_TIMOUT": "3"}, ["PELTON_TIMOUT", "PELTON_TIMEOUT"]),
        ([], {}, ["Which model?"]),
    ],
)
def test_wrong_settings(
    arguments: list[str], variables: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    ended = pelton("serve", *arguments, cwd=tmp_path, **variables)

    assert ended.returncode == 2, ended.stderr
    assert all(word in ended.stderr for word in words)
    assert "Traceback" not in ended.stderr


def test_wrong_key_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "pelton.toml").write_text("timeuot = 3\n")

    ended = pelton("serve", "m", cwd=tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert "unknown key 'timeuot'. Did you mean 'timeout'?" in ended.stderr


def test_unknown_flag(tmp_path: Path) -> None:
    ended = pelton("serve", "m", "--timeuot", "3", cwd=tmp_path)

    assert ended.returncode == 2
    assert "--timeuot" in ended.stderr


def test_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ended = pelton("serve", "m", "--port", port, cwd=tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_check_shows_the_settings_and_their_sources(tmp_path: Path) -> None:
    (tmp_path / "pelton.toml").write_text('queue_limit = 7\nmax_payload = "1MB"\n')

    shown = pelton("check", "--max-payload", "2MB", cwd=tmp_path, PELTON_TIMEOUT="9")

    rows = [line.split(maxsplit=2) for line in shown.stdout.splitlines()]
    assert shown.returncode == 0, shown.stderr
    assert ["max_payload", "2MB", "flag --max-payload"] in rows
    assert ["timeout", "9", "PELTON_TIMEOUT"] in rows
    assert ["queue_limit", "7", "pelton.toml"] in rows
    assert ["port", "8080", "default"] in rows
