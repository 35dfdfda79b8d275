"""Copies of local model folders, so that what is served does not change under the server.

A worker may be started long after its revision was (a crash, scaling), and a rollback loads an
earlier model again: both need the files as they were, whatever has been written into the folder
since. So a revision of a local folder serves from a copy. Hard links would not do: a file that is
rewritten in place changes under all its names. A copy costs nothing where the file system can
share blocks, and little for most models; a large one on a file system that cannot is used in
place, unless the folder is watched and so expected to change.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pelton import platform
from pelton.environment.artifacts import LocalModel
from pelton.environment.cache import Cache, Writer
from pelton.environment.mlmodel import read_mlmodel
from pelton.errors import ModelUriError
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

_CHUNK_BYTES: Final = 4 * 1024**2
_LEFT_FREE: Final = 0.1
# Python writes these beside a model's code when it is loaded in place: no sign of a new model.
_NOT_THE_MODEL: Final = "__pycache__"


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes:
        fingerprint: of every file's name, size, time of change and inode; no content is read.
        size_bytes: of all files.
    """

    fingerprint: str
    size_bytes: int


def survey(folder: Path) -> Survey:
    """Look at every file of a model folder.

    Raises:
        ModelUriError: it is not there, or is changing under our eyes.
    """
    digest, total = hashlib.sha256(), 0
    try:
        for name, path in sorted(_files(folder)):
            facts = path.stat()
            total += facts.st_size
            digest.update(
                f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_ino}\0".encode(
                    errors="surrogateescape"
                )
            )
    except OSError as error:
        raise ModelUriError(
            f"cannot read {error.filename or folder}: {error.strerror}; is it being replaced?"
        ) from error
    return Survey(digest.hexdigest()[:32], total)


def choose(
    size_bytes: int, limit_bytes: int, free_bytes: int, *, clones: bool, watched: bool
) -> str | None:
    """Return why a folder is served in place; ``None`` if it is copied.

    Args:
        size_bytes: of the folder.
        limit_bytes: larger ones are not copied unless that is free, or they are watched.
        free_bytes: on the disk of the copies.
        clones: whether the file system shares blocks between the folder and its copy.
        watched: whether the folder is watched, and so expected to change.
    """
    if clones:
        return None
    megabytes = f"{size_bytes / 1024**2:.0f} MB"
    if size_bytes > limit_bytes and not watched:
        return f"{megabytes} are more than --snapshot-limit and cannot share blocks"
    if size_bytes > free_bytes * (1 - _LEFT_FREE):
        return f"{megabytes} do not fit into the {free_bytes / 1024**2:.0f} MB free for copies"
    return None


