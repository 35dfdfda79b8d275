"""``pelton bench MODEL`` and ``pelton plan``: pelton itself is started, asked and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIMIT_S = 240
SERVE = ("--", "--env", "local")


def pelton(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import pelton.bench as b, sys; sys.exit(b.{command}_main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def users_of(folder: Path) -> list[str]:
    """Command lines of all processes that name a folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command:
                found.append(command.decode())
    return found


def test_a_model_is_served_for_the_run_and_stopped_after_it(model: Path, tmp_path: Path) -> None:
    done = pelton(
        "bench",
        str(model),
        *("--rate", "50", "--rows", "1:3,4:1", "--distinct", "4"),
        *("--duration", "0.5s", "--warm-up", "0.2s", "--no-ceiling"),
        *("--json", str(tmp_path / "run.json"), *SERVE, "--concurrency", "1"),
    )
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run.json").read_text())
    (step,) = run["steps"]
    assert step["errors"] == {}
    assert step["good"] == step["sent"] > 0
    assert step["stages"]["predict"]["p50_ms"] >= 4
    assert {"server", "worker"} <= {process["name"] for process in step["memory"]}
    assert run["start_s"] > 0
    assert run["requests"]["rows"] == {"1": 0.75, "4": 0.25}
    assert users_of(model) == []


def test_a_server_that_does_not_start_is_quoted(model: Path) -> None:
    done = pelton("bench", str(model), "--duration", "0.1s", "--", "--no-such-flag")
    assert done.returncode == 2
    assert "before it was ready" in done.stderr
    assert users_of(model) == []


@pytest.mark.slow
def test_a_plan_is_made_and_verified(model: Path, tmp_path: Path) -> None:
    done = pelton(
        "plan",
        str(model),
        *("--qps", "40", "--slo", "p90=2s", "--probe", "1s", "--duration", "2s", "--verify"),
        *("--json", str(tmp_path / "plan.json"), *SERVE),
    )
    assert done.returncode == 0, done.stderr
    assert "the formula: 40/s x" in done.stdout
    assert "workload type CPU (4 GB a slot), size Small" in done.stdout
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["profile"]["service_s"] >= 0.004
    assert plan["verified"]["pelton, batching"]["slots"] == 1
    assert plan["verified"]["one request a slot"]["slots"] == 1
    assert users_of(model) == []


def test_a_plan_needs_an_objective_to_verify(model: Path) -> None:
    done = pelton("plan", str(model), "--qps", "10", "--verify")
    assert done.returncode == 2
    assert "--slo" in done.stderr


def test_interrupting_while_the_model_loads_leaves_nothing_running(model: Path) -> None:
    code, loading = model / "code" / "bench_sum_model.py", model.parent / "loading"
    stuck = f"open({str(loading)!r}, 'w').close(); time.sleep(600)"
    code.write_text(code.read_text().replace("return Model()", stuck))
    code_line = "import pelton.bench as b, sys; sys.exit(b.bench_main(sys.argv[1:]))"
    running = subprocess.Popen(
        [sys.executable, "-c", code_line, str(model), *SERVE],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + LIMIT_S
    while not loading.exists() and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.05)
    assert loading.exists()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130
    assert "before anything was measured" in said
    assert users_of(model) == []
