"""Models are tried by real workers, and nothing of them is left."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.validation.logged import ANSWER, BROKEN, REQUEST, predicting, write

from pelton.environment.finding import Severity
from pelton.errors import ConfigError
from pelton.settings import Settings
from pelton.validation import Report, validate


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    base = Settings()
    return replace(
        base,
        updates=replace(base.updates, cache_dir=tmp_path / "cache"),
        workers=replace(base.workers, load_timeout=300.0, warmup_timeout=120.0),
    )


def _try(folder: Path, settings: Settings, **options: Any) -> Report:
    before = _children()
    report = validate(str(folder), settings=settings, **options)
    assert _children() == before, "a process was left behind"
    return report


def _children() -> list[str]:
    return sorted(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_a_good_model_is_measured(tmp_path: Path, settings: Settings) -> None:
    said: list[str] = []

    report = _try(write(tmp_path / "model"), settings, on_progress=said.append)

    assert (report.ok, list(report.findings)) == (True, [])
    assert report.prediction is not None
    assert json.loads(report.prediction.text) == ANSWER
    measured = report.measurements
    for name in ("load_s", "reload_s", "one_worker_bytes", "two_workers_bytes", "used_bytes"):
        assert getattr(measured, name) > 0, name
    assert measured.two_workers_bytes > measured.one_worker_bytes  # type: ignore[operator]
    assert measured.predictions is not None
    assert measured.predictions.count >= 3
    assert (measured.fast_path, measured.batching) == (True, True)
    assert (measured.workload_type, measured.slots) == ("CPU", measured.slots)
    assert "loading the model" in said
    assert "It will serve: nothing found" in str(report)


@pytest.mark.slow
def test_the_users_own_input_is_predicted(tmp_path: Path, settings: Settings) -> None:
    """In a notebook there is a loop running already."""
    csv, answer = tmp_path / "input.csv", tmp_path / "answer.json"
    csv.write_text("x\n10\n")
    model = write(tmp_path / "model")

    async def in_a_notebook() -> Report:
        return validate(
            str(model), input_path=csv, content_type="csv", output_path=answer, settings=settings
        )

    assert asyncio.run(in_a_notebook()).ok
    assert json.loads(answer.read_text()) == {"predictions": [{"x": 20.0}]}


def test_a_model_that_does_not_load(tmp_path: Path, settings: Settings) -> None:
    report = _try(write(tmp_path / "model", BROKEN["LOAD_FAILED"]), settings)

    found = {finding.code: finding for finding in report.findings}
    assert not report.ok
    assert "No module named 'nowhere_to_be_found'" in found["LOAD_FAILED"].message
    assert "pelton requirements MODEL_URI add" in found["LOAD_FAILED"].remedy
    assert found["IMPORT_NOT_IN_REQUIREMENTS"].severity is Severity.WARNING
    assert "nowhere_to_be_found (code/doubling.py line 1)" in str(report)


def test_an_environment_that_cannot_be_built(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    report = _try(
        write(tmp_path / "model"),
        settings,
        env_manager="uv",
        pip_requirements_override=["pandas==99"],
    )

    (found,) = report.findings
    assert (found.code, found.severity) == ("ENVIRONMENT_FAILED", Severity.ERROR)
    assert report.measurements.load_s is None


@pytest.mark.slow
def test_answers_that_vary_are_no_fault_of_loading(tmp_path: Path, settings: Settings) -> None:
    model = write(
        tmp_path / "model", predicting("import random", "return model_input * random.random()")
    )
    report = _try(model, settings)

    assert [finding.code for finding in report.findings] == ["ANSWERS_VARY"]
    assert report.ok


@pytest.mark.slow
def test_a_model_that_loads_differently_each_time(tmp_path: Path, settings: Settings) -> None:
    report = _try(write(tmp_path / "model", BROKEN["RELOAD_DIFFERS"]), settings)

    assert [finding.code for finding in report.findings] == ["RELOAD_DIFFERS"]
    assert not report.ok


def test_no_model(tmp_path: Path, settings: Settings) -> None:
    (found,) = _try(tmp_path / "nowhere", settings).findings
    assert (found.code, found.severity) == ("MODEL_UNREADABLE", Severity.ERROR)
    assert "no such directory" in found.message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"env_manager": "docker"}, "docker"),
        ({"content_type": "xml"}, "'xml'"),
        ({"input_data": 1, "input_path": "x"}, "not both"),
        ({"input_path": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        validate("model", **options)


@pytest.mark.slow
def test_data_becomes_a_request_as_mlflow_makes_one(tmp_path: Path, settings: Settings) -> None:
    from pelton.validation import question

    asked = question.given({"x": [1.0, 2.5]}, None, "json")
    assert asked is not None
    assert json.loads(asked.body) == {"inputs": {"x": [1.0, 2.5]}}
    table = question.given([{"x": 1.0}, {"x": 2.5}], None, "csv")
    assert table is not None
    assert (table.media_type, table.body) == ("text/csv", b"x\n1.0\n2.5\n")
    path = tmp_path / "request.json"
    path.write_text(REQUEST)
    given = question.given(None, path, "json")
    assert given is not None
    assert given.body == REQUEST.encode()
