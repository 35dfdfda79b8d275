"""`pelton requirements`: refused before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pelton.cli import main


def test_what_is_no_requirement_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["requirements", str(tmp_path), "add", "not a requirement"]) == 1
    assert "'not a requirement' is not a requirement" in capsys.readouterr().err


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["requirements", str(tmp_path / "none"), "remove", "six"]) == 1
    assert "no such directory" in capsys.readouterr().err
