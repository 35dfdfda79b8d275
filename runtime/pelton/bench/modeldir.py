"""What a saved model says of its own input: its MLmodel file and its input example.

Read as the files they are; MLflow is not imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]

from pelton.errors import ModelUriError

_RESOLVE: Final = "import sys, mlflow.artifacts as a; print(a.download_artifacts(sys.argv[1]))"
_RESOLVE_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True)
class ModelDir:
    """A model's local folder.

    Attributes:
        path: the folder with the MLmodel file.
        mlmodel: that file's content.
    """

    path: Path
    mlmodel: dict[str, Any]

    @classmethod
    def open(cls, uri: str) -> ModelDir:
        """Open a model by folder or by any URI that MLflow knows.

        Raises:
            ModelUriError: there is no such model, or its MLmodel cannot be read.
        """
        path = Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else Path(uri)
        if not (path / "MLmodel").is_file():
            if path.is_dir() or ":" not in uri:
                raise ModelUriError(f"{uri} is not a model: there is no file {path / 'MLmodel'}")
            path = _download(uri)
        try:
            content = yaml.safe_load((path / "MLmodel").read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ModelUriError(f"{path / 'MLmodel'} cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise ModelUriError(f"{path / 'MLmodel'} is not an MLmodel file")
        return cls(path, content)

    @property
    def inputs(self) -> list[dict[str, Any]] | None:
        """The signature's inputs as MLflow writes them; ``None`` without a signature."""
        signature = self.mlmodel.get("signature") or {}
        inputs = signature.get("inputs")
        return json.loads(inputs) if inputs else None

    @property
    def has_type_hints(self) -> bool:
        """Whether the signature was made from type hints (only ``inputs`` is taken then)."""
        return bool(self.mlmodel.get("is_signature_from_type_hint"))

    def example(self) -> Any:
        """Return the logged input example as a request, ``None`` without one.

        Raises:
            ModelUriError: the MLmodel names an example that is not there or not JSON.
        """
        info = self.mlmodel.get("saved_input_example_info")
        if not info:
            return None
        ready = info.get("serving_input_path")
        try:
            if ready:
                return json.loads((self.path / ready).read_bytes())
            saved = json.loads((self.path / info["artifact_path"]).read_bytes())
        except (OSError, ValueError, KeyError) as error:
            raise ModelUriError(f"the input example of {self.path}: {error!r}") from error
        # MLflow before 2.16 wrote no ready-made request.
        if info.get("type") == "dataframe":
            return {"dataframe_split": {k: saved[k] for k in ("columns", "data")}}
        if isinstance(saved, dict) and saved.keys() & {"messages", "prompt", "input", "inputs"}:
            return saved
        return {"inputs": saved}


def is_model_uri(target: str) -> bool:
    """Tell a model (folder or URI) from a server's URL."""
    return not target.startswith(("http://", "https://"))


def _download(uri: str) -> Path:
    """Have MLflow fetch a model, in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RESOLVE, uri],
            capture_output=True,
            text=True,
            timeout=_RESOLVE_TIMEOUT_S,
            env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelUriError(f"{uri} did not arrive within {_RESOLVE_TIMEOUT_S:.0f} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not (Path(lines[-1]) / "MLmodel").is_file():
        reason = (done.stderr.strip().splitlines() or ["no model there"])[-1]
        raise ModelUriError(f"{uri} cannot be fetched: {reason}")
    return Path(lines[-1])
