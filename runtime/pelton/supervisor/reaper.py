"""Ending the children of others: what a server owes its orphans as process 1 of a container.

A process whose parent has ended becomes a child of process 1, and stays as a zombie until that
waits for it. Our own children are waited for by whoever started them, each by its id and at once;
so a zombie that is still there after a while was adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Final

from pelton import platform
from pelton.deadline import Clock
from pelton.telemetry.logging import kv

log = logging.getLogger("pelton.supervisor")

GRACE_S: Final = 5.0
_TICK_S: Final = 2.0


class Reaper:
    """Waits for adopted processes. Owned by one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[int, float] = {}

    async def run(self) -> None:
        """Reap for ever, if this process is one that orphans go to."""
        if not platform.adopts_orphans():
            return
        while True:
            await asyncio.sleep(_TICK_S)
            self.reap()

    def reap(self) -> list[int]:
        """Wait for what has been a zombie for ``GRACE_S`` seconds; returns their ids."""
        now = self._clock()
        zombies = _zombie_children() if _any_zombie() else set()
        self._since = {pid: self._since.get(pid, now) for pid in zombies}
        old = [pid for pid, since in self._since.items() if now - since >= GRACE_S]
        for pid in old:
            with contextlib.suppress(ChildProcessError):  # its own parent's thread was faster
                os.waitpid(pid, os.WNOHANG)
            del self._since[pid]
        if old:
            log.debug("orphans.reaped %s", kv(many=len(old)))
        return old


def _any_zombie() -> bool:
    """Look, without waiting for it, whether any child has ended."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _zombie_children() -> set[int]:
    found = set()
    own = str(os.getpid())
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and parent == own:
                found.add(int(folder.name))
    return found
