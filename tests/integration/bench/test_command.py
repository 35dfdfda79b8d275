"""``pelton bench`` as a person runs it: a process of its own, against a trivial server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pelton.bench.floor import Floor

BENCH = [sys.executable, "-c", "import pelton.bench, sys; sys.exit(pelton.bench.bench_main())"]
LIMIT_S = 60


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture
def body(tmp_path: Path) -> str:
    path = tmp_path / "requests.jsonl"
    path.write_text('{"inputs": [1.0]}\n{"inputs": [2.0]}\n')
    return str(path)


def test_a_run_ends_in_a_table_a_file_and_a_page(tmp_path: Path, body: str) -> None:
    with Floor(100) as floor:
        done = bench(
            f"http://127.0.0.1:{floor.port}",
            *("--input", body, "--rate", "200", "--ramp", "50:100", "--concurrency", "2"),
            *("--duration", "0.3s", "--warm-up", "0.1s"),
            *("--json", str(tmp_path / "run.json"), "--html", str(tmp_path / "run.html")),
        )
    assert done.returncode == 0, done.stderr
    assert "50 → 100/s" in done.stdout
    assert "requests/s on one core against a trivial server" in done.stdout
    run = json.loads((tmp_path / "run.json").read_text())
    assert [step["title"] for step in run["steps"]] == ["200/s", "50 → 100/s", "c=2"]
    assert all(step["errors"] == {} for step in run["steps"])
    assert run["generator"]["ceiling_per_s"] > 0
    assert run["machine"]["cores"] == os.cpu_count()
    assert "const run = {" in (tmp_path / "run.html").read_text()


def test_json_on_standard_output_is_alone_there(body: str) -> None:
    with Floor(10) as floor:
        done = bench(
            f"http://127.0.0.1:{floor.port}",
            *("--input", body, "--concurrency", "1", "--duration", "0.1s", "--warm-up", "0.1s"),
            *("--no-ceiling", "--json", "-"),
        )
    assert json.loads(done.stdout)["generator"]["ceiling_per_s"] is None


def test_interrupting_keeps_the_report_and_leaves_nothing_running(
    tmp_path: Path, body: str
) -> None:
    with Floor(100) as floor:
        running = subprocess.Popen(
            [
                *(*BENCH, f"http://127.0.0.1:{floor.port}", "--input", body),
                *("--rate", "100", "--duration", "10m", "--warm-up", "0.1s", "--no-ceiling"),
                *("--json", str(tmp_path / "run.json")),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert running.stderr is not None
        assert running.stderr.readline().startswith("  rate 100/s")  # the step is under way
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130
    assert "stopped early" in out
    (step,) = json.loads((tmp_path / "run.json").read_text())["steps"]
    assert step["good"] > 0
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://127.0.0.1:9"], "--input FILE"),
        (["/nowhere"], "MLmodel"),
        (["http://127.0.0.1:9", "--input", "BODY", "--rows", "2"], "leave --rows"),
        (["http://127.0.0.1:9", "--input", "BODY", "--", "--port", "1"], "TARGET is a URL"),
        (["http://127.0.0.1:9", "--input", "BODY", "--token-from", "NOT_SET_X"], "NOT_SET_X"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(body: str, arguments: list[str], said: str) -> None:
    done = bench(*(body if a == "BODY" else a for a in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    signature = {"inputs": '[{"type": "long"}]'}
    (tmp_path / "MLmodel").write_text(json.dumps({"flavors": {}, "signature": signature}))
    done = bench(str(tmp_path), "--duration", "0.1s", "--", "--no-such-flag")
    assert done.returncode == 2
    assert "before it was ready" in done.stderr


def test_interrupting_before_anything_was_measured_ends_at_once(body: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT_S)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = subprocess.Popen(
            [*BENCH, url, "--input", body, "--timeout", "10m"],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        asked, _ = silent.accept()
        with asked:
            assert asked.recv(10)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130
    assert "before anything was measured" in said
