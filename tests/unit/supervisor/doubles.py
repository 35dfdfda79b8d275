"""Revisions without workers, and what begins updates of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pelton.environment.artifacts import LocalModel
from pelton.environment.mlmodel import parse_mlmodel
from pelton.errors import ModelUriError, PeltonError
from pelton.lifecycle import RevisionEvent
from pelton.settings import Entity, Settings
from pelton.supervisor.revision import Revision

MLMODEL: dict[str, Any] = {
    "flavors": {"python_function": {"loader_module": "mlflow.sklearn"}},
    "utc_time_created": "2026-01-31 12:00:00.000000",
}


def model(
    uri: str, source: str, name: str | None = None, version: str | None = None, **document: Any
) -> LocalModel:
    mlmodel = parse_mlmodel({**MLMODEL, **document}, Path("/model/MLmodel"))
    return LocalModel(Path("/model"), uri, source, name, version, None, mlmodel)


def revision(number: int, uri: str, entity: Entity | None = None, **attributes: Any) -> Revision:
    """A revision that has not begun; ``attributes`` are set on it."""
    made = Revision(number, uri, entity or Entity(concurrency=1), lambda *_: None)
    made.created_ms = number * 1000
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def registered(number: int, uri: str, name: str, version: str, **attributes: Any) -> Revision:
    """A prepared revision of a registered model."""
    files = model(uri, f"models:/{name}/{version}", name, version)
    return revision(number, uri, model=files, **attributes)


class FakeRevisions:
    """What the triggers see of ``Revisions``; the test says how an update ends."""

    def __init__(self, active: Revision | None = None) -> None:
        self.settings = Settings()
        self.active = active
        self.updating: Revision | None = None
        self.last_rejected: Revision | None = None
        self.settled = asyncio.Event()
        self.begun = 0
        self.refusal: PeltonError | None = None
        if active is not None:
            self.settled.set()

    def begin_update(self) -> Revision:
        if self.refusal is not None:
            raise self.refusal
        assert self.active is not None
        self.begun += 1
        self.updating = revision(self.active.number + self.begun, self.active.uri)
        self.settled.clear()
        return self.updating

    def becomes_active(self, files: LocalModel, **attributes: Any) -> None:
        """The update succeeds, or another one that somebody made."""
        number = self.active.number + 1 if self.active else 1
        made = self.updating or revision(number, files.uri)
        made.model = files
        for name, value in attributes.items():
            setattr(made, name, value)
        self.active, self.updating, self.last_rejected = made, None, None
        self.settled.set()

    def is_rejected(self, error: PeltonError, files: LocalModel | None = None) -> None:
        """The update fails; ``files`` are what it had got by then."""
        made = self.updating
        assert made is not None
        made.model, made.error = files, error
        made.lifecycle.fire(RevisionEvent.REJECTED)
        self.updating, self.last_rejected = None, made
        self.settled.set()


class Registry:
    """What an alias means, or why that cannot be said."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning
        self.is_down = False
        self.asked = 0

    async def __call__(self, uri: str) -> str:
        self.asked += 1
        if self.is_down:
            raise ModelUriError("the registry does not answer")
        return self.meaning
