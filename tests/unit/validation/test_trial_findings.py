"""What trials show, in words with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pelton.batching.entry import About, Answer
from pelton.environment.finding import Finding, Severity
from pelton.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    EnvironmentError_,
    LoadFailed,
    ModelUriError,
    PeltonError,
    WarmupFailed,
    WorkerCrashed,
)
from pelton.validation import trial_findings


def _answer(body: str, status: int = 200) -> Answer:
    return Answer(About(status, "application/json"), body.encode())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelUriError("no such directory"), "MODEL_UNREADABLE"),
        (EnvironmentError_("no such package"), "ENVIRONMENT_FAILED"),
        (LoadFailed("it raises"), "LOAD_FAILED"),
        (WarmupFailed("too slow"), "WARMUP_FAILED"),
        (BudgetExceeded("too large"), "BUDGET_EXCEEDED"),
        (WorkerCrashed("gone"), "PREDICTION_FAILED"),
        (DeadlineExceeded("late", stage="predict"), "PREDICTION_FAILED"),
    ],
)
def test_each_error_has_a_code_and_a_remedy(error: PeltonError, code: str) -> None:
    found = trial_findings.of_error(error)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert str(error) in found.message
    assert found.remedy


def test_a_missing_module_is_named_in_the_remedy() -> None:
    found = trial_findings.of_error(LoadFailed("ModuleNotFoundError: No module named 'cv2.dnn'"))
    assert "if cv2 is a package" in found.remedy


def test_of_a_long_traceback_the_end_is_kept() -> None:
    lines = "\n".join(f"line {number}" for number in range(100))
    message = trial_findings.of_error(LoadFailed(lines)).message
    assert message.startswith("line 0\n")
    assert message.endswith("line 98\nline 99")
    assert len(message.splitlines()) == 42


def test_what_a_warm_up_says_against_a_model() -> None:
    refused = {"example": "refused", "detail": "status 400: no column x"}
    (found,) = trial_findings.of_warmup(refused)
    assert (found.code, "no column x" in found.message) == ("EXAMPLE_REFUSED", True)
    odd = {"example": "answered", "detail": "", "output_mismatch": "2 columns, not 1"}
    (found,) = trial_findings.of_warmup(odd)
    assert (found.code, "2 columns, not 1" in found.message) == ("OUTPUT_MISMATCH", True)
    assert list(trial_findings.of_warmup({"example": "none", "detail": ""})) == []


def test_only_the_users_own_input_can_be_refused_here() -> None:
    refused = _answer('{"error_code": "BAD_REQUEST"}', 400)
    (found,) = trial_findings.of_answer(refused, is_example=False)
    assert (found.code, found.severity) == ("INPUT_REFUSED", Severity.ERROR)
    assert "BAD_REQUEST" in found.message
    assert list(trial_findings.of_answer(refused, is_example=True)) == []
    assert list(trial_findings.of_answer(_answer("{}"), is_example=False)) == []


@pytest.mark.parametrize(
    ("first", "again", "reloaded", "codes"),
    [
        ("[1.0]", "[1.0]", "[1.0]", []),
        ("[1.0]", "[1.0]", "[1.00000000001]", []),
        ("[1.0]", "[1.0]", "[2.0]", ["RELOAD_DIFFERS"]),
        ("[1.0]", "[1.5]", "[2.0]", ["ANSWERS_VARY"]),
    ],
)
def test_repeated_answers(first: str, again: str, reloaded: str, codes: list[str]) -> None:
    found = trial_findings.of_repetition(_answer(first), _answer(again), _answer(reloaded))
    assert [finding.code for finding in found] == codes


def test_a_varying_model_must_still_answer_when_reloaded() -> None:
    found = trial_findings.of_repetition(_answer("[1]"), _answer("[2]"), _answer("no", 400))
    assert [finding.code for finding in found] == ["ANSWERS_VARY", "RELOAD_DIFFERS"]


def test_the_others_have_remedies_too() -> None:
    found: list[Finding] = [
        trial_findings.of_second_worker(LoadFailed("the port is taken")),
        trial_findings.of_reload_error(LoadFailed("the file exists")),
        trial_findings.example_not_asked(),
        trial_findings.fewer_slots(1, 4, "4 slots x 4 GB = 16 GB of 8 GB"),
    ]
    assert all(finding.remedy and finding.message for finding in found)


def test_every_code_is_documented() -> None:
    root = Path(__file__).resolve().parents[3]
    source = (root / "runtime/pelton/validation/trial_findings.py").read_text()
    codes = set(re.findall(r'Finding\(\s*"([A-Z_]+)"', source))
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (root / "docs/validation.md").read_text(), re.M)
    )
    assert codes == documented
    assert len(codes) > 10


def test_an_example_that_takes_too_long_is_not_called_refused() -> None:
    detail = "status 400: WarmupFailed: The model did not answer its own input example within 10 s."
    (found,) = trial_findings.of_warmup({"example": "refused", "detail": detail})
    assert found.code == "WARMUP_FAILED"
