"""The zoo keeps what it promises to those who build on it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.zoo import MODELS, build, build_all, store


def test_every_model_of_the_catalogue_is_saved() -> None:
    places = build_all(MODELS)

    assert [name for name, place in places.items() if not (place / "MLmodel").is_file()] == []


def test_finding_a_built_model_imports_no_model_library() -> None:
    build("echo")

    program = (
        "import sys; from tests.zoo import build; print(build('echo'));"
        "print(sorted({'mlflow', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=store.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.splitlines() == [str(build("echo")), "[]"]


def test_builders_at_the_same_time_share_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CACHE", tmp_path)

    with ThreadPoolExecutor(3) as pool:
        places = set(pool.map(build, ["echo"] * 3))

    assert len(places) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"lock", *(p.name for p in places)}


def test_key_follows_the_code_and_the_packages() -> None:
    model = MODELS["witness"]

    variants = {
        model.key,
        replace(model, code="echo.py").key,
        replace(model, ships=("zoo_loader.py",)).key,
        replace(model, packages=("scikit-learn",)).key,
        replace(model, name="other").key,
    }
    assert len(variants) == 5


def test_unknown_model_is_named() -> None:
    with pytest.raises(KeyError, match="no-such-model"):
        build("no-such-model")