class Snapshots:
    """The copies of one server. Owned by one event loop.

    Args:
        cache_dir: they are kept below it; other servers may use it too.
        limit_bytes: larger folders are copied only where it is free, or they are watched.
        watched: whether local folders are watched.
    """

    def __init__(self, cache_dir: Path, limit_bytes: int, *, watched: bool) -> None:
        self._cache = Cache(cache_dir.expanduser().absolute() / "snapshots")
        self._limit_bytes = limit_bytes
        self._watched = watched
        self._held: list[LocalModel] = []

    async def secure(self, model: LocalModel) -> tuple[LocalModel, str]:
        """Return a local folder's model as it will be served, and the folder's fingerprint.

        Raises:
            ModelUriError: the folder changed while it was read.
        """
        found = await asyncio.to_thread(survey, model.path)
        reason = await asyncio.to_thread(self._reason_against, model.path, found)
        if reason is None:
            try:
                return await self._copied(model, found), found.fingerprint
            except OSError as error:
                reason = f"it cannot be copied: {error.strerror or error}"
        level = logging.WARNING if self._watched else logging.INFO
        log.log(level, "revision.in_place %s", kv(model=model.path, reason=reason))
        return model, found.fingerprint

    async def check_unchanged(self, model: LocalModel, fingerprint: str) -> None:
        """Make sure that a folder that is used in place is what it was.

        Raises:
            ModelUriError: it has changed since ``secure``.
        """
        if model.lease is None:
            now = await asyncio.to_thread(survey, model.path)
            if now.fingerprint != fingerprint:
                raise ModelUriError(
                    f"{model.path} has changed since it was first read, and was not copied"
                    f" (--snapshot-limit); what it holds now may be incomplete"
                )

    def keep_only(self, models: Iterable[LocalModel | None]) -> None:
        """Let go of all other copies."""
        kept = {id(model) for model in models}
        for model in self._held:
            if id(model) not in kept and model.lease is not None:
                model.lease.release()
        self._held = [model for model in self._held if id(model) in kept]

    async def prune(self) -> None:
        """Delete the copies that no server uses."""
        try:
            await asyncio.to_thread(self._cache.prune)
        except OSError as error:  # another server deletes the same, or the disk is read-only
            log.debug("snapshots.not_pruned %s", kv(error=error))

    def _reason_against(self, folder: Path, found: Survey) -> str | None:
        root = self._cache.root
        try:
            root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(root).free
            clones = found.size_bytes > self._limit_bytes and _can_clone(folder / "MLmodel", root)
        except OSError as error:
            return f"it cannot be copied to {root}: {error.strerror}"
        return choose(
            found.size_bytes, self._limit_bytes, free, clones=clones, watched=self._watched
        )

    async def _copied(self, model: LocalModel, found: Survey) -> LocalModel:
        source = model.path
        key = hashlib.sha256(f"{source}\0{found.fingerprint}".encode()).hexdigest()[:32]

        async def write(writer: Writer) -> None:
            stop = threading.Event()
            target = writer.path / "model"
            try:
                await asyncio.to_thread(_copy, source, target, stop.is_set)
                after = await asyncio.to_thread(survey, source)
            finally:
                stop.set()  # a thread cannot be cancelled, only asked
            if after.fingerprint != found.fingerprint:
                raise _changed(source)
            writer.facts.update(source=os.fspath(source))

        entry = await self._cache.obtain(key, write, on_wait=lambda: None)
        path = entry.path / "model"
        copy = replace(model, path=path, mlmodel=read_mlmodel(path), lease=entry.lease)
        self._held.append(copy)
        return copy


def _files(folder: Path, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Path]]:
    """Yield each file with its name below ``folder``; links are followed, but in no circle.

    Raises:
        OSError: a folder vanished, or cannot be read.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != _NOT_THE_MODEL:
                    for name, path in _files(Path(entry.path), seen | {real}):
                        yield f"{entry.name}/{name}", path
            else:
                yield entry.name, Path(entry.path)


def _copy(source: Path, target: Path, stopped: Callable[[], bool]) -> None:
    """Copy a folder, sharing blocks where the file system can.

    Raises:
        ModelUriError: a file vanished meanwhile.
        OSError: the copy cannot be written.
    """
    target.mkdir(parents=True)
    try:
        files = sorted(_files(source))
    except OSError as error:
        raise _changed(source) from error
    for name, path in files:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            reading = path.open("rb")
        except FileNotFoundError as error:
            raise _changed(source) from error
        with reading, place.open("wb") as writing:
            if not platform.clone_file(reading.fileno(), writing.fileno()):
                while chunk := reading.read(_CHUNK_BYTES):
                    if stopped():
                        return
                    writing.write(chunk)
        place.chmod(path.stat().st_mode & 0o777 | 0o400)


def _can_clone(file: Path, folder: Path) -> bool:
    probe = folder / f".probe-{os.getpid()}"
    try:
        with file.open("rb") as reading, probe.open("wb") as writing:
            return platform.clone_file(reading.fileno(), writing.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _changed(folder: Path) -> ModelUriError:
    return ModelUriError(
        f"{folder} changed while it was read; wait until it is written completely, or write"
        f" elsewhere and rename"
    )
