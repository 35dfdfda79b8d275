"""Which part of a served model's memory is whose: the front end's, or a slot's."""

from __future__ import annotations

from typing import Any

from pelton.bench.process import tree


def slots_memory(pid: int) -> list[dict[str, Any]]:
    """Measure the processes of a server, the server itself first.

    Returns:
        One ``{"name", "pid", "pss_mb", "rss_mb"}`` a process; the name says what it does.
    """
    found = []
    for number, process in enumerate(tree(pid)):
        name = "server" if number == 0 else _role(process.command)
        found.append(
            {
                "name": name,
                "pid": process.pid,
                "pss_mb": round(process.pss_bytes / 1e6, 1),
                "rss_mb": round(process.rss_bytes / 1e6, 1),
            }
        )
    return found


def _role(command: str) -> str:
    if "forkserver" in command:
        return "fork server"
    return "worker" if "worker" in command else command.split(" ")[0].rpartition("/")[2] or "?"
