from __future__ import annotations

import json
from pathlib import Path

import pytest

from pelton import compiled
from pelton.cli import COMMANDS, main
from pelton.cli.serve import curl
from pelton.settings import options
from pelton_kernels import json_lists


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for option in options():
        monkeypatch.delenv(option.variable, raising=False)
        if option.mlflow:
            monkeypatch.delenv(option.mlflow, raising=False)


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().out
    assert all(command in told for command in COMMANDS)


def test_check_tells_each_setting_and_where_it_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pelton.toml").write_text('max_payload = "2MB"\ntoken = "secret"\n')
    monkeypatch.setenv("PELTON_TIMEOUT", "7")
    assert main(["check", "models:/a/1", "--concurrency", "3", "--no-access-log"]) == 0
    told = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
    assert rows["model"] == ["models:/a/1"]
    assert rows["max_payload"] == ["2MB", "pelton.toml"]
    assert rows["timeout"] == ["7", "PELTON_TIMEOUT"]
    assert rows["concurrency"] == ["3", "flag", "--concurrency"]
    assert rows["access_log"] == ["false", "flag", "--access-log"]
    assert "secret" not in told
    assert {option.name for option in options()} <= rows.keys()


@pytest.mark.parametrize(("is_there", "said"), [(True, "compiled."), (False, "not compiled, so")])
def test_check_tells_what_is_compiled(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_there: bool,
    said: str,
) -> None:
    monkeypatch.setattr(json_lists, "_library", object() if is_there else None)
    monkeypatch.setattr(compiled, "core", object() if is_there else None)
    assert main(["check"]) == 0
    told = capsys.readouterr().out
    for what in ("Kernel for lists of numbers", "Front end"):
        assert f"{what}: {said}" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve"], "Which model?"),
        (["serve", "x", "--port", "many"], "'many' is no whole number"),
        (["check", "--config", "nowhere.toml"], "Cannot read nowhere.toml"),
    ],
)
def test_wrong_settings_are_one_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("pelton: ")
    assert message in error
    assert "Traceback" not in error


def test_unknown_flag_is_argparses_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "--concurency", "3"])
    assert "--concurency" in capsys.readouterr().err


# The line that `serve` prints


def test_small_example_stands_in_the_line_however_it_is_indented(tmp_path: Path) -> None:
    example = {"inputs": [[1.5, 2.0]], "params": {"a": "b c"}}
    (tmp_path / "serving_input_example.json").write_text(json.dumps(example, indent=2))
    line = curl("http://h:1", str(tmp_path))
    assert line.startswith("curl http://h:1/invocations -H 'content-type: application/json' -d '")
    assert json.loads(line.split("-d '")[1].removesuffix("'")) == example


@pytest.mark.parametrize("example", [{"inputs": ["it's"]}, {"inputs": list(range(1000))}])
def test_other_examples_are_named(tmp_path: Path, example: dict[str, object]) -> None:
    path = tmp_path / "serving_input_example.json"
    path.write_text(json.dumps(example))
    assert curl("http://h:1", f"file:{tmp_path}").endswith(f"-d @'{path}'")


def test_without_an_example_readiness_is_asked(tmp_path: Path) -> None:
    assert curl("http://h:1", "models:/a/1") == "curl http://h:1/v2/health/ready"
