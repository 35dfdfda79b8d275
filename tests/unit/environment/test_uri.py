from pathlib import Path

import pytest

from pelton.environment.uri import local_path, names_fixed_version
from pelton.errors import ModelUriError


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/models/a", Path("/models/a")),
        ("file:/models/a", Path("/models/a")),
        ("file:///models/a%20b", Path("/models/a b")),
        ("file://localhost/models/a", Path("/models/a")),
        ("models/a", Path.cwd() / "models/a"),
        ("./a:b", Path.cwd() / "a:b"),
    ],
)
def test_local_uris_are_paths(uri: str, expected: Path) -> None:
    assert local_path(uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        *("models:/m/1", "models:/m@champion", "models:/m-0123", "models://profile@databricks/m/1"),
        *("runs:/0123/model", "mlflow-artifacts:/0/a", "s3://bucket/key", "gs://bucket/key"),
    ],
)
def test_everything_else_is_for_mlflow(uri: str) -> None:
    assert local_path(uri) is None


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("models:m/1", r"did you mean models:/m/1\?"),
        ("runs:0123/model", r"did you mean runs:/0123/model\?"),
        ("file://models/a", "write file:///absolute/path"),
    ],
)
def test_malformed_uris_are_explained(uri: str, advice: str) -> None:
    with pytest.raises(ModelUriError, match=advice):
        local_path(uri)


@pytest.mark.parametrize(
    ("uri", "fixed"),
    [
        ("models:/m/1", True),
        ("models:/m-0123456789", True),
        ("models:/m-0123456789/", True),
        ("runs:/0123/model", True),
        ("s3://bucket/key", True),
        ("models:/m/latest", False),
        ("models:/m/Production", False),
        ("models:/m@champion", False),
        ("models:/m-odd@champion", False),
    ],
)
def test_only_aliases_stages_and_latest_can_move(uri: str, fixed: bool) -> None:
    assert names_fixed_version(uri) is fixed
