"""`pelton validate`: its arguments reach the validation, and the report its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pelton.validation
from pelton.cli import main
from pelton.environment.finding import Finding, Severity
from pelton.validation.measurement import Measurements
from pelton.validation.report import Report


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the validation was asked; it answers with ``asked["findings"]``."""
    seen: dict[str, Any] = {"findings": ()}

    def validate(model: str, **options: Any) -> Report:
        seen.update(options, model=model)
        options["on_progress"]("loading the model")
        return Report(model, None, seen["findings"], Measurements(), None, 1.0)

    monkeypatch.setattr(pelton.validation, "validate", validate)
    monkeypatch.chdir(tmp_path)
    return seen


def test_arguments(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    line = "validate m -i rows.csv -t csv -o out.json --install-mlflow --workload-type CPU_MEDIUM"
    status = main([*line.split(), "--override", "a==1", "--override", "b>=2,<3 c"])
    assert status == 0
    assert asked["model"] == "m"
    assert (asked["input_path"], asked["content_type"]) == (Path("rows.csv"), "csv")
    assert (asked["output_path"], asked["install_mlflow"]) == (Path("out.json"), True)
    assert asked["pip_requirements_override"] == ("a==1", "b>=2,<3", "c")
    assert asked["env_manager"] == "auto"
    assert asked["settings"].entity.workload_type == "CPU_MEDIUM"
    shown = capsys.readouterr()
    assert "It will serve" in shown.out
    assert "loading the model" in shown.err


@pytest.mark.parametrize("mode", ["auto", "local", "isolated"])
def test_environment(mode: str, asked: dict[str, Any]) -> None:
    assert main(["validate", "m", "--env", mode]) == 0
    assert asked["env_manager"] == mode


@pytest.mark.parametrize(
    ("severity", "status"), [(Severity.NOTE, 0), (Severity.WARNING, 1), (Severity.ERROR, 1)]
)
def test_exit_status(
    severity: Severity,
    status: int,
    asked: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked["findings"] = (Finding("A_CODE", severity, "it is so", "make it otherwise"),)
    assert main(["validate", "m", "--json"]) == status
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["code"], finding["remedy"]) == ("A_CODE", "make it otherwise")


def test_no_model(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 2
    assert "Which model?" in capsys.readouterr().err
