"""What a model is asked: the user's own input, or the input example it was logged with."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pelton.environment.artifacts import LocalModel
from pelton.errors import ConfigError

ContentType = Literal["json", "csv"]
MEDIA_TYPES: Final = {"json": "application/json", "csv": "text/csv"}


@dataclass(frozen=True)
class Question:
    """A request to ``/invocations``.

    Attributes:
        media_type: its content type.
        body: its bytes.
        is_example: whether it is the model's own input example.
    """

    media_type: str
    body: bytes
    is_example: bool = False


def given(data: Any, path: str | Path | None, content_type: str) -> Question | None:
    """Return the user's question, if there is one.

    Args:
        data: anything that the model's ``predict`` takes; put into a request as
            ``mlflow.models.predict`` does.
        path: a file that holds a request.
        content_type: "json" or "csv": what the file is, or what the data becomes.

    Raises:
        ConfigError: both are given, the file cannot be read, or the data is not for a request.
    """
    if content_type not in MEDIA_TYPES:
        raise ConfigError(f"content_type: {content_type!r} is neither 'json' nor 'csv'.")
    media_type = MEDIA_TYPES[content_type]
    if data is not None and path is not None:
        raise ConfigError("Give input_data or input_path, not both.")
    if data is not None:
        return Question(media_type, _serialized(data, content_type).encode())
    if path is None:
        return None
    try:
        return Question(media_type, Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"Cannot read the input {path}: {error.strerror}.") from error


def example(model: LocalModel) -> Question | None:
    """Return the model's input example, if it was saved in the form of a request.

    mlflow 2.15 and later do; before, there is only the bare example.
    """
    path = model.path / (model.mlmodel.serving_input_example or "serving_input_example.json")
    try:
        return Question(MEDIA_TYPES["json"], path.read_bytes(), is_example=True)
    except OSError:
        return None


def _serialized(data: Any, content_type: str) -> str:
    """Write data as a request; who has data has mlflow and pandas in this process already."""
    try:
        if content_type == "json":
            models = importlib.import_module("mlflow.models")
            return str(models.convert_input_example_to_serving_input(data))
        if isinstance(data, str):
            return data
        return str(importlib.import_module("pandas").DataFrame(data).to_csv(index=False))
    except Exception as error:  # whatever pandas, NumPy or mlflow raise for data of another kind
        raise ConfigError(f"input_data cannot be written as {content_type}: {error}") from error
