"""Other people's servers, each in an environment of its own, each with its best settings found."""

from __future__ import annotations

from benchmarks.server import Server


def peer_servers() -> tuple[Server, ...]:
    """Return the peers; each says itself whether it can be run here."""
    from benchmarks.peers import bentoml, litserve, mlserver, triton

    return (mlserver.SERVER, bentoml.SERVER, litserve.SERVER, triton.SERVER)
