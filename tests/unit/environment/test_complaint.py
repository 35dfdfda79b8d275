"""uv's own words, as uv 0.13 prints them, and what is made of them."""

from __future__ import annotations

import pytest

from pelton.environment.complaint import explain
from pelton.environment.requirement import parse_lines

_REQUIREMENTS = [
    "# the model's",
    "mlflow==3.1.4",
    "six==1.16.0",
    "Scikit_Learn==1.5.0",
    "torch==2.3.1+cu121",
    "wheels/own-1.0-py3-none-any.whl",
    "-r more.txt",
    "scikit learn",
]
_UNSATISFIABLE = "error: No solution found when resolving dependencies\n  cause: "


@pytest.mark.parametrize(
    ("stderr", "line", "remedy"),
    [
        (
            f"{_UNSATISFIABLE}Because there is no version of six==1.16.0 and you require "
            "six==1.16.0, we can conclude that your requirements are unsatisfiable.",
            "line 3: six==1.16.0",
            "no index has this version",
        ),
        (
            f"{_UNSATISFIABLE}Because scikit-learn was not found in the package registry and you "
            "require scikit-learn==1.5.0, we can conclude that your requirements are "
            "unsatisfiable.",
            "line 4: Scikit_Learn==1.5.0",
            "no index has the package",
        ),
        (
            f"{_UNSATISFIABLE}Because there is no version of torch==2.3.1+cu121 and you require "
            "torch==2.3.1+cu121, we can conclude that your requirements are unsatisfiable.",
            "line 5: torch==2.3.1+cu121",
            "UV_INDEX=https://download.pytorch.org/whl/cu121",
        ),
        (
            "error: Distribution not found at: file:///m/wheels/own-1.0-py3-none-any.whl",
            "line 6: wheels/own-1.0-py3-none-any.whl",
            "log it again",
        ),
        (
            "error: Couldn't parse requirement in `requirements.txt` at position 0\n"
            "  cause: Expected one of `@`, found `l`\n         scikit learn\n                ^",
            "line 8: scikit learn",
            "correct the line",
        ),
        (
            "   Building six==1.16.0\nerror: Failed to build `six==1.16.0`\n"
            "  cause: The build backend returned an error",
            "line 3: six==1.16.0",
            "building from source failed",
        ),
        (
            f"{_UNSATISFIABLE}Because mlflow==3.1.4 depends on numpy<3 and six==1.16.0 depends on "
            "numpy>=3, we can conclude that mlflow==3.1.4 and six==1.16.0 are incompatible. And "
            "because you require mlflow==3.1.4 and six==1.16.0, we can conclude that your "
            "requirements are unsatisfiable.",
            "line 2: mlflow==3.1.4\n  requirements.txt line 3: six==1.16.0",
            "contradict each other",
        ),
    ],
)
def test_the_line_at_fault_is_named_with_the_next_step(stderr: str, line: str, remedy: str) -> None:
    message = explain(stderr, list(parse_lines(_REQUIREMENTS, "requirements.txt")))
    assert f"at fault:\n  requirements.txt {line}\nnext step: " in message
    assert remedy in message.rpartition("next step:")[2]
    assert "error:" not in message


@pytest.mark.parametrize(
    ("stderr", "remedy"),
    [
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        (
            "error: Request failed after 3 retries\n  cause: error sending request for url (http)",
            "the index cannot be reached",
        ),
        ("error: HTTP status client error (401 Unauthorized)", "wants a login"),
        ("hint: Packages were unavailable because the network was disabled.", "UV_OFFLINE"),
        ("error: Git operation failed", "check its address"),
        ("error: something new", "--override NAME==VERSION"),
    ],
)
def test_faults_of_no_line_have_a_next_step_too(stderr: str, remedy: str) -> None:
    message = explain(stderr, [])
    assert "at fault" not in message
    assert remedy in message.rpartition("next step:")[2]


def test_long_complaints_are_shortened_in_the_middle() -> None:
    message = explain("error: begin\n" + "x\n" * 10_000 + "end", [])
    assert len(message) < 3000
    assert "begin" in message
    assert "\nend\n" in message
