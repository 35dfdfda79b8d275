"""A memory limit that the kernel enforces, where this process may make one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_V2: Final = Path("/sys/fs/cgroup")
_V1: Final = Path("/sys/fs/cgroup/memory")


class Limit:
    """A control group with a memory limit.

    Attributes:
        bytes: the limit.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self.bytes = limit_bytes

    def adopt(self, pid: int) -> None:
        """Put a process, and what it will start, under the limit."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        """Return how often the kernel has killed for it."""
        for name in ("memory.oom_control", "memory.events"):
            with contextlib.suppress(OSError):
                for line in (self._folder / name).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0


@contextlib.contextmanager
def limited(limit_bytes: int) -> Iterator[Limit | None]:
    """Make a control group with a limit; ``None`` where that is not allowed."""
    folder = None
    for root, name in ((_V1, "memory.limit_in_bytes"), (_V2, "memory.max")):
        candidate = root / f"pelton-benchmark-{os.getpid()}"
        try:
            candidate.mkdir()
        except OSError:
            continue
        try:
            (candidate / name).write_text(str(limit_bytes))
        except OSError:
            candidate.rmdir()
            continue
        folder = candidate
        break
    try:
        yield Limit(folder, limit_bytes) if folder else None
    finally:
        if folder is not None:
            with contextlib.suppress(OSError):  # still busy: the system removes it when it is not
                folder.rmdir()
