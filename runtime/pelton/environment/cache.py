"""A directory of entries, each named by the hash of what it holds and complete or absent.

Both downloaded models and built environments live in one::

    <root>/<key>/           the entry's files
    <root>/<key>/.complete  written last: without it the rest is debris of a killed writer
    <root>/<key>.lock       exclusive while writing or deleting, shared while in use

A lock is an open file's ``flock``: the kernel drops it when its last holder dies, whatever killed
it. Child processes that write into an entry inherit it, so that orphans of a killed parent keep
others out until they have stopped writing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_MARKER: Final = ".complete"
_DEBRIS: Final = ".debris-"
_POLL_S: Final = 0.1


class Lease:
    """A shared lock on an entry: nobody deletes it while this object lives."""

    def __init__(self, fd: int) -> None:
        self._close = weakref.finalize(self, os.close, fd)

    def release(self) -> None:
        """Let the entry go; harmless when done twice."""
        self._close()


@dataclass(frozen=True)
class Entry:
    """A complete entry, leased for as long as this object lives.

    ``lease`` is ``None`` only where the cache is read-only.
    """

    key: str
    path: Path
    facts: Mapping[str, Any]
    lease: Lease | None = field(repr=False, compare=False)


@dataclass(frozen=True)
class Writer:
    """The right to fill one entry.

    Attributes:
        path: the entry's empty directory.
        lock_fd: to be inherited by every child that writes there.
        facts: recorded with the entry when it is complete.
    """

    path: Path
    lock_fd: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """An entry as ``list_entries`` shows it; ``used_at`` is in seconds since the epoch."""

    key: str
    path: Path
    size_bytes: int
    used_at: float
    in_use: bool
    complete: bool
    facts: Mapping[str, Any]


class Cache:
    """The entries below ``root``, shared by any number of processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def obtain(
        self,
        key: str,
        write: Callable[[Writer], Awaitable[None]],
        *,
        on_wait: Callable[[], None],
    ) -> Entry:
        """Return the entry ``key``, having ``write`` fill it first if it is not there.

        Of several processes that want the same entry, one writes and the others wait; ``on_wait``
        is called once if this is one of those. If ``write`` raises or is cancelled, what it wrote
        is removed.
        """
        while True:
            if (entry := self.find(key)) is not None:
                return entry
            fd = await self._lock_exclusively(key, on_wait)
            if self._read_facts(key) is None:
                await self._fill(key, fd, write)
            # Not atomic: another process may delete the entry just now. Then begin again.
            entry = self._lease(key, fd)
            if entry is not None:
                return entry

    def list_entries(self) -> list[Listed]:
        """List all entries, the most recently used first."""
        found = [self._listed(path) for path in self.root.glob("[!.]*") if path.is_dir()]
        return sorted(found, key=lambda entry: entry.used_at, reverse=True)

    def prune(self, *, unused_for_s: float = 0.0) -> list[Listed]:
        """Delete debris, and what nobody uses and nobody has used for ``unused_for_s`` seconds."""
        for debris in self.root.glob(f"{_DEBRIS}*"):
            shutil.rmtree(debris, ignore_errors=True)
        removed = []
        for entry in self.list_entries():
            recent = entry.complete and time.time() - entry.used_at < unused_for_s
            if recent or entry.in_use:
                continue
            fd = self._lock_nowait(entry.key, fcntl.LOCK_EX)
            if fd is None:
                continue
            try:
                # The marker first: a killed prune must leave debris, not half an entry.
                (entry.path / _MARKER).unlink(missing_ok=True)
                shutil.rmtree(entry.path, ignore_errors=True)
                self._lock_path(entry.key).unlink(missing_ok=True)
            finally:
                os.close(fd)
            removed.append(entry)
        return removed

    def find(self, key: str) -> Entry | None:
        """Lease the entry ``key``, or return ``None`` if it is absent or being written."""
        facts = self._read_facts(key)
        if facts is None:
            return None
        try:
            fd = self._lock_nowait(key, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES):
                # A cache that was built into an image: nobody can delete from it either.
                return Entry(key, self.root / key, facts, lease=None)
            raise
        return None if fd is None else self._lease(key, fd)

    def _lease(self, key: str, fd: int) -> Entry | None:
        """Make the lock ``fd`` a lease on a complete entry, else give it up."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if (facts := self._read_facts(key)) is not None:
                with contextlib.suppress(OSError):
                    os.utime(self.root / key / _MARKER)  # "last used", for `prune`
                return Entry(key, self.root / key, facts, Lease(fd))
        os.close(fd)
        return None

    async def _fill(self, key: str, fd: int, write: Callable[[Writer], Awaitable[None]]) -> None:
        """Fill the entry; on failure remove it and release the lock ``fd``."""
        path = self.root / key
        try:
            await self._discard(path)
            path.mkdir()
            writer = Writer(path, fd, {})
            await write(writer)
            part = path / f"{_MARKER}.part"
            part.write_text(json.dumps(writer.facts, indent=1))
            part.replace(path / _MARKER)
        except BaseException:
            await self._discard(path)
            self._lock_path(key).unlink(missing_ok=True)
            os.close(fd)
            raise

    async def _discard(self, path: Path) -> None:
        """Remove a directory: out of the way at once, from the disk in a thread."""
        debris = self.root / f"{_DEBRIS}{uuid.uuid4().hex}"
        try:
            os.rename(path, debris)
        except FileNotFoundError:
            return
        # The thread ends its work even if this is cancelled; what it leaves, `prune` removes.
        await asyncio.to_thread(shutil.rmtree, debris, ignore_errors=True)

    def _read_facts(self, key: str) -> dict[str, Any] | None:
        try:
            facts: dict[str, Any] = json.loads((self.root / key / _MARKER).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return facts

    async def _lock_exclusively(self, key: str, on_wait: Callable[[], None]) -> int:
        self.root.mkdir(parents=True, exist_ok=True)
        said = False
        while (fd := self._lock_nowait(key, fcntl.LOCK_EX)) is None:
            if not said:
                on_wait()
                said = True
            await asyncio.sleep(_POLL_S)
        return fd

    def _lock_nowait(self, key: str, kind: int) -> int | None:
        path = self._lock_path(key)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            # `prune` may have deleted the file between open and lock: then the lock is on nothing.
            if os.fstat(fd).st_ino == path.stat().st_ino:
                return fd
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(fd)
        return None

    def _lock_path(self, key: str) -> Path:
        return self.root / f"{key}.lock"

    def _listed(self, path: Path) -> Listed:
        facts = self._read_facts(path.name)
        used_at = (path if facts is None else path / _MARKER).stat().st_mtime
        fd = self._lock_nowait(path.name, fcntl.LOCK_EX)
        if fd is not None:
            os.close(fd)
        return Listed(
            key=path.name,
            path=path,
            size_bytes=sum(_own_sizes(path)),
            used_at=used_at,
            in_use=fd is None,
            complete=facts is not None,
            facts=facts or {},
        )


def _own_sizes(path: Path) -> Iterator[int]:
    """Sizes on disk of the files below ``path``, links not followed."""
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                yield (Path(folder) / name).lstat().st_blocks * 512
