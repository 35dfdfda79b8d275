"""Every way a look-up fails ends in a sentence that says what to do."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from pelton.environment.diagnosis import describe
from pelton.errors import ModelUriError


class MlflowException(Exception):
    """Of the same name as mlflow's, which is how causes are told apart."""

    def __init__(self, message: str, error_code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.error_code = error_code


class NoCredentialsError(Exception):
    """Of the same name as botocore's."""


class ClientError(Exception):
    """Of the same shape as botocore's."""

    response = {"Error": {"Code": "AccessDenied"}}  # noqa: RUF012 -- as botocore's


class Registry:
    """A registry with one model, ``demo``."""

    def get_registered_model(self, name: str) -> Any:
        if name != "demo":
            raise MlflowException("not found")
        return SimpleNamespace(name=name, aliases={"champion": "3"})

    def search_model_versions(self, query: str, max_results: int) -> list[Any]:
        assert query == "name='demo'"
        return [SimpleNamespace(version=str(number)) for number in (1, 10, 3)]

    def search_registered_models(self, max_results: int) -> list[Any]:
        return [SimpleNamespace(name="demo"), SimpleNamespace(name="other")]


def _describe(error: BaseException, uri: str) -> str:
    return describe(error, uri, lambda _: Registry())


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


_ABSENT = MlflowException("Model Version not found", "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    ("error", "uri", "expected"),
    [
        (_ABSENT, "models:/demo/7", "demo has the versions 10, 3, 1 and the aliases @champion"),
        (_ABSENT, "models:/demo@nope", "demo has the versions 10, 3, 1 and the aliases @champion"),
        (_ABSENT, "models:/demp/1", "did you mean demo?"),
        (_ABSENT, "models:/zzz/1", "the registry has demo, other"),
        (_ABSENT, "runs:/0/model", "looked in http://tracking:5000"),
        (ConnectionError("refused"), "models:/demo/1", "MLFLOW_TRACKING_URI=http://tracking:5000"),
        (ConnectionError("refused"), "s3://bucket/m", "the store of s3://bucket/m cannot be reach"),
        (NoCredentialsError("none"), "s3://bucket/m", "AWS_ACCESS_KEY_ID"),
        (ClientError("no"), "s3://bucket/m", "check that they may read it"),
        (MlflowException("API failed with error code 401"), "runs:/0/m", "MLFLOW_TRACKING_TOKEN"),
        (MlflowException("no", "PERMISSION_DENIED"), "models:/demo/1", "was denied"),
        (ModuleNotFoundError("x", name="botocore.config"), "s3://b/m", "pip install it"),
        (ModuleNotFoundError("x", name="google.cloud"), "gs://b/m", "google-cloud-storage"),
        (OSError(errno.ENOSPC, "full"), "s3://b/m", "no space left on the disk"),
        (_caused(MlflowException("x"), OSError(errno.ENOSPC, "full")), "s3://b/m", "no space left"),
        (MlflowException("failures:\n# a #\nNo space left on device"), "s3://b/m", "no space left"),
        (MlflowException("failures:\n# a #\ntoo odd\nmore"), "s3://b/m", "failures: # a # too odd"),
        (ModelUriError("as it is"), "s3://b/m", "as it is"),
        (ValueError("odd\nsecond line"), "s3://b/m", "cannot be fetched: ValueError: odd"),
    ],
)
def test_failures_are_told_with_the_next_step(
    error: BaseException, uri: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@tracking:5000")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    message = _describe(error, uri)
    assert expected in message
    assert "secret" not in message
    assert "\n" not in message


def test_a_missing_tracking_uri_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    assert "MLFLOW_TRACKING_URI is not set" in _describe(_ABSENT, "runs:/0/model")


def test_a_registry_that_cannot_list_does_not_hide_the_first_error() -> None:
    def broken(_: str) -> Any:
        raise RuntimeError("second")

    message = describe(_ABSENT, "models:/demo/7", broken)
    assert "Model Version not found" in message
    assert "second" not in message
