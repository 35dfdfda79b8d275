"""A tree of processes as Linux accounts for it: CPU time and memory. Elsewhere it is empty."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process of a tree.

    Attributes:
        pid: its id.
        name: what it calls itself (a forked worker has its parent's command line, not its name).
        command: its command line, arguments separated by blanks.
        pss_bytes: its proportional share of memory: shared pages divided among their users, so that
            a tree's sum counts each page once.
        rss_bytes: its resident memory, shared pages in full.
        cpu_s: CPU seconds it has used.
    """

    pid: int
    name: str
    command: str
    pss_bytes: int
    rss_bytes: int
    cpu_s: float


def tree_pids(root: int) -> list[int]:
    """Return ``root`` and all its descendants, parents first."""
    pids = [root]
    for pid in pids:
        for task in _list(_PROC / str(pid) / "task"):
            children = _read(_PROC / str(pid) / "task" / task / "children")
            pids.extend(int(child) for child in children.split())
    return pids


def tree(root: int) -> list[Process]:
    """Measure a process and its descendants; those that end meanwhile are left out."""
    return [process for pid in tree_pids(root) if (process := _measure(pid)) is not None]


def tree_cpu_s(root: int) -> float:
    """CPU seconds used by a process, its descendants, and its descendants that have ended."""
    return sum(_cpu_s(pid) for pid in tree_pids(root))


def machine_busy_s() -> float:
    """CPU seconds that all processes of the machine have used since it started."""
    fields = _read(_PROC / "stat").partition("\n")[0].split()[1:9]
    if len(fields) < 8:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _measure(pid: int) -> Process | None:
    sizes = {}
    for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines():
        name, _, value = line.partition(":")
        if name in ("Pss", "Rss"):
            sizes[name] = int(value.split()[0]) * 1024
    if "Pss" not in sizes:
        return None
    command = _read(_PROC / str(pid) / "cmdline").replace("\0", " ").strip()
    name = _read(_PROC / str(pid) / "comm").strip()
    return Process(pid, name, command, sizes["Pss"], sizes["Rss"], _cpu_s(pid))


def _cpu_s(pid: int) -> float:
    fields = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS if len(fields) > 14 else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _list(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
