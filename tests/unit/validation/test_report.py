"""A report for people and for programs."""

from __future__ import annotations

import json

from pelton.environment.finding import Finding, Severity
from pelton.validation.measurement import Measurements, Predictions
from pelton.validation.report import Prediction, Report

_MEASURED = Measurements(
    python="3.11.7",
    mlflow="3.1.4",
    environment="an isolated environment, as asked",
    environment_s=0.1,
    load_s=2.5,
    reload_s=3.0,
    forked=True,
    one_worker_bytes=200 * 1024**2,
    two_workers_bytes=220 * 1024**2,
    predictions=Predictions.of([0.002, 0.001, 0.003], "fast"),
    fast_path=True,
    fast_path_reason="every answer agrees",
    batching=False,
    batching_reason="rows depend on each other",
    workload_type="CPU",
    budget_bytes=4 * 1024**3,
    used_bytes=180 * 1024**2,
    slots=2,
    slots_reason="2 slots x 4 GB = 8 GB of 16 GB",
)


def _report(*findings: Finding) -> Report:
    answer = Prediction(200, "application/json", '{"predictions": [1]}')
    return Report("models:/a/1", "models:/a/1", findings, _MEASURED, answer, 7.25)


def test_a_note_is_no_fault() -> None:
    note = Finding("ANSWERS_VARY", Severity.NOTE, "they vary", "nothing")
    warning = Finding("NO_SIGNATURE", Severity.WARNING, "none", "log one")
    assert _report().ok
    assert _report(note).ok
    assert not _report(note, warning).ok
    assert not _report(Finding("LOAD_FAILED", Severity.ERROR, "no", "correct it")).ok


def test_it_can_be_read() -> None:
    text = str(_report(Finding("LOAD_FAILED", Severity.ERROR, "raised\n  trace", "correct it")))
    assert (
        text
        == """\
model      models:/a/1
runs in    an isolated environment, as asked

error      LOAD_FAILED
           raised
             trace
           remedy: correct it

versions         Python 3.11.7, mlflow 3.1.4
environment      0.1 s
load             2.5 s; in a fresh process 3.0 s
prediction time  2.00 ms (median of 3, slowest 3.0 ms, by the fast path)
memory           one worker 200 MB, two workers 220 MB (forked)
fast path        yes: every answer agrees
micro-batching   no: rows depend on each other
workload type    CPU: fits, 180 MB of 4 GB a worker
slots here       2 (2 slots x 4 GB = 8 GB of 16 GB)
prediction       {"predictions": [1]}

Not as it should be: 1 error (7.2 s)."""
    )


def test_it_is_json_too() -> None:
    report = json.loads(json.dumps(_report().as_dict()))
    assert (report["ok"], report["findings"], report["seconds"]) == (True, [], 7.25)
    assert report["measurements"]["predictions"]["median_s"] == 0.002
    assert report["prediction"]["text"] == '{"predictions": [1]}'


def test_what_was_not_reached_is_left_out() -> None:
    report = Report("models:/a/1", None, (), Measurements(), None, 0.5)
    assert str(report) == "model      models:/a/1\n\nIt will serve: nothing found (0.5 s)."
