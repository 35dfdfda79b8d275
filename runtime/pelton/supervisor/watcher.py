"""Looks for a new version of what is served: an alias that moved, a folder that was rewritten.

Whatever goes wrong with looking, what serves goes on serving; the reason is logged once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

from pelton.environment.artifacts import resolve_version
from pelton.environment.fetcher import Fetcher
from pelton.environment.mlmodel import read_mlmodel
from pelton.environment.uri import local_path, names_fixed_version
from pelton.errors import ModelUriError, UpdateConflict
from pelton.lifecycle import RevisionState
from pelton.supervisor.lookout import Lookout, delay_s
from pelton.supervisor.revision import Revision
from pelton.supervisor.revisions import first_line
from pelton.supervisor.snapshot import survey
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

_FOLDER_SIGHTINGS: Final = 2
_JITTER: Final = 0.1

Ask = Callable[[str], Awaitable[str]]
"""Returns what a URI means now, or raises ModelUriError."""


class Updates(Protocol):
    """What the watcher wants of ``Revisions``."""

    active: Revision | None
    last_rejected: Revision | None
    settled: asyncio.Event

    def begin_update(self) -> Revision:
        """Begin to roll out what the active revision's URI means now."""


class Watcher:
    """Owned by the supervisor's event loop.

    Args:
        revisions: it follows the active one, and begins updates.
        interval_s: seconds between looks.
        ask: what an alias means now; without one a child process with mlflow in it is kept.
    """

    def __init__(self, revisions: Updates, interval_s: float, ask: Ask | None = None) -> None:
        self._revisions = revisions
        self._interval_s = interval_s
        self._fetcher = Fetcher()
        self._ask = ask or self._ask_registry
        self._active: Revision | None = None
        self._begun: tuple[Revision, str] | None = None
        self._lookout = Lookout(1)
        self._failed_looks = 0
        self._failed_fetches = 0
        self._trouble: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        async with self._fetcher:
            while True:
                failures = max(self._failed_looks, self._failed_fetches)
                delay = delay_s(self._interval_s, failures)
                await asyncio.sleep(delay * random.uniform(1 - _JITTER, 1 + _JITTER))
                await self.look()

    async def look(self) -> None:
        """Look once, and begin an update if there is a new version."""
        await self._revisions.settled.wait()
        active = self._revisions.active
        if active is None:
            return
        self._follow(active)
        if names_fixed_version(active.uri) and local_path(active.uri) is None:
            return
        try:
            identity = await self._identity(active.uri)
            changed = self._lookout.see(identity)
            if identity == active.identity:  # after a rollback, back to what serves
                self._lookout.handled(identity)
                changed = False
            if changed and (path := local_path(active.uri)) is not None:
                await asyncio.to_thread(_check_whole, path)
        except ModelUriError as error:
            self._failed(active, error)
            return
        self._recovered()
        if changed and self._revisions.active is active:
            self._begin(active, identity)

    def _follow(self, active: Revision) -> None:
        """Take note of what has become of updates, whoever began them."""
        before, self._active = self._active, active
        if active is not before:
            self._failed_fetches = 0
            same_uri = before is not None and before.uri == active.uri
            if not same_uri:
                settle = 1 if local_path(active.uri) is None else _FOLDER_SIGHTINGS
                self._lookout = Lookout(settle)
                self._say_what_is_watched(active)
            # A rollback leaves the URI meaning something else; that is no change.
            if not active.is_pinned and active.identity is not None:
                self._lookout.handled(active.identity)
        begun, self._begun = self._begun, None
        for revision, identity in filter(None, (begun, self._last_rejected(active))):
            if revision.state is not RevisionState.REJECTED:
                continue
            if isinstance(revision.error, ModelUriError):
                # It could not be fetched, which says nothing of the model: try again, later.
                self._failed_fetches += begun is not None and revision is begun[0]
            else:
                self._lookout.handled(identity)

    def _last_rejected(self, active: Revision) -> tuple[Revision, str] | None:
        rejected = self._revisions.last_rejected
        if rejected is None or rejected.uri != active.uri or rejected.identity is None:
            return None
        return rejected, rejected.identity

    def _begin(self, active: Revision, identity: str) -> None:
        try:
            revision = self._revisions.begin_update()
        except UpdateConflict as error:  # shutting down, or somebody was quicker
            log.info("watch.put_off %s", kv(reason=error))
            return
        self._begun = revision, identity
        log.info("watch.changed %s", kv(uri=active.uri, now=identity, revision=revision.number))

    async def _identity(self, uri: str) -> str:
        path = local_path(uri)
        if path is None:
            return await self._ask(uri)
        return await asyncio.to_thread(_fingerprint, path)

    async def _ask_registry(self, uri: str) -> str:
        try:
            return await resolve_version(uri, fetcher=self._fetcher)
        except OSError as error:  # no process can be started now
            raise ModelUriError(f"cannot ask for {uri}: {error}") from error

    def _failed(self, active: Revision, error: ModelUriError) -> None:
        if local_path(active.uri) is None:  # a folder is looked at for nothing
            self._failed_looks += 1
        if self._trouble is None:
            log.warning(
                "watch.failed %s",
                kv(uri=active.uri, serving=active.number, reason=first_line(error)),
            )
        self._trouble = str(error)

    def _recovered(self) -> None:
        self._failed_looks = 0
        if self._trouble is not None:
            self._trouble = None
            log.info("watch.recovered")

    def _say_what_is_watched(self, active: Revision) -> None:
        if local_path(active.uri) is None and names_fixed_version(active.uri):
            log.warning(
                "watch.nothing %s",
                kv(uri=active.uri, reason="it always means the same; watch an alias or a folder"),
            )
        else:
            log.info("watch.began %s", kv(uri=active.uri, every_s=self._interval_s))


def _check_whole(folder: Path) -> None:
    """Make sure that a still folder is not one whose writer has stopped in the middle.

    Raises:
        ModelUriError: its MLmodel is missing, cut short or not written yet.
    """
    # mlflow writes the keys in order, and of those it always writes this one is the last.
    if "utc_time_created" not in read_mlmodel(folder).document:
        raise ModelUriError(f"{folder}/MLmodel is incomplete: utc_time_created is missing")


def _fingerprint(folder: Path) -> str:
    if not folder.is_dir():
        raise ModelUriError(f"no such directory: {folder}")
    return survey(folder).fingerprint
