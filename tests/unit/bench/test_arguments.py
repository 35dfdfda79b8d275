from pathlib import Path

import pytest

from pelton.bench import arguments
from pelton.bench.step import ClosedStep, OpenStep
from pelton.errors import ConfigError


def parsed(*argv: str) -> arguments.argparse.Namespace:
    return arguments.parser().parse_args(["http://127.0.0.1:1", *argv])


def test_the_default_is_a_closed_loop_at_three_concurrencies() -> None:
    steps = arguments.steps_of(parsed())
    assert steps == [ClosedStep(c, 10.0) for c in (1, 8, 32)]


def test_rates_ramps_and_callers_are_steps_in_that_order() -> None:
    steps = arguments.steps_of(
        parsed("--concurrency", "4", "--ramp", "10:20", "--rate", "5,6", "--arrivals", "constant")
    )
    assert [type(step) for step in steps] == [OpenStep, OpenStep, OpenStep, ClosedStep]
    assert [step.title for step in steps] == ["5/s", "6/s", "10 → 20/s", "c=4"]
    assert isinstance(steps[0], OpenStep)
    assert not steps[0].arrivals.poisson


def test_a_search_alone_has_no_other_steps() -> None:
    assert arguments.steps_of(parsed("--slo", "p99=50ms")) == []


def test_what_follows_two_dashes_goes_to_serve() -> None:
    assert arguments.split_serve_arguments(["m", "--rate", "1", "--", "--env", "local"]) == (
        ["m", "--rate", "1"],
        ["--env", "local"],
    )
    assert arguments.split_serve_arguments(["m"]) == (["m"], [])


def test_a_wrong_value_says_what_would_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parsed("--slo", "fast")
    assert exit_.value.code == 2
    assert "p99=50ms" in capsys.readouterr().err


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "secret")
    monkeypatch.setenv("DATABRICKS_TOKEN", "other")
    assert arguments.token_of(parsed("--token-from", "MINE")) == "secret"
    assert arguments.token_of(parsed()) is None  # never sent in the clear unasked
    over_tls = arguments.parser().parse_args(["https://host/x"])
    assert arguments.token_of(over_tls) == "other"
    monkeypatch.delenv("MINE")
    with pytest.raises(ConfigError, match="MINE"):
        arguments.token_of(parsed("--token-from", "MINE"))


def test_json_can_go_to_standard_output() -> None:
    assert parsed("--json", "-").json == Path("-")


def test_help_teaches_the_loops(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert "Open loop" in text
    assert "pelton bench models:/fraud/3" in text
