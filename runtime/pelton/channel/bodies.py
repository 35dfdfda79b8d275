"""Large bodies in memory that the server and its workers have in common.

One anonymous file, mapped by all. The server reads a body from the client's socket to where a
worker will read it from, and the channel only says where that is. A place is taken for as long as
anything in the server refers to a view of it. Nothing has a name, and nothing is left when a
process is killed: the memory goes with the last one that has it.

Standard library only, Python 3.10: workers read in the model's environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import mmap
import os
import struct
import weakref
from bisect import bisect
from collections import deque
from typing import Any, Final

from pelton.channel.frames import Buffer
from pelton.errors import FrameError

#: Of addresses. Memory is only had for what has been in use at one time.
TOTAL_BYTES: Final = 128 * 1024 * 1024
#: Of memory, that is kept for the next bodies once none is there.
KEPT_BYTES: Final = 16 * 1024 * 1024
UNIT_BYTES: Final = 64 * 1024
_PLACE: Final = struct.Struct("<QQ")  # where it begins, and its size, in bytes


class SharedBodies:
    """The server's side: it gives places to bodies. Used by one thread.

    Args:
        fd: an empty file, which is made as large as needed; closed with this.
        total_bytes: of all places.
        kept_bytes: of memory, kept while no place is taken.

    Raises:
        OSError: it cannot be mapped.
    """

    def __init__(
        self, fd: int, total_bytes: int = TOTAL_BYTES, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._fd = fd
        self._units = total_bytes // UNIT_BYTES
        self._kept = min(kept_bytes // UNIT_BYTES, self._units)
        os.ftruncate(fd, self._units * UNIT_BYTES)
        self._memory = mmap.mmap(fd, self._units * UNIT_BYTES)
        self._free = [(0, self._units)]  # (first unit, units), in order, never two side by side
        self._backed = 0  # so many units have memory
        # Views may be dropped by a garbage collection in any thread, in the midst of anything.
        self._returned: deque[tuple[int, int]] = deque()

    @classmethod
    def create(cls) -> SharedBodies | None:
        """Return one; ``None`` on a system that has nothing of the kind."""
        if not hasattr(os, "memfd_create"):
            return None
        fd = -1
        try:
            fd = os.memfd_create("pelton-bodies", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            made = cls(fd)
            # Nobody who opens it can cut off what is mapped: touching that would end the process.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            return made
        except OSError:
            if fd >= 0:
                os.close(fd)
            return None

    @property
    def path(self) -> str:
        """Where a worker opens it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @property
    def memory_bytes(self) -> int:
        """How much memory there is behind the places, taken or not."""
        return self._backed * UNIT_BYTES

    @property
    def is_empty(self) -> bool:
        """Whether no place is taken."""
        self._take_back()
        return self._free == [(0, self._units)]

    def take(self, size: int) -> memoryview | None:
        """Return room for ``size`` bytes, at the lowest place there is; ``None`` if there is none.

        There is memory behind all of it. It is free again once no view of it is left.
        """
        self._take_back()
        units = -(-size // UNIT_BYTES) or 1
        for index, (first, length) in enumerate(self._free):
            if length < units:
                continue
            if not self._back(first + units):
                return None
            self._free[index : index + 1] = (
                [(first + units, length - units)] if length > units else []
            )
            place = _kind(units).from_buffer(self._memory, first * UNIT_BYTES)
            place.wire = _PLACE.pack(first * UNIT_BYTES, size)
            place.size = size
            weakref.finalize(place, self._returned.append, (first, units)).atexit = False
            return memoryview(place).cast("B")[:size]
        return None

    def tidy(self) -> None:
        """Give memory back that is not needed while no place is taken."""
        if self._backed > self._kept and self.is_empty:
            start, size = self._kept * UNIT_BYTES, (self._backed - self._kept) * UNIT_BYTES
            with contextlib.suppress(OSError):
                self._memory.madvise(mmap.MADV_REMOVE, start, size)
                self._backed = self._kept

    def close(self) -> None:
        """Close the file; what is taken stays until it is dropped."""
        os.close(self._fd)

    def _back(self, end: int) -> bool:
        """Have memory up to unit ``end``: without, writing there would end the process."""
        if end > self._backed:
            start = self._backed * UNIT_BYTES
            try:
                os.posix_fallocate(self._fd, start, end * UNIT_BYTES - start)
            except OSError:
                return False
            self._backed = end
        return True

    def _take_back(self) -> None:
        while self._returned:
            first, units = self._returned.popleft()
            at = bisect(self._free, (first, 0))
            if at < len(self._free) and self._free[at][0] == first + units:
                units += self._free.pop(at)[1]
            if at and sum(self._free[at - 1]) == first:
                at -= 1
                before, length = self._free.pop(at)
                first, units = before, units + length
            self._free.insert(at, (first, units))


class _Place:
    """What a view of a taken place is a view of.

    Attributes:
        wire: says where it is, to a worker.
        size: that of the body, in bytes.
    """

    wire: bytes
    size: int


@functools.cache  # ctypes keeps them all; there are as many as units
def _kind(units: int) -> Any:
    return type("Place", (_Place, ctypes.c_ubyte * (units * UNIT_BYTES)), {})


def place_of(body: Buffer) -> bytes | None:
    """Return where ``body`` is, as a worker is told; ``None`` if it is no whole view of a place."""
    if type(body) is memoryview:
        place = body.obj
        if isinstance(place, _Place) and place.size == len(body):
            return place.wire
    return None


class BodyReader:
    """A worker's side: it can read what is at any place, and write nothing.

    Args:
        path: what ``SharedBodies.path`` says.

    Raises:
        OSError: it cannot be opened or mapped.
    """

    def __init__(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            memory = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self._memory = memoryview(memory)

    @classmethod
    def open(cls, path: str) -> BodyReader | None:
        """Return one; ``None`` where there is none, or this process may not have it."""
        if not path:
            return None
        try:
            return cls(path)
        except (OSError, ValueError):
            return None

    def at(self, wire: Buffer) -> memoryview:
        """Return the body at a place; it may change once its request has been answered.

        Raises:
            FrameError: there is no such place.
        """
        start, size = _PLACE.unpack(wire) if len(wire) == _PLACE.size else (0, -1)
        if not 0 <= size <= len(self._memory) - start:
            raise FrameError(f"There is no place {bytes(wire)!r}. This is a bug.")
        return self._memory[start : start + size]
