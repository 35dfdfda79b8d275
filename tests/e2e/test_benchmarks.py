"""Benchmarks that have no suite of their own, for a moment each: real servers, real figures."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import benchmarks
import pytest
from benchmarks import memory, underload
from benchmarks.models.cache import ensure
from benchmarks.scenario import SCENARIOS
from benchmarks.served import Served, WrongAnswer
from benchmarks.server import Launch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """A benchmark pins its process to a core and freezes what is loaded."""
    usable = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, usable)
    gc.unfreeze()


def test_two_that_need_the_same_model_do_not_build_it_in_each_other_s_way(tmp_path: Path) -> None:
    sources = Path(benchmarks.__file__).parent
    shutil.copytree(sources, tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "benchmarks.models.build", "tiny"]

    builders = [
        subprocess.Popen(build, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]

    ended = [(builder.communicate()[1], builder.returncode) for builder in builders]
    assert [status for _, status in ended] == [0, 0], ended
    kept = {
        kind: os.listdir(tmp_path / ".cache/benchmarks" / kind) for kind in ("models", "bodies")
    }
    assert {kind: len(names) for kind, names in kept.items()} == {"models": 1, "bodies": 1}, kept


def test_memory_of_both_servers_is_read_while_they_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "memory.json"

    assert memory.main(["--rounds", "1", "--duration", "1", "--slots", "2", "--out", str(out)]) == 0

    printed = capsys.readouterr().out
    rounds = json.loads(out.read_text())["rounds"]
    assert [r["server"] for r in rounds] == ["pelton, 2 slots", "mlflow, 1 worker"]
    for measured in rounds:
        assert measured["failed"] == 0
        assert measured["peak_mb"] > 50
        assert f"{measured['server']:<18} peak PSS {measured['peak_mb']:,.0f} MB" in printed
    assert rounds[0]["processes"] > rounds[1]["processes"]


def test_latency_under_load_is_that_of_small_requests_in_each_company(tmp_path: Path) -> None:
    out = tmp_path / "underload.json"

    assert underload.main(["--rounds", "1", "--duration", "1", "--out", str(out)]) == 0

    result = json.loads(out.read_text())
    for key in ("shared", "apart"):
        (half,) = result[key]
        assert half["capacity_per_s"] > 0
        assert half["server_p99_ms"] > 0
        assert half["total_p99_ms"] > half["predict_ms"]
    companies = {"alone": False, "quick": True, "slow": True, "busy": False}
    for manner, (key, asks) in itertools.product(("random", "single"), companies.items()):
        (company,) = result[f"{manner}_{key}"]
        assert company["server_p99_ms"] > company["queue_p99_ms"] > 0
        assert company["p99_ms"] > 0
        assert ("generator_late_p99_ms" in company) == (manner == "random")
        assert bool(company["large"]) == asks


def _answering(body: str, port: int) -> Launch:
    """Return how to start a server that answers every request with ``body``."""
    program = (
        "import http.server, sys\n"
        "class Same(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.rfile.read(int(self.headers.get('content-length', 0)))\n"
        "        self.send_response(200)\n"
        "        self.send_header('content-length', str(len(sys.argv[2])))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(sys.argv[2].encode())\n"
        "    do_GET = do_POST\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Same).serve_forever()\n"
    )
    return Launch([sys.executable, "-c", program, str(port), body], "/")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"predictions": ["another"]}', "instead of"),
        ('{"predictions": [false]}', "instead of"),
        ('{"outputs": [1]}', "no predictions in"),
        ("[1]", "no predictions in"),
        ("not JSON", "no predictions in"),
    ],
)
def test_a_server_that_answers_something_else_than_the_model_is_not_measured(
    body: str, why: str
) -> None:
    ensure("tiny")
    served = Served(
        lambda _model, port, _scenario: _answering(body, port),
        SCENARIOS["tiny"],
        sorted(os.sched_getaffinity(0)),
    )

    async def enter() -> None:
        async with served:
            pytest.fail("entered")

    with pytest.raises(WrongAnswer, match=why):
        asyncio.run(enter())

    with socket.socket() as probe:  # nobody listens there any more
        assert probe.connect_ex((served.target.host, served.target.port)) != 0
