"""Which part of a served model's memory is whose: the front end's, or a slot's."""

from __future__ import annotations

import re
from typing import Any, Final

from pelton.bench.process import Process, tree

_WORKER: Final = re.compile(r"worker-\d+\Z")


def slots_memory(pid: int) -> list[dict[str, Any]]:
    """Measure the processes of a server, the server itself first.

    Returns:
        One ``{"name", "pid", "pss_mb", "rss_mb"}`` a process; the name says what it does.
    """
    found = []
    for number, process in enumerate(tree(pid)):
        name = "server" if number == 0 else role(process)
        found.append(
            {
                "name": name,
                "pid": process.pid,
                "pss_mb": round(process.pss_bytes / 1e6, 1),
                "rss_mb": round(process.rss_bytes / 1e6, 1),
            }
        )
    return found


def role(process: Process) -> str:
    """Say what a process of a served model is: ``worker``, ``fork server``, or its own name."""
    if _WORKER.match(process.name):
        return "worker"
    is_template = process.name.endswith("-fork") or process.name.startswith("pelton-")
    return "fork server" if is_template else process.name or "?"
