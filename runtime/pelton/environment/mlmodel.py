"""The ``MLmodel`` file: what a model says of itself, read without mlflow.

Only plain YAML is looked at, so every mlflow version's files can be read, whatever is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pelton.errors import ModelUriError

FILE_NAME = "MLmodel"


@dataclass(frozen=True)
class MLmodel:
    """The parts of an ``MLmodel`` file that decide how a model is served.

    Attributes:
        flavors: names of the flavors, ``python_function`` among them.
        python_version: the Python that logged the model, as ``X.Y.Z``.
        mlflow_version: the mlflow that logged it; models of mlflow < 1.24 lack it.
        model_uuid: unique to each time a model was logged or saved.
        model_id: mlflow 3's ``m-...``; ``None`` for a model that was saved, not logged.
        env_files: environment manager to file name, e.g. ``{"virtualenv": "python_env.yaml"}``.
        code: directory of ``code_paths`` inside the model.
        input_example: file of the logged example.
        serving_input_example: the same as a request body for ``/invocations``.
        document: the whole file.
    """

    flavors: tuple[str, ...]
    loader_module: str
    python_version: str | None
    mlflow_version: str | None
    model_uuid: str | None
    model_id: str | None
    run_id: str | None
    has_signature: bool
    input_example: str | None
    serving_input_example: str | None
    env_files: Mapping[str, str]
    code: str | None
    document: Mapping[str, Any]

    @property
    def pyfunc(self) -> Mapping[str, Any]:
        """The ``python_function`` flavor's own settings."""
        settings: Mapping[str, Any] = self.document["flavors"]["python_function"]
        return settings


def read_mlmodel(directory: Path) -> MLmodel:
    """Read and check ``directory/MLmodel``.

    Raises:
        ModelUriError: the file is missing, unreadable, cut short, or not a pyfunc model.
    """
    import yaml  # type: ignore[import-untyped] # late: start-up should not pay

    path = directory / FILE_NAME
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelUriError(_missing(directory)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ModelUriError(
            f"{path} is not readable YAML ({reason}): the copy of the model is damaged or "
            "incomplete; fetch or log it again"
        ) from None
    except OSError as error:
        raise ModelUriError(
            f"cannot read {path}: {error.strerror}; check its permissions"
        ) from None
    return parse_mlmodel(document, path)


def parse_mlmodel(document: object, path: Path) -> MLmodel:
    """Check a parsed ``MLmodel`` file; ``path`` is for the messages.

    Raises:
        ModelUriError: it is cut short, or not a pyfunc model.
    """
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(flavors, dict) or not flavors:
        raise ModelUriError(
            f"{path} names no flavors: the copy of the model is incomplete, or the file is not an "
            "MLflow model's; fetch or log it again"
        )
    pyfunc = flavors.get("python_function")
    if not isinstance(pyfunc, dict):
        raise ModelUriError(
            f"{path} has no python_function flavor (it has: {', '.join(map(str, flavors))}); "
            "only models that mlflow.pyfunc can load are served"
        )
    if not isinstance(pyfunc.get("loader_module"), str):
        raise ModelUriError(
            f"{path}: python_function has no loader_module; the file is cut short or was edited"
        )
    example = document.get("saved_input_example_info")
    example = example if isinstance(example, dict) else {}
    return MLmodel(
        flavors=tuple(map(str, flavors)),
        loader_module=pyfunc["loader_module"],
        python_version=_text(pyfunc.get("python_version")),
        mlflow_version=_text(document.get("mlflow_version")),
        model_uuid=_text(document.get("model_uuid")),
        model_id=_text(document.get("model_id")),
        run_id=_text(document.get("run_id")),
        has_signature=bool(document.get("signature")),
        input_example=_text(example.get("artifact_path")),
        serving_input_example=_text(example.get("serving_input_path")),
        env_files=_env_files(pyfunc.get("env")),
        code=_text(pyfunc.get("code")),
        document=document,
    )


def _env_files(env: object) -> Mapping[str, str]:
    """Normalise ``env``: a bare string was conda's file before mlflow 2.0."""
    if isinstance(env, str):
        return {"conda": env}
    if isinstance(env, dict):
        return {str(manager): str(name) for manager, name in env.items() if name}
    return {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _missing(directory: Path) -> str:
    """Say what is there instead of a model."""
    if not directory.exists():
        return f"no such directory: {directory}"
    if not directory.is_dir():
        return f"{directory} is a file; give the directory that holds MLmodel"
    message = f"no MLmodel file in {directory}"
    for pattern in (f"*/{FILE_NAME}", f"*/*/{FILE_NAME}"):
        found = sorted(directory.glob(pattern))
        if found:
            return f"{message}; did you mean {found[0].parent}?"
    return f"{message}: it is not an MLflow model's directory"
