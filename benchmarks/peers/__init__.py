"""Other people's servers, each in an environment of its own."""

from __future__ import annotations

from benchmarks.server import Server


def peer_servers() -> tuple[Server, ...]:
    """Return the peers; whether each can be run here is asked later."""
    return ()
