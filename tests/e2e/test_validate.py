"""`pelton validate` as a person runs it: broken models are named with a remedy, good ones pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.endpoint import environment
from tests.integration.validation.logged import ANSWER, BROKEN, write
from tests.zoo import build

pytestmark = pytest.mark.slow

_LIMIT_S = 600.0
_GOOD = ("sklearn4", "sklearn-pipeline", "lightgbm", "onnx", "code-paths", "pyfunc-function")
# What a fault of the files comes to when the model is loaded.
_ALSO = {"LOAD_FAILED": {"IMPORT_NOT_IN_REQUIREMENTS"}, "FILE_MISSING": {"LOAD_FAILED"}}


def _validate(
    model: Path, folder: Path, *arguments: str, **variables: str
) -> tuple[int, dict[str, Any]]:
    command = ["validate", str(model), "--json", "--cache-dir", str(folder / "cache")]
    child = subprocess.run(
        [sys.executable, "-m", "pelton", *command, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    try:
        return child.returncode, json.loads(child.stdout)
    except ValueError:
        raise AssertionError(f"no report: {child.stderr}") from None


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_model_is_named_with_its_remedy(code: str, tmp_path: Path) -> None:
    model = write(tmp_path / "model", BROKEN[code])

    status, report = _validate(
        model,
        tmp_path,
        *("--env", "local", "--warmup-timeout", "10"),
        LOADED_ONCE=str(tmp_path / "loaded"),
    )

    assert status == 1
    found = {finding["code"]: finding for finding in report["findings"]}
    assert found.keys() - _ALSO.get(code, set()) == {code}
    assert found[code]["severity"] in ("error", "warning")
    assert found[code]["message"]
    assert found[code]["remedy"]


@pytest.mark.parametrize("name", _GOOD)
def test_a_good_model_passes(name: str, tmp_path: Path) -> None:
    status, report = _validate(build(name), tmp_path, "--env", "auto")

    assert (status, report["findings"]) == (0, [])
    assert report["prediction"]["status"] == 200
    assert report["measurements"]["two_workers_bytes"] > 0


def test_it_predicts_what_mlflow_predicts(tmp_path: Path) -> None:
    """Each in an environment of its own making."""
    model = write(tmp_path / "model")
    by_mlflow = tmp_path / "by_mlflow.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "mlflow", "models", "predict", "-m", str(model)),
            *("--env-manager", "uv", "-i", str(model / "serving_input_example.json")),
            *("-o", str(by_mlflow)),
        ],
        cwd=tmp_path,
        env=_uv_settings(),
        check=True,
        timeout=_LIMIT_S,
    )
    by_pelton = tmp_path / "by_pelton.json"

    status, report = _validate(
        model, tmp_path, "--env", "isolated", "--output-path", str(by_pelton)
    )

    assert (status, report["findings"]) == (0, [])
    assert by_pelton.read_bytes() == by_mlflow.read_bytes()
    assert json.loads(by_pelton.read_text()) == ANSWER
    assert report["measurements"]["environment"] == "an isolated environment, as asked"


def _uv_settings() -> dict[str, str]:
    """This process's variables, with pip's settings in uv's words for mlflow's use of uv."""
    import os

    from pelton.environment.pipconfig import as_uv

    variables = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return {**as_uv(variables)[0], **variables}
