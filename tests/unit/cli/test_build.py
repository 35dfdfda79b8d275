"""`pelton build --dry-run`, and what is wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.validation.logged import write

from pelton.cli import main


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, context = write(tmp_path / "model"), tmp_path / "context"
    options = ["--base-image", "mine:1", "--builder-option=--network=host"]
    assert main(["build", str(model), "-t", "a:1", "--dry-run", str(context), *options]) == 0
    assert capsys.readouterr().out == (
        f"docker build --tag a:1 --build-arg BASE_IMAGE=mine:1 --network=host {context}\n"
    )
    assert (context / "Dockerfile").is_file()
    assert (context / "model" / "MLmodel").is_file()
    assert (context / "environment" / "requirements.txt").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-t", "a:1"], "Which model?"),
        (["model"], "--dry-run DIR"),
        (["model", "-t", "a:1", "--time-limit", "soon"], "--time-limit"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["build", *arguments]) == 2
    assert said in capsys.readouterr().err
