"""Changing the requirements of a logged model, as ``mlflow.models.update_model_requirements``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Literal

from pelton.environment.fetcher import Fetcher
from pelton.environment.mlmodel import read_mlmodel
from pelton.environment.requirement import Line
from pelton.environment.uri import local_path
from pelton.errors import ModelUriError


async def update_requirements(
    uri: str,
    operation: Literal["add", "remove"],
    packages: Sequence[str],
    *,
    on_progress: Callable[[str], None],
    timeout_s: float | None = None,
) -> list[str]:
    """Add or replace requirements, or remove them by name; return the model's new ones.

    ``requirements.txt`` and ``conda.yaml`` are changed where they are stored.

    Raises:
        ModelUriError: a requirement is malformed, the model is a registered version (those are
            read-only), or its store cannot be written.
    """
    for text in packages:
        if Line(text, "", 0).requirement is None:
            raise ModelUriError(f"{text!r} is not a requirement like name==1.2 or name>=1,<2")
    path = local_path(uri)
    if path is not None:
        read_mlmodel(path)
        uri = os.fspath(path)
    async with Fetcher() as fetcher:
        found: list[str] = await fetcher.ask(
            "requirements",
            uri,
            on_progress=on_progress,
            timeout_s=timeout_s,
            operation=operation,
            packages=list(packages),
        )
    return found
