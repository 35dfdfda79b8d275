"""Model URIs: which of them are local directories, and which need mlflow to be found."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pelton.errors import ModelUriError

# One letter would be a Windows drive; a scheme that mlflow knows is at least two.
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):")
# `models:name` and `runs:id` lack their slash; urlsplit would take them without a word.
_NEEDS_SLASH = ("models", "runs", "mlflow-artifacts")


def local_path(uri: str) -> Path | None:
    """Return the directory that ``uri`` names, or ``None`` if mlflow has to look it up.

    Raises:
        ModelUriError: the URI is empty, or malformed in a way that mlflow would explain badly.
    """
    if not uri.strip():
        raise ModelUriError("the model URI is empty; give a path or e.g. models:/name/1")
    match = _SCHEME.match(uri)
    if match is None:
        return Path(uri).expanduser().absolute()
    scheme = match.group(1).lower()
    if scheme == "file":
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost"):
            raise ModelUriError(
                f"{uri} names the host {parts.netloc!r}; write file:///absolute/path"
            )
        return Path(unquote(parts.path)).absolute()
    if scheme in _NEEDS_SLASH and not uri[match.end() :].startswith("/"):
        rest = uri[match.end() :]
        raise ModelUriError(f"{uri} lacks a slash; did you mean {scheme}:/{rest}?")
    return None


def names_fixed_version(uri: str) -> bool:
    """Tell whether ``uri`` always means the same model: no alias, stage or ``latest`` in it."""
    if not uri.startswith("models:"):
        return True
    last = uri.rstrip("/").rsplit("/", 1)[-1]
    return last.isdigit() or (last.startswith("m-") and "@" not in last)
