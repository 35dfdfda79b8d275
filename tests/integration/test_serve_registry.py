"""A model in a real registry is served by each way of naming it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Serve
from tests.e2e.endpoint import pelton
from tests.registry import Registry

pytestmark = pytest.mark.xdist_group("registry")


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("models:/echo/1", "echo-1"),
        ("models:/echo@champion", "echo-1"),
        ("runs:/{registry.run_ids[1]}/model", None),
        ("models:/{registry.model_ids[1]}", None),
    ],
)
def test_model_of_a_registry(
    uri: str,
    name: str | None,
    registry: Registry,
    live_endpoint: Serve,
    tmp_path: Path,
) -> None:
    endpoint = live_endpoint(
        uri.format(registry=registry),
        *("--concurrency", "1", "--cache-dir", str(tmp_path)),
        variables={"MLFLOW_TRACKING_URI": registry.uri},
    )

    answer = endpoint.ask({"dataframe_split": {"columns": ["x"], "data": [[1.5]]}})

    assert (answer.status_code, answer.json()) == (200, {"predictions": [{"x": 1.5}]})
    if name is not None:
        assert answer.headers["served-model-name"] == name


def test_version_that_is_not_there(registry: Registry, tmp_path: Path) -> None:
    ended = pelton(
        *("serve", "models:/echo/99", "--port", "0", "--cache-dir", str(tmp_path)),
        cwd=tmp_path,
        MLFLOW_TRACKING_URI=registry.uri,
    )

    assert ended.returncode == 3, ended.stderr
    message = ended.stderr.rpartition("pelton: ")[2]
    assert "models:/echo/99" in message
    assert "Traceback" not in message
