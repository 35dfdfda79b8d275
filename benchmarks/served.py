"""A model that `pelton serve` serves for the time of a ``with``."""

from __future__ import annotations

from benchmarks.cores import Cores
from benchmarks.models.cache import model_path
from benchmarks.server import pelton_launch
from pelton.bench.child import Server as Child
from pelton.bench.child import free_port


class Served:
    """Starts the server, and stops it.

    Args:
        model: its name (``benchmarks/models``).
        cores: where the server runs.
        flags: of `pelton serve`.
    """

    def __init__(self, model: str, cores: Cores, flags: list[str]) -> None:
        port = free_port()
        self._child = pelton_launch(model_path(model), port, *flags).child(port, cores.servers)

    async def __aenter__(self) -> Child:
        await self._child.start()
        return self._child

    async def __aexit__(self, *_: object) -> None:
        await self._child.stop()
