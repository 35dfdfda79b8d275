"""`pelton env`: what is kept, and what is deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pelton.cli import main


def _entry(cache: Path, key: str, *, complete: bool = True) -> None:
    folder = cache / "envs" / key
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x" * 4096)
    if complete:
        facts = {"model": "/models/a", "python": "3.11.7", "mlflow": "3.1.4", "packages": {}}
        (folder / ".complete").write_text(json.dumps(facts))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def test_list(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "list", "--cache-dir", str(cache)]) == 0
    assert capsys.readouterr().out == f"no environments in {cache}/envs\n"
    _entry(cache, "a1")
    _entry(cache, "b2", complete=False)
    assert main(["env", "list", "--cache-dir", str(cache)]) == 0
    shown = capsys.readouterr().out
    assert "Python 3.11.7, mlflow 3.1.4\n  /models/a\n" in shown
    assert "broken off" in shown
    assert main(["env", "list", "--json", "--cache-dir", str(cache)]) == 0
    entries = {entry["key"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["a1"]["python"] == "3.11.7"
    assert (entries["a1"]["complete"], entries["b2"]["complete"]) == (True, False)


def test_prune(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _entry(cache, "a1")
    _entry(cache, "b2", complete=False)
    assert main(["env", "prune", "--unused-for", "1h", "--cache-dir", str(cache)]) == 0
    assert [path.name for path in (cache / "envs").iterdir() if path.is_dir()] == ["a1"]
    assert main(["env", "prune", "--cache-dir", str(cache)]) == 0
    assert "deleted 1, 0 MB freed" in capsys.readouterr().out
    assert list((cache / "envs").iterdir()) == []


def test_wrong_usage(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "prune", "--unused-for", "soon", "--cache-dir", str(cache)]) == 2
    assert main(["env", "build", "--cache-dir", str(cache)]) == 2
    said = capsys.readouterr().err
    assert "--unused-for: 'soon' is no duration" in said
    assert "Which model?" in said
