"""The report's page in a real browser: drawn, no error in the console, nothing fetched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.integration.bench.test_command import bench

from pelton.bench.floor import Floor
from pelton.bench.report.html import page as write

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture
def browser() -> str:
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.fail(
        "this test opens the report in a browser and found none of "
        f"{', '.join(BROWSERS)}; on Debian: apt-get install chromium"
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("page")
    (tmp_path / "body.jsonl").write_text('{"inputs": [1.0]}\n{"inputs": [2.0]}\n')
    with Floor(100) as floor:
        done = bench(
            f"http://127.0.0.1:{floor.port}",
            *("--input", str(tmp_path / "body.jsonl"), "--rate", "100,200", "--concurrency", "4"),
            *("--duration", "0.4s", "--warm-up", "0.1s", "--slo", "p99=500ms"),
            *("--html", str(tmp_path / "run.html"), "--json", str(tmp_path / "run.json")),
        )
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run.json").read_text())
    # What only a real server tells, so that every plot is drawn.
    for step in run["steps"]:
        step["stages"] = {name: {"mean_ms": 0.2} for name in ("queue", "decode", "predict")}
        step["batch_sizes"] = {"1": 10, "2": 5, "40": 1}
        step["memory"] = [{"name": "worker", "pid": 1, "pss_mb": 90.0, "rss_mb": 120.0}]
    path = tmp_path / "full.html"
    path.write_text(write(run), encoding="utf-8")
    return path


def opened(browser: str, page: Path, profile: Path) -> tuple[str, str]:
    """Return the page's document after its script has run, and what the browser logged."""
    done = subprocess.run(
        [
            *(
                browser,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-logging=stderr",
            ),
            *(f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--v=0"),
            # Whatever the page asked of a network would fail, and say so in the console.
            *("--proxy-server=127.0.0.1:9", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return done.stdout, done.stderr


def test_every_plot_is_drawn_without_an_error(browser: str, page: Path, tmp_path: Path) -> None:
    document, log = opened(browser, page, tmp_path / "profile")
    console = [line for line in log.splitlines() if "CONSOLE" in line]
    assert console == []
    drawn = re.search(r'data-drawn="(\d+)"', document)
    assert drawn
    # Latency against rate, stages, over time, distribution, batch sizes, memory.
    assert int(drawn[1]) == 6
    for title in (
        "Latency against rate",
        "Where the time goes",
        "Percentiles over time",
        "Distribution of latency",
        "Batch sizes",
        "Memory of each slot",
        "Every step",
    ):
        assert title in document
    assert "NaN" not in document.partition("<body>")[2].partition("<script>")[0]


def test_a_broken_page_would_be_noticed(browser: str, page: Path, tmp_path: Path) -> None:
    broken = page.with_name("broken.html")
    broken.write_text(page.read_text().replace("run.steps.length", "run.nothing.length"))
    _, log = opened(browser, broken, tmp_path / "profile")
    assert any("CONSOLE" in line for line in log.splitlines())
