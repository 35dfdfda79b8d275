import io
import json
import re

import pytest

from pelton.bench.arrival import Arrivals
from pelton.bench.floor import Ceiling
from pelton.bench.report.html import page
from pelton.bench.report.live import Live
from pelton.bench.report.text import table
from pelton.bench.slo import Objective
from pelton.bench.step import ClosedStep, OpenStep, StepResult, error_classes
from pelton.bench.tally import Tally

HEAD = b"HTTP/1.1 200 OK\r\nServer-Timing: queue;dur=1, predict;dur=5, batch;desc=2\r\n"
CEILING = Ceiling(20_000.0, 50.0)


def result(
    latency_s: float, *, open_loop: bool = True, good: int = 100, cpu: float = 0.1
) -> StepResult:
    tally = Tally()
    tally.sent = good + 2
    for _ in range(good):
        tally.succeed(latency_s, HEAD, 1, in_window=True)
    tally.fail("429", 0.001, b"</script><script>alert(1)</script>")
    tally.fail("timeout", 1.0)
    tally.close_interval(1.0, 1, 0)
    step = OpenStep(Arrivals(100, 100, 1.0)) if open_loop else ClosedStep(8, 1.0)
    return StepResult(
        step, tally, 1.0, cpu, [{"name": "worker", "pid": 1, "pss_mb": 90.0, "rss_mb": 190.0}]
    )


def run(*results: StepResult, objective: Objective | None = None) -> dict[str, object]:
    value: dict[str, object] = {
        "schema": 1,
        "target": "http://127.0.0.1:1 </script>",
        "machine": {"versions": {}},
        "generator": {"ceiling_per_s": 20_000, "cpu_us": 15.0},
        "requests": {
            "origin": "a file",
            "distinct": 2,
            "rows": {"1": 0.8, "32": 0.2},
            "bytes": [1, 2],
        },
        "steps": [r.to_json(CEILING, objective) for r in results],
        "notes": ["a remark"],
    }
    if objective:
        value["objective"] = {
            "text": str(objective),
            "percent": 99,
            "limit_ms": 50,
            "best_rate": None,
            "confirmed": False,
        }
    return value


def test_a_step_tells_throughput_errors_and_the_objective() -> None:
    step = result(0.01).to_json(CEILING, Objective(99, 0.05))
    assert step["throughput_per_s"] == 100
    assert step["offered_per_s"] == 102
    assert step["errors"] == {"429": 1, "timeout": 1}
    assert step["latency"]["p50_ms"] == pytest.approx(10, rel=0.01)
    assert step["stages"]["predict"]["mean_ms"] == pytest.approx(5)
    assert step["batch_sizes"] == {"2": 100}
    assert step["objective_met"] is False  # two of 102 were missed
    assert step["objective_ms"] is None
    json.dumps(step, allow_nan=False)


def test_an_empty_step_is_valid_json() -> None:
    empty = StepResult(ClosedStep(1, 1.0), Tally(), 0.0, 0.0, [])
    empty.tally.close_interval(0.0, 0, 0)
    json.dumps(empty.to_json(None, Objective(99, 0.05)), allow_nan=False)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (result(0.01, cpu=0.97), "97% of a core"),
        (result(0.001, good=17_000), "its own ceiling of 20,000/s"),
    ],
)
def test_the_generator_says_when_it_was_the_bottleneck(step: StepResult, why: str) -> None:
    assert any(why in limit for limit in step.limits(CEILING))


def test_the_generator_says_when_it_sent_late() -> None:
    step = result(0.001)
    step.tally.late.extend([0.05] * 100)
    step.tally.close_interval(2.0, 0, 0)
    assert any("sent late" in limit for limit in step.limits(None))


def test_a_healthy_generator_says_nothing() -> None:
    assert result(0.01).limits(CEILING) == []


def test_the_table_has_a_row_a_step_and_every_remark() -> None:
    text = table(
        run(result(0.01), result(0.02, open_loop=False, cpu=0.99), objective=Objective(99, 0.05))
    )
    assert re.search(r"100/s +102 +100 +10 ms", text)
    assert "c=8 *" in text
    assert "429: 1, timeout: 1" in text
    assert "used 99% of a core" in text
    assert "worker" in text
    assert "predict" in text
    assert "note: a remark" in text
    assert "20,000 requests/s on one core" in text
    assert "highest rate with p99 ≤ 50 ms: none" in text
    assert "1 rows 80%, 32 rows 20%" in text


def test_the_page_carries_the_run_and_nothing_breaks_out_of_it() -> None:
    original = run(result(0.01))
    text = page(original)
    found = re.search(r"const run = (.*);\n", text)
    assert found
    assert json.loads(found[1]) == original
    assert text.count("</script>") == 1
    assert "http://127.0.0.1:1 &lt;/script&gt;" in text
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)


def test_status_codes_are_gathered_but_refusals_stay() -> None:
    assert error_classes({"400": 1, "404": 2, "429": 3, "500": 4, "502": 5, "wrong": 6}) == {
        "4xx": 3,
        "429": 3,
        "5xx": 9,
        "wrong": 6,
    }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_moving_lines_and_then_the_result() -> None:
    stream = Terminal()
    live = Live(stream)
    done = result(0.01)
    live.begin(done.step, "100/s")
    for interval in done.tally.intervals * 2:
        interval.server = {"queue": 3.0}
        live.interval(interval, done.tally)
    live.end(done)
    text = stream.getvalue()
    assert text.count("\x1b[5A\x1b[J") == 2
    assert "queue 3" in text
    assert text.rstrip().endswith("429: 1, timeout: 1")


def test_elsewhere_plain_lines_are_written() -> None:
    stream = io.StringIO()
    live = Live(stream)
    done = result(0.01)
    live.begin(done.step, "100/s")
    live.interval(done.tally.intervals[0], done.tally)
    live.note("careful")
    live.end(done)
    assert "\x1b" not in stream.getvalue()
    assert "note: careful" in stream.getvalue()
